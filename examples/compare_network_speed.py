"""Time the networks as vsr runs them beside the same networks written plainly, in one run.

    python examples/compare_network_speed.py [MODEL ...] [--size 160x90] [--runs 5]
        [--device cuda] [--plain-precision fp16]

"Plain" is each published network as one would write it from its paper: nn.Conv3d or nn.Conv2d in
the default layout, fp32 (or under torch's autocast), fed as published (windows that recompute
everything, groups that overlap, filters that are held whole). The two are run in turn, so that a
machine that changes its pace does so for both; each network in a process of its own, as the memory
that one has asked for before changes what the next one pays for more. Weights do not matter to the
time; models without shipped ones are run untrained.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from plain.comparison import Comparison
from torch import Tensor

from vsrcli.cli.allocation import keep_freed_memory
from vsrcli.errors import WeightsError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.ops.resize import resize
from vsrcli.quality.clips import ClipFiles, read_clip
from vsrcli.restore.device import find_device, find_dtype
from vsrcli.zoo.catalogue import MODELS, find_entry
from vsrcli.zoo.weights import load_entry

CLIP = Path(__file__).parent / "bunny.mp4"
FRAMES = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tga", "fstrn", "spmc", "stdan", "stfan"])
    parser.add_argument("--size", default="160x90", help="input WIDTHxHEIGHT")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--plain-precision", choices=["fp32", "fp16", "bf16"], default="fp32")
    arguments = parser.parse_args()
    device = find_device(arguments.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{where}, {torch.get_num_threads()} threads, {arguments.size}, plain in "
        f"{arguments.plain_precision}, median of {arguments.runs} runs"
    )
    print("| model | plain, s a frame | vsr, s a frame | ratio | largest difference |")
    print("|---|---|---|---|---|", flush=True)
    for model in arguments.models:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            print(process.apply(_row, (model, arguments)), flush=True)


def _row(model: str, arguments: argparse.Namespace) -> str:
    """A row of the table."""
    keep_freed_memory()
    width, height = map(int, arguments.size.split("x"))
    device = find_device(arguments.device)
    dtype = find_dtype("auto", device)
    plain_dtype = find_dtype(arguments.plain_precision, device)
    network = _network(model).to(device)
    frames = _frames(width, height, network.spec.multiple).to(device)
    with torch.device(device):  # where the plain layers are made
        comparison = importlib.import_module(f"plain.{MODELS[model]}").compare(
            network, dtype, frames
        )
        plain, ours, difference = _timed(comparison, arguments.runs, device, plain_dtype)
    return (
        f"| {model} | {plain:.3f} | {ours:.3f} ({str(dtype)[6:]}) | {plain / ours:.2f} "
        f"| {255 * difference:.2f}/255 |"
    )


def _network(model: str) -> Network:
    try:
        return load_entry(find_entry(model))
    except WeightsError:
        torch.manual_seed(0)
        architecture = ARCHITECTURES[MODELS[model]]
        return architecture.build(architecture.config()).eval()


def _frames(width: int, height: int, multiple: int) -> Tensor:
    """(T, 3, H, W) of the example, padded as a job would."""
    frames = read_clip(ClipFiles(CLIP), 1, FRAMES).frames
    frames = resize(frames, (height, width)).clamp(0, 1)
    return F.pad(frames, (0, -width % multiple, 0, -height % multiple), mode="replicate")


@torch.no_grad()
def _timed(
    comparison: Comparison, runs: int, device: torch.device, plain_dtype: torch.dtype
) -> tuple[float, float, float]:
    """Median seconds an output frame of both writings, and how far their results differ."""
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    reduced = plain_dtype != torch.float32
    for _ in range(runs + 1):  # the first one warms up
        for name, work, frames in (
            ("plain", comparison.plain, comparison.plain_frames),
            ("ours", comparison.ours, comparison.our_frames),
        ):
            _wait_for(device)
            started = time.perf_counter()
            with torch.autocast(device.type, plain_dtype, enabled=reduced and name == "plain"):
                work()
            _wait_for(device)
            seconds[name].append((time.perf_counter() - started) / frames)
    plain, ours = (statistics.median(times[1:]) for times in seconds.values())
    return plain, ours, comparison.difference()


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
