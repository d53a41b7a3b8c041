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
_INDEX, _FILM, _STILLS = "index.json", "film.u8", "stills.u8"


@dataclass(frozen=True)
class TrainingSet:
    """Film clips and stills as uint8 RGB."""

    film: Tensor
    """(N, FRAMES, 3, SIZE, SIZE): on the CPU a memory map, on a card held whole."""
    stills: tuple[Tensor, ...]
    """Each (3, H, W)."""

    def on(self, device: torch.device) -> TrainingSet:
        """The set on `device`."""
        if device.type == "cpu":
            return self
        return TrainingSet(self.film.to(device), tuple(x.to(device) for x in self.stills))


def save(folder: Path, film: Iterable[Pixels], stills: Iterable[Pixels], facts: object) -> None:
    """Write clips (FRAMES, SIZE, SIZE, 3) and stills (H, W, 3); the index last, as the sign that
    the set is whole. `facts` is JSON kept in the index for people."""
    count = 0
    with (folder / _FILM).open("wb") as stream:
        for clip in film:
            stream.write(np.ascontiguousarray(clip.transpose(0, 3, 1, 2)).tobytes())
            count += 1
    shapes = []
    with (folder / _STILLS).open("wb") as stream:
        for image in stills:
            stream.write(np.ascontiguousarray(image.transpose(2, 0, 1)).tobytes())
            shapes.append([3, *image.shape[:2]])
    index = {
        "format": FORMAT,
        "film": [count, FRAMES, 3, SIZE, SIZE],
        "stills": shapes,
        "facts": facts,
    }
    (folder / _INDEX).write_text(json.dumps(index, indent=1) + "\n")


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
    sizes = [int(np.prod(shape)) for shape in index["stills"]]
    flat = _mapped(folder / _STILLS, sum(sizes))
    stills = tuple(
        part.reshape(shape) for part, shape in zip(flat.split(sizes), index["stills"], strict=True)
    )
    return TrainingSet(film.reshape(index["film"]), stills)


def _mapped(file: Path, size: int) -> Tensor:
    if file.stat().st_size != size:
        raise InputError(f"{file}: {file.stat().st_size} bytes, expected {size}; prepare it again")
    if size == 0:
        return torch.empty(0, dtype=torch.uint8)
    # Mapped copy-on-write: torch wants a writable array, and nobody writes to it.
    return torch.from_numpy(np.memmap(file, np.uint8, "c"))
