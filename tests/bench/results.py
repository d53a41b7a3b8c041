"""A made-up result, of which every figure is known."""

from __future__ import annotations

from vsrcli.bench.machine import Machine
from vsrcli.bench.probe import Peak
from vsrcli.bench.result import Job, Result, Row

MACHINE = Machine(
    device="cpu",
    processor="A Processor",
    instructions=("avx2", "fma"),
    cores=2,
    threads=2,
    system="Linux",
    versions={"vsr": "0.1.0", "python": "3.11", "torch": "2.13", "onnxruntime": None, "av": "18"},
    card=None,
    load=0.25,
)

ROW = Row(
    model="tga",
    trained=True,
    backend="torch",
    precision="bf16",
    input_size=(320, 180),
    output_size=(1280, 720),
    seconds=0.5,
    quartiles=(0.4, 0.6),
    runs=5,
    frames=1,
    memory=2**30,
    flop=100e9,
    peak=400e9,
)

WORK = {
    "decode": 1.0,
    "upload": 0.5,
    "to_rgb": 1.5,
    "restore": 4.0,
    "from_rgb": 0.5,
    "download": 0.5,
    "encode": 2.0,
}

JOB = Job(
    model="tga",
    trained=False,
    backend="torch",
    precision="bf16",
    clip="in.mp4",
    input_size=(320, 180),
    output_size=(1280, 720),
    codec="h264",
    frames=10,
    seconds=5.0,
    alone=0.4,
    work=WORK,
    notes=("a note",),
)


def result(*rows: Row, jobs: tuple[Job, ...] = ()) -> Result:
    """A result with these, made on a machine of no name."""
    peaks = {"bf16": Peak(400e9, "3x3 convolution of 64 channels")}
    return Result("2026-03-01T12:00:00+00:00", MACHINE, {}, peaks, 20e9, rows, jobs)
