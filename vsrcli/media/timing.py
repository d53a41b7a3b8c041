"""Presentation times of decoded frames: complete, and growing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from av.video.frame import VideoFrame

MOST_STEPS = 1000
"""So many different distances in time are told apart; a rate with more is not even."""


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
    steps: Counter[int] = field(default_factory=Counter)
    """How often each distance between neighbours occurs, in ticks."""

    def absent(self) -> int:
        """Frames for which there is room in a rate that is even but for a few gaps."""
        if not self.steps:
            return 0
        usual = self.steps.most_common(1)[0][0]
        regular = gaps = missing = 0
        for step, count in self.steps.items():
            times = round(step / usual)
            if times < 1 or abs(step - times * usual) > times:
                return 0
            regular += count if times == 1 else 0
            gaps += count if times > 1 else 0
            missing += (times - 1) * count
        return missing if 20 * gaps <= regular else 0

    def words(self) -> list[str]:
        """A sentence for each kind of fault that was repaired."""
        words = []
        if self.missing:
            words.append(f"{self.missing} frames had no time stamp; they were spaced evenly")
        if self.backward:
            words.append(
                f"{self.backward} frames were not later than the one before; moved just behind it"
            )
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
            if len(repairs.steps) < MOST_STEPS:
                repairs.steps[pts - last[1]] += 1
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
