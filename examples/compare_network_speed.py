"""Time the networks as vsr runs them beside the same networks written plainly, in one run.

    python examples/compare_network_speed.py [MODEL ...] [--size 160x90] [--runs 5]
        [--device cuda] [--plain-precision fp16]

"Plain" is each published network as one would write it from its paper: nn.Conv3d or nn.Conv2d in
the default layout, fp32 (or under torch's autocast), fed as published (windows that recompute
everything, groups that overlap, filters that are held whole). The two are run in turn, so that a
machine that changes its pace does so for both, each in a process of its own: the plain one in a
process as Python starts it, the other in one that keeps its memory, as the command `vsr` does.
Weights do not matter to the time; models without shipped ones are run untrained.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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
        print(_row(model, arguments), flush=True)


def _row(model: str, arguments: argparse.Namespace) -> str:
    """A row of the table."""
    spawn = multiprocessing.get_context("spawn")
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    with (
        spawn.Pool(1, _begin, (model, arguments)) as plainly,
        spawn.Pool(1, _begin, (model, arguments, keep_freed_memory)) as as_vsr,
    ):
        for _ in range(arguments.runs + 1):  # the first one warms up
            seconds["plain"].append(plainly.apply(_plain_seconds))
            seconds["ours"].append(as_vsr.apply(_our_seconds))
        difference, precision = as_vsr.apply(_difference)
    plain, ours = (statistics.median(times[1:]) for times in seconds.values())
    return (
        f"| {model} | {plain:.3f} | {ours:.3f} ({precision}) | {plain / ours:.2f} "
        f"| {255 * difference:.2f}/255 |"
    )


class _State(NamedTuple):
    """What a process of a comparison keeps."""

    comparison: Comparison
    device: torch.device
    plain_dtype: torch.dtype
    dtype: torch.dtype


_states: list[_State] = []


def _begin(
    model: str, arguments: argparse.Namespace, prepare: Callable[[], None] = lambda: None
) -> None:
    """Make this process ready for a model's comparison."""
    prepare()
    width, height = map(int, arguments.size.split("x"))
    device = find_device(arguments.device)
    dtype = find_dtype("auto", device)
    network = _network(model).to(device)
    frames = _frames(width, height, network.spec.multiple).to(device)
    with torch.device(device):  # where the plain layers are made
        plain = importlib.import_module(f"plain.{MODELS[model]}")
        comparison = plain.compare(network, dtype, frames)
    plain_dtype = find_dtype(arguments.plain_precision, device)
    _states.append(_State(comparison, device, plain_dtype, dtype))


def _plain_seconds() -> float:
    """Seconds an output frame of the plain writing, once."""
    (state,) = _states
    reduced = state.plain_dtype != torch.float32
    with torch.autocast(state.device.type, state.plain_dtype, enabled=reduced):
        return _seconds(state.comparison.plain, state.device) / state.comparison.plain_frames


def _our_seconds() -> float:
    """The same of vsr's."""
    (state,) = _states
    return _seconds(state.comparison.ours, state.device) / state.comparison.our_frames


@torch.no_grad()
def _seconds(work: Callable[[], Tensor], device: torch.device) -> float:
    _wait_for(device)
    started = time.perf_counter()
    work()
    _wait_for(device)
    return time.perf_counter() - started


@torch.no_grad()
def _difference() -> tuple[float, str]:
    """How far the results differ, and the precision of vsr's."""
    (state,) = _states
    return state.comparison.difference(), str(state.dtype)[6:]


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


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
