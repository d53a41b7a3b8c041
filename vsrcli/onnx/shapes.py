"""Shapes and types of the tensors that go into a graph and come out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

Shape = tuple[int | str, ...]
"""Lengths: numbers, or names such as `N`, `H`, `4*H` and `H/4`, where H and W are the picture's."""


class Value(NamedTuple):
    """A tensor: its shape and type."""

    shape: Shape
    dtype: torch.dtype = torch.float32


Values = dict[str, Value]
"""By name, in order."""

PICTURE: Shape = (1, 3, "H", "W")
FRAMES: Shape = ("N", 3, "H", "W")


@dataclass(frozen=True)
class Signature:
    """What a part of a network takes and gives."""

    inputs: Values
    outputs: Values


def enlarged(scale: int) -> Shape:
    """The shape of a batch of N pictures enlarged."""
    return ("N", 3, f"{scale}*H", f"{scale}*W")


def sized(shape: Shape, names: Mapping[str, int]) -> tuple[int, ...]:
    """The lengths that a shape has with these values of its names."""
    lengths = []
    for length in shape:
        if isinstance(length, str):
            factor, name, divisor = read_length(length)
            length = names[name] * factor // divisor
        lengths.append(length)
    return tuple(lengths)


def fixed(shape: Shape, names: Mapping[str, int]) -> Shape:
    """The shape with these values of some of its names."""
    return tuple(
        sized((length,), names)[0]
        if isinstance(length, str) and read_length(length)[1] in names
        else length
        for length in shape
    )


def sizes_of(shapes: Iterable[tuple[Shape, Sequence[int]]]) -> dict[str, int]:
    """The values of the names in shapes, from the lengths that tensors of them have.

    Raises ValueError when a tensor's lengths are not of its shape.
    """
    names: dict[str, int] = {}
    for shape, lengths in shapes:
        if len(shape) == len(lengths):
            for length, found in zip(shape, lengths, strict=True):
                if isinstance(length, str):
                    factor, name, divisor = read_length(length)
                    names.setdefault(name, found * divisor // factor)
        if len(shape) != len(lengths) or sized(shape, names) != tuple(lengths):
            wanted = ", ".join(map(str, shape))
            raise ValueError(f"({wanted}) is wanted, not {tuple(lengths)}")
    return names


def read_length(length: str) -> tuple[int, str, int]:
    """Factor, name and divisor of `4*H` or `H/4`; raises ValueError for anything else."""
    found = re.fullmatch(r"(?:([1-9]\d*)\*)?([A-Z])(?:/([1-9]\d*))?", length)
    if found is None:
        raise ValueError(f"{length!r} is not a length")
    return int(found[1] or 1), found[2], int(found[3] or 1)
