"""Scene cuts, found in the stream of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 2
"""Frames on each side whose changes are compared with the one in question."""
LEAST_CHANGE = 10 / 255
"""Mean change of the thumbnail, of a range of 1, below which nothing is a cut."""
RATIO = 3.0
"""A cut changes the picture this many times as much as its neighbours in time do."""

DELAY = 8
"""Frames that an answer should wait for its numbers to come back from a card: so many can be
queued there meanwhile. As many as are restored at once."""

_THUMBNAIL = 64


def mark_cuts(frames: Iterable[Tensor], delay: int = 0) -> Iterator[tuple[Tensor, bool]]:
    """Each frame (3, H, W) in [0, 1] with whether a scene starts there (the first frame: yes).

    A frame's answer depends on its two neighbours on each side alone: its change must be large,
    and large beside theirs, so that neither motion nor a flash counts. Frames come out `delay` +
    two later.
    """
    window: deque[tuple[Tensor, Callable[[], float]]] = deque()
    previous: Tensor | None = None
    position = 0  # of the next frame to come out, within the window

    def answer() -> tuple[Tensor, bool]:
        near = range(min(len(window), position + REACH + 1))
        changes = [window[index][1]() for index in near]
        return window[position][0], changes[position] == _FIRST or is_cut(changes, position)

    for frame in frames:
        thumbnail = _thumbnail(frame)
        change = None if previous is None else (thumbnail - previous).abs().mean()
        previous = thumbnail
        window.append((frame, _first if change is None else _fetched(change)))
        if len(window) - position > REACH + delay:
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


def _first() -> float:
    return _FIRST


def _fetched(number: Tensor) -> Callable[[], float]:
    """What gives the number. A card is asked for it now, and waited for when it is wanted."""
    if number.device.type != "cuda":
        value = float(number)
        return lambda: value
    copy = torch.empty((), dtype=number.dtype, pin_memory=True).copy_(number, non_blocking=True)
    copied = torch.cuda.Event(blocking=True)
    copied.record(torch.cuda.current_stream(number.device))

    def fetched() -> float:
        copied.synchronize()
        return float(copy)

    return fetched


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
