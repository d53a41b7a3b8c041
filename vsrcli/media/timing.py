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
    """What was wrong with the times of a stream."""

    missing: int = 0
    """Frames without a time among frames that have one, or all of them."""
    backward: int = 0
    """Frames that were not later than the one before."""
    absent: int = 0
    """Frames for which there is room at a constant rate, but which are not there."""

    def words(self) -> list[str]:
        """A sentence for each of them."""
        words = []
        if self.missing:
            words.append(f"{self.missing} frames had no time stamp; they were spaced evenly")
        if self.backward:
            words.append(f"{self.backward} frames were not later than the one before; moved on")
        if self.absent:
            words.append(
                f"about {self.absent} frames are missing in the file; those before stay on"
            )
        return words


def timed(
    frames: Iterable[VideoFrame], step: int, first: int, even: bool, repairs: TimingRepairs
) -> Iterator[TimedPicture]:
    """The frames with times that grow and with durations that reach to the next frame.

    A frame without a time comes one frame after the last (`first` for the very first). A time that
    does not grow becomes the last one plus one tick. The last frame lasts as long as it says, or
    `step` ticks, the average. `even` says that the rate is constant, so that gaps are faults.
    """
    last: tuple[VideoFrame, int] | None = None
    untimed, any_time = 0, False
    for frame in frames:
        pts = frame.pts
        if pts is None:
            untimed += 1
            pts = first if last is None else last[1] + (last[0].duration or step)
        else:
            # A decoder's last frames may lack a time without anything being wrong.
            repairs.missing += untimed
            untimed, any_time = 0, True
        if last is not None:
            if pts <= last[1]:
                repairs.backward += 1
                pts = last[1] + 1
            if even:
                repairs.absent += max(0, round((pts - last[1]) / step) - 1)
            yield TimedPicture(last[0], last[1], pts - last[1])
        last = (frame, pts)
    if not any_time:
        repairs.missing += untimed
    if last is not None:
        yield TimedPicture(last[0], last[1], last[0].duration or step)


def ticks(seconds: Fraction | float, time_base: Fraction) -> Fraction:
    """Seconds in ticks; a float stands for the decimal number that it prints as."""
    exact = seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))
    return exact / time_base
