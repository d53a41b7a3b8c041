"""Two benches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vsrcli.bench.result import Job, Result, Row


@dataclass(frozen=True)
class Pair:
    """The same task in two benches."""

    name: str
    """Of the model, and of the clip if it is a job."""
    a: Row | Job
    b: Row | Job

    @property
    def input_size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.a.input_size

    @property
    def ratio(self) -> float:
        """How many times as fast `b` is."""
        return self.b.fps / self.a.fps


def pairs_of(a: Result, b: Result) -> list[Pair]:
    """What both benches did: the same model and input size, of jobs the same clip too. Where one
    did it in several ways, the most similar two are paired."""
    return [*_paired(a.rows, b.rows), *_paired(a.jobs, b.jobs)]


def _paired(ours: Sequence[Row | Job], theirs: Sequence[Row | Job]) -> list[Pair]:
    pairs = []
    for one in ours:
        same = [
            other
            for other in theirs
            if _name(other) == _name(one) and other.input_size == one.input_size
        ]
        if same:
            best = max(same, key=lambda other: _likeness(one, other))
            pairs.append(Pair(_name(one), one, best))
    return pairs


def _name(item: Row | Job) -> str:
    return item.model if isinstance(item, Row) else f"{item.model}, {item.clip}"


def _likeness(one: Row | Job, other: Row | Job) -> int:
    """In how many ways the two ran alike."""
    return (one.backend == other.backend) + (one.precision == other.precision)
