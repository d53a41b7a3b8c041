"""What a job says of itself, while it runs and when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

from vsrcli.media.info import VideoInfo


@dataclass(frozen=True)
class Progress:
    """How far a running job is."""

    frames: int
    """Written so far."""
    expected: int | None
    """In all, as far as the container's hints tell; never relied upon."""
    fps: float
    """Frames a second since the start."""
    shares: dict[str, float]
    """Each stage's part of the work: decode, restore, encode."""

    @property
    def seconds_left(self) -> float | None:
        """None while nobody can tell."""
        if self.expected is None or not self.fps:
            return None
        return max(0, self.expected - self.frames) / self.fps


ProgressCallback = Callable[[Progress], None]


class Meter:
    """Makes `Progress` out of a job's counters."""

    def __init__(self, expected: int | None, callback: ProgressCallback | None) -> None:
        self._expected = expected
        self._callback = callback
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the meter was made."""
        return time.perf_counter() - self._started

    def update(self, frames: int, shares: dict[str, float]) -> None:
        """Tell the callback, if there is one."""
        if self._callback:
            self._callback(Progress(frames, self._expected, frames / self.seconds, shares))


def expected_frames(
    video: VideoInfo, duration: Fraction | None, start: Fraction | None, end: Fraction | None
) -> int | None:
    """A guess at the number of frames between `start` and `end` seconds, for progress only."""
    if start is None and end is None and video.frame_count:
        return video.frame_count
    length = end if duration is None else min(duration, duration if end is None else end)
    if length is None or not video.average_rate:
        return None
    return max(1, round((length - (start or 0)) * video.average_rate))


@dataclass(frozen=True)
class Report:
    """A finished job, or with `frames` 0 and no time one that was only planned."""

    input: str
    output: str
    model: str
    device: str
    precision: str
    backend: str
    """torch or onnx."""
    input_size: tuple[int, int]
    """(width, height), upright."""
    output_size: tuple[int, int]
    codec: str
    pix_fmt: str
    container: str
    guesses: tuple[str, ...]
    """What was assumed of the input, in sentences."""
    notes: tuple[str, ...]
    """What was converted, padded or left out, in sentences."""
    warnings: tuple[str, ...] = ()
    """What went wrong on the way without ending the job, in sentences."""
    losses: tuple[str, ...] = ()
    """What of the input is missing or damaged, in sentences."""
    frames: int = 0
    lost_packets: int = 0
    """Video packets that could not be decoded."""
    seconds: float = 0.0
    fps: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    """Each stage's part of the work, adding up to 1."""
    work: dict[str, float] = field(default_factory=dict)
    """Seconds that each step of the stages worked, or waited for its codec; see `clock.STEPS`."""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; the keys are the fields."""
        return asdict(self)
