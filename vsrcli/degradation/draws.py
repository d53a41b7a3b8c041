"""Random choices from a generator on the CPU, whose state is all that a resumed run needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch

T = TypeVar("T")


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number between two."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def integer(low: int, high: int, generator: torch.Generator) -> int:
    """A whole number between two, either included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def happens(share: float, generator: torch.Generator) -> bool:
    """True in `share` of all cases."""
    return uniform(0, 1, generator) < share


def pick(shares: Mapping[T, float], generator: torch.Generator) -> T:
    """One of the keys, each in its share of all cases; the shares need not sum to 1."""
    weights = torch.tensor(list(shares.values()), dtype=torch.float32)
    return list(shares)[int(torch.multinomial(weights, 1, generator=generator))]
