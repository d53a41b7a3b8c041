"""Movies keep every frame, at its own instant, and leave nothing when they fail."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ffmpeg import describe, ffmpeg, raw_frames, video_times

import vsrcli
from vsrcli.errors import OutputError
from vsrcli.media.encoders import EncodeOptions, EncoderPlan, Picture, choose, container_of
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, Range
from vsrcli.media.output import AtomicOutput
from vsrcli.media.probe import probe
from vsrcli.media.writer import MovieWriter

BT709 = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)
CLOCK = {".mp4": 0, ".mov": 0, ".ts": Fraction(1, 90_000), ".mkv": Fraction(1, 1000)}
"""By container: the step of the clock to which times are rounded; 0 for those of the source."""


def plan_for(path: Path, **options: object) -> EncoderPlan:
    picture = Picture(64, 48, pixel_format("yuv420p"), BT709, Fraction(25))
    chosen = EncodeOptions(preset="ultrafast" if path.suffix != ".webm" else "8", **options)  # type: ignore[arg-type]
    return choose(chosen, picture, container_of(path))


def numbered(index: int, pts: int, time_base: Fraction, duration: int = 0) -> Frame:
    """A gray frame whose brightness tells its number."""
    form = pixel_format("yuv420p")
    planes = (
        np.full((48, 64), 16 + 5 * index, np.uint8),
        np.full((24, 32), 128, np.uint8),
        np.full((24, 32), 128, np.uint8),
    )
    return Frame(planes, form, pts, time_base, duration)


def write(
    path: Path,
    times: Sequence[int],
    time_base: Fraction,
    *,
    last: int = 0,
    plan: EncoderPlan | None = None,
    **rest: object,
) -> None:
    """A movie of numbered frames at `times`; each lasts until the next, the last one `last`."""
    durations = [b - a for a, b in zip(times, times[1:], strict=False)] + [last]
    with MovieWriter(
        path,
        container_of(path),
        plan or plan_for(path),
        time_base=time_base,
        **rest,  # type: ignore[arg-type]
    ) as writer:
        for index, (pts, duration) in enumerate(zip(times, durations, strict=True)):
            writer.write(numbered(index, pts, time_base, duration))
        assert writer.frames == len(times)


def seconds(path: Path) -> float:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", describe(path))
    assert found
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts"])
@pytest.mark.parametrize(
    "time_base",
    [
        Fraction(1, 90_000), Fraction(1, 1000), Fraction(1001, 30_000), Fraction(1, 25),
        Fraction(1, 12_800), Fraction(1, 1_000_000_000), Fraction(125, 3003),
    ],
    ids=str,
)  # fmt: skip
def test_uneven_times_survive(tmp_path: Path, suffix: str, time_base: Fraction) -> None:
    """In the source's own ticks where the container has them, else to its clock."""
    path = tmp_path / f"out{suffix}"
    # At least a millisecond apart; some steps are one tick shorter or longer than others.
    step = max(1, round(Fraction(1, 30) / time_base))
    times = [step * n + n * n % 3 for n in range(12)] if step > 3 else [0, 1, 2, 5, 6, 9, 10, 11]
    write(path, times, time_base, last=step)
    clock = CLOCK.get(suffix, Fraction(1, 1000))
    if clock == 0:
        clock = time_base
    start = 0 if suffix != ".ts" else video_times(path)[0]
    for got, pts in zip(video_times(path), times, strict=True):
        assert abs(Fraction(got - start) - pts * time_base) <= clock / 2 + Fraction(1, 10**9)
    levels = raw_frames(path, "gray", 64, 48)[:, 24, 32, 0].astype(int)
    assert list(np.argsort(levels)) == list(range(len(times)))


def test_exact_ticks_in_mp4(tmp_path: Path) -> None:
    """As integers: floats would hide an error of one tick."""
    path = tmp_path / "out.mp4"
    times = [0, 3003, 6007, 9009, 15_000, 15_100]
    write(path, times, Fraction(1, 90_000), last=2000)
    out = ffmpeg("-copyts", "-i", path, "-c", "copy", "-f", "framehash", "-").decode()
    rows = [line.split(",") for line in out.splitlines() if not line.startswith("#")]
    assert "#tb 0: 1/90000" in out
    assert sorted(int(row[2]) for row in rows) == times
    assert [int(row[3]) for row in rows if int(row[2]) == 15_100] == [2000]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_late_beginning_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [500, 540, 580, 620, 660], Fraction(1, 1000), last=40)
    assert video_times(path) == pytest.approx([0.5, 0.54, 0.58, 0.62, 0.66])


def test_the_shift_is_taken_from_every_time(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    times = [9_000_000 + 3600 * n for n in range(5)]
    write(path, times, Fraction(1, 90_000), last=3600, shift=Fraction(100))
    assert video_times(path) == pytest.approx([0.04 * n for n in range(5)])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_last_frame_keeps_its_duration(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [0, 40, 80], Fraction(1, 1000), last=920)
    assert seconds(path) == pytest.approx(1.0, abs=0.011)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "h264"), (".mp4", "hevc"), (".mp4", "av1"), (".mp4", "vp9"),
        (".mov", "prores"), (".mkv", "prores"), (".ts", "h264"),
        (".mkv", "h264"), (".mkv", "av1"), (".mkv", "ffv1"), (".webm", "vp9"), (".webm", "av1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("aspect", [Fraction(3, 2), Fraction(7, 8)], ids=str)
def test_sample_aspect_ratio(tmp_path: Path, suffix: str, codec: str, aspect: Fraction) -> None:
    path = tmp_path / f"out{suffix}"
    picture = Picture(64, 48, pixel_format("yuv420p"), BT709, Fraction(25))
    plan = choose(EncodeOptions(codec), picture, container_of(path))
    with MovieWriter(
        path, container_of(path), plan, time_base=Fraction(1, 25), sample_aspect_ratio=aspect
    ) as writer:
        for index in range(25):
            frame = numbered(index, index, Fraction(1, 25), 1)
            planes = frame.planes
            if plan.format.bits == 10:
                shapes = [plan.format.plane_size(plane, 64, 48) for plane in range(3)]
                planes = tuple(np.full(shape, 512, np.uint16) for shape in shapes)
            writer.write(replace(frame, planes=planes, format=plan.format))
    assert writer.notes == []
    shape = f"SAR {aspect.numerator}:{aspect.denominator} "
    # When bit stream and container differ, ffmpeg tells the container's last.
    assert re.findall(r"SAR \d+:\d+ ", describe(path))[-1] == shape
    assert len(video_times(path)) == 25
    if suffix in (".mkv", ".webm"):
        # With explode, ffmpeg stops at wrong checksums and places.
        ffmpeg("-err_detect", "crccheck+explode", "-ss", "0.5", "-i", path, "-f", "null", "-")


def test_mp4_begins_with_its_index(tmp_path: Path) -> None:
    """So that it plays while it is still being loaded."""
    target = tmp_path / "out.mp4"
    with (
        AtomicOutput(target) as path,
        MovieWriter(path, "mp4", plan_for(target), time_base=Fraction(1, 25)) as writer,
    ):
        for index in range(10):
            writer.write(numbered(index, index, Fraction(1, 25)))
    data = target.read_bytes()
    assert len(raw_frames(target, "gray", 64, 48)) == 10
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_tags_of_the_source(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-pix_fmt", "yuv420p",
        "-metadata", "title=A title", "-metadata", "camera=X-1", "-movflags", "use_metadata_tags",
        "-metadata:s:v", "language=ger", "-disposition:v", "default+original", source,
    )  # fmt: skip
    info = probe(source)
    path = tmp_path / f"out{suffix}"
    write(path, range(5), Fraction(1, 25), video=info.video, metadata=info.metadata)
    text = describe(path)
    assert re.search(r"title +: A title", text)
    assert re.search(r"(camera|CAMERA) +: X-1", text)
    assert "(ger): Video:" in text
    assert re.search(r"(encoder|ENCODER) +: vsr libx264", text)
    if suffix == ".mkv":
        assert "(original)" in text


def test_hevc_for_apple(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    write(path, range(3), Fraction(1, 25), plan=plan_for(path, codec="hevc"))
    assert "hevc (Main) (hvc1" in describe(path)


def test_semi_planar_formats(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    plan = plan_for(path, pix_fmt="nv12")
    write(path, range(3), Fraction(1, 25), plan=plan)
    # Limited range: 16 is black.
    levels = raw_frames(path, "gray", 64, 48)[:, 0, 0, 0].astype(int)
    assert abs(levels - [0, 6, 12]).max() <= 1


def test_frames_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    with MovieWriter(path, "matroska", plan_for(path), time_base=Fraction(1, 25)) as writer:
        with pytest.raises(ValueError, match="not in 1/25"):
            writer.write(numbered(0, 0, Fraction(1, 30)))
        frame = numbered(0, 0, Fraction(1, 25))
        with pytest.raises(ValueError, match="a frame of 32x48"):
            writer.write(
                replace(frame, planes=tuple(p[:, : p.shape[1] // 2] for p in frame.planes))
            )
        writer.write(frame)
        writer.close()
        writer.close()
    assert len(raw_frames(path, "gray", 64, 48)) == 1


def test_times_that_go_back_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(OutputError, match=r"out.mp4 cannot be written: "):
        write(path, [0, 10, 5, 6, 7], Fraction(1, 25))


def noise(index: int) -> Frame:
    rng = np.random.default_rng(index)
    frame = numbered(0, index, Fraction(1, 25), 1)
    return replace(
        frame, planes=tuple(rng.integers(0, 255, p.shape, np.uint8) for p in frame.planes)
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    """On a file system of 200 kB; elsewhere than as root, under a limit on file sizes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        os.getuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk],
            capture_output=True,
            check=False,
        ).returncode
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    target = disk / f"out{suffix}"
    message = "the disk is full" if mounted else "larger than the limit"
    try:
        with (
            pytest.raises(OutputError, match=rf"^{target} cannot be written: {message}[^\n]*$"),
            AtomicOutput(target) as path,
            MovieWriter(
                path, container_of(target), plan_for(target, crf=0.0),
                time_base=Fraction(1, 25), target=target,
            ) as writer,
        ):  # fmt: skip
            for index in range(200):
                writer.write(noise(index))
        assert list(disk.iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
        if mounted:
            subprocess.run(["umount", disk], check=True)


def test_an_interruption_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with (
        pytest.raises(KeyboardInterrupt),
        AtomicOutput(target) as path,
        MovieWriter(path, "mp4", plan_for(target), time_base=Fraction(1, 25)) as writer,
    ):
        for index in range(50):
            writer.write(numbered(index % 40, index, Fraction(1, 25)))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
from test_writer import *
target = Path(sys.argv[1])
with AtomicOutput(target) as path, MovieWriter(
    path, container_of(target), plan_for(target, crf=0.0), time_base=Fraction(1, 25)
) as writer:
    for index in range(10**9):
        writer.write(noise(index))
        if index == 100:
            print("encoding", flush=True)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_job_leaves_nothing(tmp_path: Path, signal_number: int) -> None:
    tests = Path(__file__).parents[1]
    package = Path(vsrcli.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path / "out.mp4", Path(__file__).parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{package}:{tests}"},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"encoding\n"
        child.send_signal(signal_number)
        child.wait(timeout=20)
    assert child.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_printed(tmp_path: Path) -> None:
    """x265 and SVT-AV1 like to write their settings to standard error."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from test_writer import *\n"
        "for codec in ('h264', 'hevc', 'av1', 'vp9', 'ffv1'):\n"
        "    path = Path(sys.argv[1]) / f'{codec}.mkv'\n"
        "    plan = choose(EncodeOptions(codec), Picture(64, 48, pixel_format('yuv420p'), BT709,"
        " Fraction(25)), 'matroska')\n"
        "    write(path, range(3), Fraction(1, 25), plan=plan)\n"
    )
    package, tests = Path(vsrcli.__file__).parents[1], Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, Path(__file__).parent],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{package}:{tests}"},
    )
    assert (done.stdout, done.stderr) == (b"", b"")
