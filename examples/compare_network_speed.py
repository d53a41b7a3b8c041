"""Time the networks as vsr runs them beside the same networks written plainly, in one run.

    python examples/compare_network_speed.py [MODEL ...] [--size 160x90] [--runs 5]

"Plain" is each published network as one would write it from its paper: nn.Conv3d or nn.Conv2d in
the default layout, fp32, fed as published (windows that recompute everything, groups that overlap,
filters that are held whole). The two are run in turn, so that a machine that changes its pace does
so for both. Weights do not matter to the time; models without shipped ones are run untrained.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from make_comparison import read_frames
from plain.comparison import Comparison
from torch import Tensor

from vsrcli.errors import WeightsError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.ops.resize import resize
from vsrcli.restore.device import find_dtype
from vsrcli.zoo.catalogue import MODELS, find_entry
from vsrcli.zoo.weights import load_entry

CLIP = Path(__file__).parent / "bunny.mp4"
FRAMES = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["tga", "fstrn", "spmc", "stdan", "stfan"])
    parser.add_argument("--size", default="160x90", help="input WIDTHxHEIGHT")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    dtype = find_dtype("auto", torch.device("cpu"))
    print(f"{torch.get_num_threads()} threads, {width}x{height}, median of {arguments.runs} runs")
    print("| model | plain, s a frame | vsr, s a frame | ratio | largest difference |")
    print("|---|---|---|---|---|")
    for model in arguments.models:
        network = _network(model)
        frames = _frames(width, height, network.spec.multiple)
        comparison = importlib.import_module(f"plain.{MODELS[model]}").compare(
            network, dtype, frames
        )
        plain, ours, difference = _timed(comparison, arguments.runs)
        print(
            f"| {model} | {plain:.3f} | {ours:.3f} ({str(dtype)[6:]}) | {plain / ours:.2f} "
            f"| {255 * difference:.2f}/255 |",
            flush=True,
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
    frames = resize(torch.stack(read_frames(CLIP, FRAMES)), (height, width)).clamp(0, 1)
    return F.pad(frames, (0, -width % multiple, 0, -height % multiple), mode="replicate")


@torch.no_grad()
def _timed(comparison: Comparison, runs: int) -> tuple[float, float, float]:
    """Median seconds an output frame of both writings, and how far their results differ."""
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(runs + 1):  # the first one warms up
        for name, work, frames in (
            ("plain", comparison.plain, comparison.plain_frames),
            ("ours", comparison.ours, comparison.our_frames),
        ):
            started = time.perf_counter()
            work()
            seconds[name].append((time.perf_counter() - started) / frames)
    plain, ours = (statistics.median(times[1:]) for times in seconds.values())
    return plain, ours, comparison.difference()


if __name__ == "__main__":
    main()
