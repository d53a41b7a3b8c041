"""What a frame goes through between decoder and encoder, in three parts that run at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from vsrcli.jobs.clock import Clock
from vsrcli.media.encoders import EncoderPlan
from vsrcli.media.frame import ColorSpec, Frame, PixelFormat
from vsrcli.media.geometry import Orientation

Item = TypeVar("Item")


@dataclass(frozen=True)
class Segment:
    """A stretch of the video in time stamps: from `first` up to, not including, `stop`.

    Frames outside it that the source delivers are context: the network sees them, the sink does
    not. None is the video's own end.
    """

    first: int | None = None
    stop: int | None = None

    def contains(self, pts: int) -> bool:
        return (self.first is None or pts >= self.first) and (self.stop is None or pts < self.stop)


@dataclass(frozen=True)
class Picturing:
    """How stored samples become the network's picture and its result becomes samples again."""

    format: PixelFormat
    """Of the source, as its colours are."""
    color: ColorSpec
    orientation: Orientation
    """What makes the stored picture upright."""
    plan: EncoderPlan
    """Size, format and colours of the output."""


class Route(Protocol[Item]):
    """`finish` of what `restore` makes of what `prepare` made of the source's frames."""

    threads: int | None
    """Threads that torch should use in `restore`; None for as many as it likes."""
    device: torch.device
    """Where the work is done."""
    clocks: dict[str, Clock]
    """One for each of `clock.STEPS`. The route runs those of the steps inside `prepare` and
    `finish`; a route that has no such step leaves its clock alone."""

    def prepare(self, frame: Frame) -> Item:
        """A decoded frame as `restore` takes it; called beside the decoder."""

    def restore(self, items: Iterable[Item]) -> Iterator[Item]:
        """The restored frames of the segment, in order."""

    def finish(self, items: Iterable[Item]) -> Iterator[Frame]:
        """The frames to encode; called beside the encoder."""

    def tensors(self, item: Item) -> Iterable[Tensor]:
        """Those of an item that lie on the device."""
