"""The way of a frame over RGB pictures through a model."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from vsrcli.jobs.clock import clocks_for
from vsrcli.jobs.route import Picturing, Segment
from vsrcli.media.color import alpha_of, from_rgb, to_rgb
from vsrcli.media.encoders import EncoderPlan
from vsrcli.media.frame import Frame
from vsrcli.media.geometry import orient
from vsrcli.ops.resize import resize
from vsrcli.restore.restorer import Restorer


@dataclass(frozen=True)
class Rest:
    """What of a frame does not go through the network."""

    pts: int
    time_base: Fraction
    duration: int
    alpha: Tensor | None
    """(1, H, W) in [0, 1], upright; None when the output has no alpha."""


Pictured = tuple[Tensor, Rest]
"""An upright picture (3, H, W), and the rest of its frame."""


class PictureRoute:
    """Turns frames into pictures, restores those, and gives them their time back."""

    def __init__(self, restorer: Restorer, picturing: Picturing, segment: Segment) -> None:
        self._restorer = restorer
        self._picturing = picturing
        self._segment = segment
        self.clocks = clocks_for(restorer.device)
        # Resampling gains nothing from a second thread, and takes it from a busy encoder.
        self.threads = 1 if restorer.scale is None else None

    def prepare(self, frame: Frame) -> Pictured:
        """The picture on the model's device, and the rest of the frame."""
        color, orientation = self._picturing.color, self._picturing.orientation
        device = self._restorer.device
        with self.clocks["upload"]:
            planes = [
                torch.from_numpy(plane).to(device, non_blocking=True) for plane in frame.planes
            ]
        with self.clocks["to_rgb"]:
            rgb = orient(to_rgb(planes, frame.format, color), orientation)
            alpha = alpha_of(planes, frame.format) if self._picturing.plan.format.alpha else None
            if alpha is not None:
                alpha = orient(alpha[None], orientation)
        return rgb, Rest(frame.pts, frame.time_base, frame.duration, alpha)

    def restore(self, items: Iterable[Pictured]) -> Iterator[Pictured]:
        """The restored pictures of the segment, each with its own time."""
        rests: deque[Rest] = deque()

        def pictures() -> Iterator[Tensor]:
            for picture, rest in items:
                rests.append(rest)
                yield picture

        restored = self._restorer.stream(pictures())
        timed = _doubled(restored, rests) if self._restorer.rate == 2 else _same(restored, rests)
        for picture, rest, source_pts in timed:
            if self._segment.contains(source_pts):
                yield picture, rest
        assert not rests, f"{len(rests)} frames went in and did not come out"

    def finish(self, item: Pictured) -> Frame:
        """The picture in the output's size, colours and format."""
        plan = self._picturing.plan
        with self.clocks["from_rgb"]:
            planes = _to_planes(*item, plan)
        with self.clocks["download"]:
            samples = tuple(plane.cpu().numpy() for plane in planes)
        rest = item[1]
        return Frame(samples, plan.format, rest.pts, rest.time_base, rest.duration)


def _same(restored: Iterator[Tensor], rests: deque[Rest]) -> Iterator[tuple[Tensor, Rest, int]]:
    for picture in restored:
        rest = rests.popleft()
        yield picture, rest, rest.pts


def _doubled(restored: Iterator[Tensor], rests: deque[Rest]) -> Iterator[tuple[Tensor, Rest, int]]:
    """Restored pictures with moments between, which lie midway: hence ticks half as long.

    The third of each is the time stamp, in the source's ticks, of the frame that it is of or
    comes after.
    """
    given = next(restored, None)
    while given is not None:
        between = next(restored, None)
        first = rests.popleft()
        if between is None:
            yield given, _halved(first, 2 * first.pts, 2 * first.duration, first.alpha), first.pts
            return
        second = rests[0]
        gap = second.pts - first.pts
        alpha = first.alpha
        yield given, _halved(first, 2 * first.pts, gap, alpha), first.pts
        if alpha is not None and second.alpha is not None:
            alpha = (alpha + second.alpha) / 2
        yield between, _halved(first, 2 * first.pts + gap, gap, alpha), first.pts
        given = next(restored, None)


def _halved(rest: Rest, pts: int, duration: int, alpha: Tensor | None) -> Rest:
    return Rest(pts, rest.time_base / 2, duration, alpha)


def _to_planes(picture: Tensor, rest: Rest, plan: EncoderPlan) -> tuple[Tensor, ...]:
    size = (plan.height, plan.width)
    alpha = None if rest.alpha is None else _sized(rest.alpha, size)[0]
    return from_rgb(_sized(picture, size), plan.format, plan.color, alpha)


def _sized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return picture if picture.shape[-2:] == size else resize(picture, size)
