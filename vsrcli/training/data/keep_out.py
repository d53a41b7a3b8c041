"""Seeing to it that nothing is trained on that is scored on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import av
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.training.data.cut import Pixels, shrunk_frames
from vsrcli.training.data.fingerprint import (
    BITS,
    SIDE,
    distances,
    fingerprint,
    is_flat,
    thumbnail,
)

_NEAR = 33
"""Bits up to which two pictures count as copies.

Copies of 58 pictures, at 426x240 and crf 38, mirrored, brighter, blurred, or cut by a tenth
(around, at a corner, above and below), were 26 bits or fewer from them; cut by 0.15 all around, 34
or fewer. In 82 million pairs of unrelated pictures, test clips and their variants with the sources
of the set, none was nearer than 40.
"""
_CROPS = (61, 58)
"""Of SIDE: cut by a twentieth, and by a tenth."""


class KeepOut:
    """Clips that must not be in the training set, and how near its sources come to them."""

    def __init__(
        self, paths: Sequence[Path], report: Callable[[str], None] = lambda line: None
    ) -> None:
        """Files, or folders of them, of whatever can be decoded; in a folder, what holds no
        pictures is passed over, which `report` is told.

        Raises InputError for a path that is not there or holds nothing.
        """
        self._labels: list[tuple[Path, int]] = []
        """Clip and frame, for each fingerprinted frame."""
        prints = []
        for path in paths:
            for file in _files(path, report):
                for index, frame in enumerate(shrunk_frames(file, 1)):
                    small = thumbnail(frame)
                    if not is_flat(small):
                        prints.append(_variants(small))
                        self._labels.append((file, index))
        self._prints = torch.cat(prints) if prints else torch.empty(0, BITS)
        self._least: dict[Path, tuple[int, str]] = {}
        """For each clip, the distance of what came nearest, and what it is."""

    def watched(self, frames: Iterable[Pixels], source: str) -> Iterator[Pixels]:
        """The frames of a source, unless one looks like a clip: then InputError names both."""
        for index, frame in enumerate(frames):
            if self._labels:
                self._check(thumbnail(frame), f"{source}, frame {index}")
            yield frame

    def _check(self, small: Tensor, name: str) -> None:
        if is_flat(small):
            return
        apart = distances(fingerprint(small)[None], self._prints)[0].view(len(self._labels), -1)
        for (clip, frame), distance in zip(self._labels, apart.amin(1).tolist(), strict=True):
            if distance <= _NEAR:
                raise InputError(
                    f"{name}: looks like {clip}, frame {frame} ({distance:.0f} of {BITS} bits "
                    "differ); what is scored on must not be trained on: take one of them out"
                )
            if distance < self._least.get(clip, (BITS, ""))[0]:
                self._least[clip] = (int(distance), name)

    def summary(self) -> list[str]:
        """A line for each clip: what came nearest to it."""
        return [
            f"{clip}: not in the set; nearest is {name}, {distance} of {BITS} bits differ"
            for clip, (distance, name) in self._least.items()
        ]


def _files(path: Path, report: Callable[[str], None]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = 0
    for file in sorted(path.rglob("*")):
        if not file.is_file():
            continue
        if _has_pictures(file):
            found += 1
            yield file
        else:
            report(f"{file}: no pictures, passed over")
    if not found:
        raise InputError(f"{path}: holds no video and no picture to keep out of the set")


def _has_pictures(file: Path) -> bool:
    try:
        with av.open(str(file)) as container:
            return bool(container.streams.video)
    except av.FFmpegError:
        return False


def _variants(small: Tensor) -> Tensor:
    """(SIDE, SIDE) -> (22, BITS): of the picture, of what copies of it may show, and of all these
    mirrored."""
    parts = [small]
    for side in _CROPS:
        rest = SIDE - side
        for top, left in ((rest // 2, rest // 2), (0, 0), (0, rest), (rest, 0), (rest, rest)):
            parts.append(small[top : top + side, left : left + side])
    return torch.stack([fingerprint(x) for part in parts for x in (part, part.flip(-1))])


class Repeats:
    """Leaves out pictures that are there already, but for a little."""

    _NEAR = 16
    """Bits. Clips this near to one another show the same thing from the same place; at 24 there are
    other lines of the same credits."""

    def __init__(self) -> None:
        self._prints: list[Tensor] = []

    def is_new(self, picture: Pixels) -> bool:
        """Whether nothing near was seen before; what is new counts as seen from now on."""
        found = fingerprint(thumbnail(picture))
        known = torch.stack(self._prints) if self._prints else torch.empty(0, BITS)
        if (distances(found[None], known) <= self._NEAR).any():
            return False
        self._prints.append(found)
        return True
