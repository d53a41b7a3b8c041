"""Presentation times of decoded frames: complete, and growing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame


@dataclass(frozen=True)
class TimedPicture:
    """A decoded picture and when it is shown, in ticks of the stream's time base."""

    image: VideoFrame
    pts: int
    duration: int


@dataclass
class TimingRepairs:
    """How many times had to be made up."""

    missing: int = 0
    backward: int = 0

    def words(self) -> list[str]:
        """A sentence for each kind of repair that was made."""
        words = []
        if self.missing:
            words.append(f"{self.missing} frames had no time stamp; they were spaced evenly")
        if self.backward:
            words.append(f"{self.backward} frames were not later than the one before; moved on")
        return words


def timed(
    frames: Iterable[VideoFrame], step: int, first: int, repairs: TimingRepairs
) -> Iterator[TimedPicture]:
    """The frames with times that grow and with durations that reach to the next frame.

    A frame without a time comes one frame after the last (`first` for the very first). A time that
    does not grow becomes the last one plus one tick. The last frame lasts as long as it says, or
    `step` ticks, the average.
    """
    last: tuple[VideoFrame, int] | None = None
    for frame in frames:
        pts = frame.pts
        if pts is None:
            repairs.missing += 1
            pts = first if last is None else last[1] + (last[0].duration or step)
        if last is not None:
            if pts <= last[1]:
                repairs.backward += 1
                pts = last[1] + 1
            yield TimedPicture(last[0], last[1], pts - last[1])
        last = (frame, pts)
    if last is not None:
        yield TimedPicture(last[0], last[1], last[0].duration or step)


def ticks(seconds: Fraction | float, time_base: Fraction) -> Fraction:
    """Seconds in ticks; a float stands for the decimal number that it prints as."""
    exact = seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))
    return exact / time_base
