"""The time that a stream of frames takes once it flows.

A stream makes frames in bursts: it asks for some frames, then gives all that have come of them.
Such a step lasts from one request that follows a result to the next one. Its time, by the frames
that it gave, is what is measured, whatever the strategy behind the stream does at a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

import torch
from torch import Tensor

Stream = Callable[[Iterator[Tensor]], Iterator[Tensor]]
"""Frames -> restored frames, such as `Restorer.stream`."""


@dataclass(frozen=True)
class Effort:
    """How long a stream is timed; of the two lower limits both hold."""

    runs: int = 5
    """Steps at least, unless they take `longest`."""
    seconds: float = 1.0
    longest: float = 60.0
    warm_up: float = 1.0
    """Seconds at least before the timing begins, and one step."""


@dataclass(frozen=True)
class Timing:
    """Seconds an output frame, over the steps of a stream."""

    seconds: float
    """The median."""
    quartiles: tuple[float, float]
    runs: int
    """Steps timed."""
    frames: int
    """Output frames of a step: the median."""
    size: tuple[int, int]
    """(width, height) of an output frame."""


class Marks(Protocol):
    """Takes the time at the end of each step."""

    def mark(self) -> None: ...

    def gaps(self) -> list[float]:
        """Seconds between the marks."""


class HostMarks:
    """Of a device that is done when the program is, or that `synchronize` waits for."""

    def __init__(
        self,
        synchronize: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._synchronize = synchronize
        self._now = now
        self._times: list[float] = []

    def mark(self) -> None:
        self._synchronize()
        self._times.append(self._now())

    def gaps(self) -> list[float]:
        return [after - before for before, after in zip(self._times, self._times[1:], strict=False)]


class CudaMarks:
    """Events in the stream of a card, which need not wait for it at each step."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._events: list[torch.cuda.Event] = []

    def mark(self) -> None:
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._events.append(event)

    def gaps(self) -> list[float]:
        torch.cuda.synchronize(self._device)
        pairs = zip(self._events, self._events[1:], strict=False)
        return [before.elapsed_time(after) / 1000 for before, after in pairs]


def marks_for(device: torch.device) -> Marks:
    """What takes the time on `device`."""
    if device.type == "cuda":
        return CudaMarks(device)
    return HostMarks(torch.mps.synchronize if device.type == "mps" else lambda: None)


class _Enough(Exception):  # noqa: N818
    """Ends a stream that would go on."""


def time_stream(
    stream: Stream,
    frames: Sequence[Tensor],
    effort: Effort,
    marks: Marks,
    begun: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time `stream` over `frames`, shown forth and back without end, after a warm-up.

    `begun` is called when the timing begins; `now` tells when it has lasted long enough.
    """
    steps: list[int] = []  # the frames that each of them gave
    made = 0
    size = (0, 0)
    timing_since: float | None = None
    started = now()

    def endless() -> Iterator[Tensor]:
        nonlocal made, timing_since
        for frame in cycle([*frames, *frames[-2:0:-1]]):
            if made:
                if timing_since is not None:
                    marks.mark()
                    steps.append(made)
                    if _is_enough(effort, len(steps), now() - timing_since):
                        raise _Enough
                elif now() - started >= effort.warm_up:
                    begun()
                    marks.mark()
                    timing_since = now()
                made = 0
            yield frame

    try:
        for restored in stream(endless()):
            made += 1
            size = (restored.shape[-1], restored.shape[-2])
    except _Enough:
        pass
    return summarized(marks.gaps(), steps, size)


def _is_enough(effort: Effort, runs: int, seconds: float) -> bool:
    if seconds >= effort.longest:
        return True
    return runs >= effort.runs and seconds >= effort.seconds


def summarized(seconds: Sequence[float], frames: Sequence[int], size: tuple[int, int]) -> Timing:
    """The timing of steps that took `seconds` and gave `frames` of `size`."""
    each = [took / count for took, count in zip(seconds, frames, strict=True)]
    middle = statistics.median(each)
    lower, upper = middle, middle
    if len(each) > 1:
        lower, _, upper = statistics.quantiles(each, method="inclusive")
    return Timing(middle, (lower, upper), len(each), round(statistics.median(frames)), size)
