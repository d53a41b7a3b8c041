"""What a device can do at best: arithmetic in a precision, and copying."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

Size = tuple[int, int, int, int]
"""Batch, channels in and out, height, width of a convolution."""

_SECONDS = 0.2
"""Each probe is run for so long at least."""
_LEAST_RUNS = 3


@dataclass(frozen=True)
class Workload:
    """What a kind of device is probed with: enough to be busy with, quickly done."""

    convolutions: Sequence[Size]
    products: Sequence[int]
    """Side of square matrices."""
    copied: int
    """Bytes; more than any cache holds."""


_HOST = Workload([(1, c, 180, 320) for c in (64, 128, 256)], [2048], 2**27)
_CARD = Workload([(8, c, 180, 320) for c in (64, 128, 256)], [4096, 8192], 2**30)


@dataclass(frozen=True)
class Peak:
    """The best that was reached."""

    flop_rate: float
    """Floating-point operations a second, two for each multiply-add."""
    by: str
    """What reached it."""


def workload_for(device: torch.device) -> Workload:
    """What a device of this kind is probed with."""
    return _HOST if device.type == "cpu" else _CARD


@torch.no_grad()
def probe_arithmetic(device: torch.device, dtype: torch.dtype, workload: Workload) -> Peak:
    """The best of channels_last 3x3 convolutions and matrix products in `dtype`, in a second or
    two, with torch's settings and threads as they are."""
    peaks = [
        Peak(flop / best_seconds(work, device), by)
        for by, flop, work in _candidates(device, dtype, workload)
    ]
    return max(peaks, key=lambda peak: peak.flop_rate)


def probe_copy(device: torch.device, workload: Workload) -> float:
    """Bytes a second that a copy within the device's memory moves, reading and writing counted."""
    source = torch.ones(workload.copied, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * workload.copied / best_seconds(lambda: target.copy_(source), device)


def _candidates(
    device: torch.device, dtype: torch.dtype, workload: Workload
) -> Iterator[tuple[str, float, Callable[[], object]]]:
    """Name, operations and work of each."""
    for batch, channels, height, width in workload.convolutions:
        x = torch.rand(batch, channels, height, width, device=device).to(dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        weight = torch.rand(channels, channels, 3, 3, device=device).to(dtype)
        weight = weight.contiguous(memory_format=torch.channels_last)
        flop = 2.0 * 9 * channels**2 * batch * height * width
        yield (
            f"3x3 convolution of {channels} channels",
            flop,
            partial(F.conv2d, x, weight, padding=1),
        )
    for side in workload.products:
        a = torch.rand(side, side, device=device).to(dtype)
        yield f"product of matrices {side}x{side}", 2.0 * side**3, partial(torch.mm, a, a)


def best_seconds(
    work: Callable[[], object],
    device: torch.device,
    now: Callable[[], float] = time.perf_counter,
) -> float:
    """The shortest of several runs, the first one not counted, each waited for."""
    _finished(work, device)
    runs: list[float] = []
    while len(runs) < _LEAST_RUNS or sum(runs) < _SECONDS:
        started = now()
        _finished(work, device)
        runs.append(now() - started)
    return min(runs)


def _finished(work: Callable[[], object], device: torch.device) -> None:
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
