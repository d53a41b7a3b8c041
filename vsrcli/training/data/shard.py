"""The packed training set: one folder of uint8 arrays and their index."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.training.data.cut import FRAMES, SIZE, Pixels

FORMAT = 1
_INDEX, _FILM, _STILLS, _TEXT = "index.json", "film.u8", "stills.u8", "text.u8"


@dataclass(frozen=True)
class TrainingSet:
    """Film clips and stills as uint8 RGB, and pages of text."""

    film: Tensor
    """(N, FRAMES, 3, SIZE, SIZE): on the CPU a memory map, on a card held whole."""
    stills: tuple[Tensor, ...]
    """Each (3, H, W)."""
    text: tuple[Tensor, ...] = ()
    """Each (1, H, W): how much of a pixel letters cover, to 255. Sets that were made before text
    was part of them have none."""

    def on(self, device: torch.device) -> TrainingSet:
        """The set on `device`."""
        if device.type == "cpu":
            return self
        stills, text = (tuple(x.to(device) for x in kind) for kind in (self.stills, self.text))
        return TrainingSet(self.film.to(device), stills, text)


def save(
    folder: Path,
    film: Iterable[Pixels],
    stills: Iterable[Pixels],
    facts: object,
    text: Iterable[Pixels] = (),
) -> None:
    """Write clips (FRAMES, SIZE, SIZE, 3), stills (H, W, 3) and pages (H, W, 1); the index last, as
    the sign that the set is whole. `facts` is JSON kept in the index for people."""
    count = 0
    with (folder / _FILM).open("wb") as stream:
        for clip in film:
            stream.write(np.ascontiguousarray(clip.transpose(0, 3, 1, 2)).tobytes())
            count += 1
    index = {
        "format": FORMAT,
        "film": [count, FRAMES, 3, SIZE, SIZE],
        "stills": _written(folder / _STILLS, stills),
        "text": _written(folder / _TEXT, text),
        "facts": facts,
    }
    (folder / _INDEX).write_text(json.dumps(index, indent=1) + "\n")


def _written(file: Path, pictures: Iterable[Pixels]) -> list[tuple[int, ...]]:
    """The shapes of the pictures, whose channels are written one after the other."""
    shapes = []
    with file.open("wb") as stream:
        for picture in pictures:
            channels = np.ascontiguousarray(picture.transpose(2, 0, 1))
            stream.write(channels.tobytes())
            shapes.append(channels.shape)
    return shapes


def is_whole(folder: Path) -> bool:
    """Whether `save` has finished in `folder`."""
    return (folder / _INDEX).is_file()


def load(folder: Path) -> TrainingSet:
    """The set that `save` wrote; the film is mapped and not read.

    Raises InputError if the folder holds no set, or one of another format or size.
    """
    if not is_whole(folder):
        raise InputError(f"{folder}: holds no training set; make one with vsr train --prepare")
    index = json.loads((folder / _INDEX).read_text())
    if index["format"] != FORMAT:
        raise InputError(f"{folder}: training set of format {index['format']}; prepare it again")
    film = _mapped(folder / _FILM, int(np.prod(index["film"], dtype=np.int64)))
    stills = _pictures(folder / _STILLS, index["stills"])
    text = _pictures(folder / _TEXT, index["text"]) if "text" in index else ()
    return TrainingSet(film.reshape(index["film"]), stills, text)


def _pictures(file: Path, shapes: list[list[int]]) -> tuple[Tensor, ...]:
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = _mapped(file, sum(sizes)).split(sizes)
    return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))


def _mapped(file: Path, size: int) -> Tensor:
    if file.stat().st_size != size:
        raise InputError(f"{file}: {file.stat().st_size} bytes, expected {size}; prepare it again")
    if size == 0:
        return torch.empty(0, dtype=torch.uint8)
    # Mapped copy-on-write: torch wants a writable array, and nobody writes to it.
    return torch.from_numpy(np.memmap(file, np.uint8, "c"))
