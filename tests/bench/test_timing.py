"""Timing a stream: what a step is, what is left out, what is made of the times."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
import torch
from torch import Tensor

from vsrcli.bench.timing import (
    CudaMarks,
    Effort,
    HostMarks,
    Timing,
    marks_for,
    summarized,
    time_stream,
)

FRAMES = [torch.full((3, 4, 6), float(n)) for n in range(3)]
BRIEF = Effort(runs=4, seconds=0, warm_up=0)


class Watch:
    """A time that moves only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


class Bursts:
    """A stream that takes `taken` frames, then gives `given`, in `seconds`; the first burst takes
    ten times as long."""

    def __init__(self, watch: Watch, taken: int, given: int, seconds: float) -> None:
        self.watch, self.taken, self.given, self.seconds = watch, taken, given, seconds
        self.seen: list[float] = []

    def __call__(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        first = True
        while new := list(islice(frames, self.taken)):
            self.seen += [float(frame[0, 0, 0]) for frame in new]
            self.watch.seconds += self.seconds * (10 if first else 1)
            first = False
            yield from [torch.zeros(3, 8, 12)] * self.given


def timed(stream: Bursts, effort: Effort = BRIEF) -> Timing:
    watch = stream.watch
    return time_stream(stream, FRAMES, effort, HostMarks(now=watch.now), now=watch.now)


@pytest.mark.parametrize(("taken", "given"), [(1, 1), (8, 8), (1, 2), (5, 15)])
def test_a_step_is_what_lies_between_two_requests(taken: int, given: int) -> None:
    timing = timed(Bursts(Watch(), taken, given, 3.0))
    assert timing == Timing(3.0 / given, (3.0 / given, 3.0 / given), 4, given, (12, 8))


def test_frames_go_forth_and_back() -> None:
    stream = Bursts(Watch(), 1, 1, 1.0)
    timed(stream)
    assert stream.seen[:5] == [0, 1, 2, 1, 0]


def test_one_frame_is_shown_again_and_again() -> None:
    watch = Watch()
    stream = Bursts(watch, 1, 1, 1.0)
    time_stream(stream, FRAMES[:1], BRIEF, HostMarks(now=watch.now), now=watch.now)
    assert set(stream.seen) == {0}


def test_nothing_is_computed_after_the_last_step() -> None:
    stream = Bursts(Watch(), 1, 1, 1.0)
    timed(stream)
    assert len(stream.seen) == 1 + 4  # one to warm up


@pytest.mark.parametrize(
    ("effort", "runs"),
    [
        (Effort(runs=4, seconds=0, warm_up=0), 4),
        (Effort(runs=4, seconds=7, warm_up=0), 7),
        (Effort(runs=4, seconds=0, longest=2, warm_up=0), 2),
        (Effort(runs=1, seconds=0, warm_up=0), 1),
    ],
)
def test_limits_of_the_timing(effort: Effort, runs: int) -> None:
    assert timed(Bursts(Watch(), 1, 1, 1.0), effort).runs == runs


def test_the_warm_up_is_left_out_and_its_end_is_told() -> None:
    watch = Watch()
    begun: list[float] = []
    stream = Bursts(watch, 1, 1, 1.0)
    timing = time_stream(
        stream,
        FRAMES,
        Effort(runs=2, seconds=0, warm_up=12.5),
        HostMarks(now=watch.now),
        begun=lambda: begun.append(watch.seconds),
        now=watch.now,
    )
    assert begun == [113.0]  # ten seconds for the first step, one for each of three more
    assert timing.seconds == 1


def test_statistics() -> None:
    timing = summarized([4.0, 1.0, 2.0, 3.0, 10.0], [1, 1, 1, 1, 2], (6, 4))
    assert timing == Timing(3.0, (2.0, 4.0), 5, 1, (6, 4))
    assert summarized([3.0], [2], (6, 4)) == Timing(1.5, (1.5, 1.5), 1, 2, (6, 4))


def test_marks_wait_for_the_device_first() -> None:
    watch = Watch()

    def synchronize() -> None:
        watch.seconds += 5

    marks = HostMarks(synchronize, watch.now)
    for _ in range(3):
        marks.mark()
    assert marks.gaps() == [5, 5]
    assert isinstance(marks_for(torch.device("cpu")), HostMarks)


@pytest.mark.cuda
def test_marks_of_a_card_see_its_work() -> None:
    marks = marks_for(torch.device("cuda"))
    assert isinstance(marks, CudaMarks)
    x = torch.rand(2048, 2048, device="cuda")
    x = torch.tanh(x @ x)
    torch.cuda.synchronize()
    marks.mark()
    marks.mark()
    for _ in range(50):
        x = torch.tanh(x @ x)
    marks.mark()
    nothing, work = marks.gaps()
    assert 0 <= nothing < work
