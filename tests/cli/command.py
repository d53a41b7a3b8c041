"""How a command ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Exit code and everything that was printed."""

    code: int
    out: str
    err: str


Vsr = Callable[..., Outcome]
"""The fixture `vsr`: words of the command line -> how it ended."""
