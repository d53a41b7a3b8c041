"""Scene cuts, found in the stream of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import torch.nn.functional as F
from torch import Tensor

REACH = 2
"""Frames on each side whose changes are compared with the one in question."""
LEAST_CHANGE = 10 / 255
"""Mean change of the thumbnail, of a range of 1, below which nothing is a cut."""
RATIO = 3.0
"""A cut changes the picture this many times as much as its neighbours in time do."""

_THUMBNAIL = 64


def mark_cuts(frames: Iterable[Tensor]) -> Iterator[tuple[Tensor, bool]]:
    """Each frame (3, H, W) in [0, 1] with whether a scene starts there (the first frame: yes).

    A frame's answer depends on its two neighbours on each side alone: its change must be large,
    and large beside theirs, so that neither motion nor a flash counts. Frames come out two later.
    """
    window: deque[tuple[Tensor, float]] = deque()
    previous: Tensor | None = None
    position = 0  # of the next frame to come out, within the window

    def answer() -> tuple[Tensor, bool]:
        changes = [change for _, change in window]
        return window[position][0], changes[position] == _FIRST or is_cut(changes, position)

    for frame in frames:
        thumbnail = _thumbnail(frame)
        change = _FIRST if previous is None else float((thumbnail - previous).abs().mean())
        previous = thumbnail
        window.append((frame, change))
        if len(window) - position > REACH:
            yield answer()
            position += 1
        if position > REACH:
            window.popleft()
            position -= 1
    while position < len(window):
        yield answer()
        position += 1


def split_scenes(
    marked: Iterable[tuple[Tensor, bool]], longest: int | None = None
) -> Iterator[Iterator[Tensor]]:
    """The frames of each scene, to be used up before the next; `longest` frames at most."""

    def numbered() -> Iterator[tuple[int, Tensor]]:
        scene, length = 0, 0
        for frame, starts_scene in marked:
            if starts_scene or length == longest:
                scene, length = scene + 1, 0
            length += 1
            yield scene, frame

    for _, scene in groupby(numbered(), key=itemgetter(0)):
        yield (frame for _, frame in scene)


_FIRST = -1.0


def is_cut(changes: Sequence[float], position: int) -> bool:
    """Whether `changes[position]` stands out from up to two neighbours on each side."""
    nearby = range(max(0, position - REACH), min(len(changes), position + REACH + 1))
    around = [changes[i] for i in nearby if i != position and changes[i] != _FIRST]
    usual = sum(around) / len(around) if around else 0.0
    return changes[position] >= LEAST_CHANGE and changes[position] >= RATIO * usual


def _thumbnail(frame: Tensor) -> Tensor:
    """(1, h, w), at most 64 samples a side. Green stands for luma, of which it is the most."""
    green = frame[1:2].float()
    height, width = green.shape[-2:]
    step = (max(1, height // _THUMBNAIL), max(1, width // _THUMBNAIL))
    return F.avg_pool2d(green[None], step, step)[0]
