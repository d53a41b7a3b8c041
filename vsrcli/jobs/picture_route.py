"""The way of a frame over RGB pictures through a model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from vsrcli.jobs.clock import clocks_for
from vsrcli.jobs.route import Picturing, Segment
from vsrcli.jobs.transfer import downloading, uploaded
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
        self.device = restorer.device
        self.clocks = clocks_for(self.device)
        # Resampling gains nothing from a second thread, and takes it from a busy encoder.
        self.threads = 1 if restorer.scale is None else None

    def prepare(self, frame: Frame) -> Pictured:
        """The picture on the model's device, and the rest of the frame."""
        color, orientation = self._picturing.color, self._picturing.orientation
        with self.clocks["upload"]:
            planes = [
                plane
                if isinstance(plane, Tensor)  # decoded there
                else uploaded(torch.from_numpy(plane), self.device)
                for plane in frame.planes
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

    def finish(self, items: Iterable[Pictured]) -> Iterator[Frame]:
        """The pictures in the output's size, colours and format. A card is given the next one to
        work on before the one it has finished is handed out."""
        ahead = 1 if self.device.type == "cuda" else 0
        begun: deque[Callable[[], Frame]] = deque()
        for item in items:
            begun.append(self._begin_to_finish(item))
            if len(begun) > ahead:
                yield begun.popleft()()
        while begun:
            yield begun.popleft()()

    def _begin_to_finish(self, item: Pictured) -> Callable[[], Frame]:
        """What waits for the frame to be there; one that stays on the card may still be made."""
        plan, rest = self._picturing.plan, item[1]
        with self.clocks["from_rgb"]:
            planes = _to_planes(*item, plan)
        if plan.card is not None:
            return lambda: Frame(planes, plan.format, rest.pts, rest.time_base, rest.duration)
        with self.clocks["download"]:
            wait = downloading(planes)

        def frame() -> Frame:
            samples = tuple(plane.numpy() for plane in wait())
            return Frame(samples, plan.format, rest.pts, rest.time_base, rest.duration)

        return frame

    def tensors(self, item: Pictured) -> Iterable[Tensor]:
        """The picture, and the alpha plane if there is one."""
        picture, rest = item
        return (picture,) if rest.alpha is None else (picture, rest.alpha)


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
