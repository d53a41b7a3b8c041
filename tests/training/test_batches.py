"""Batches made ahead of time."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from tiny_recipes import equal
from torch import Tensor

from vsrcli.training.batches import Batch, batches
from vsrcli.training.objectives import Pair

CPU = torch.device("cpu")


@dataclass
class Numbers:
    """An objective whose batches are random numbers, of which it keeps count."""

    failing: int = -1
    """The batch, in the order in which they are begun, that cannot be made."""
    begun: list[str] = field(default_factory=list)
    """The threads that began one, in order."""

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        self.begun.append(threading.current_thread().name)
        if len(self.begun) - 1 == self.failing:
            raise ArithmeticError("cannot")
        numbers = torch.rand(4, generator=generator)
        time.sleep(0.01 * float(numbers[0]))  # so that they do not end in the order they began in
        return Pair(numbers, torch.full((1,), share))

    def loss(self, network: Any, pair: Pair, share: float) -> Tensor:
        raise NotImplementedError


def some(count: int, first: int = 0, seed: int = 0, threads: int = 0) -> list[Batch]:
    with closing(batches(Numbers(), seed, first, lambda i: i / 100, CPU, threads)) as made:
        return [next(made) for _ in range(count)]


def same(first: list[Batch], second: list[Batch]) -> bool:
    """Whether all numbers and shares are equal."""
    return all(
        a.share == b.share and equal(a.pair, b.pair) for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_are_the_same_whoever_makes_them(threads: int) -> None:
    expected = some(12)
    assert [batch.share for batch in expected] == [i / 100 for i in range(12)]
    assert same(some(12, threads=threads), expected)
    assert same(some(5, first=7, threads=threads), expected[7:])


def test_batches_differ_by_number_and_by_seed() -> None:
    drawn = [tuple(batch.pair.given.tolist()) for seed in (0, 1) for batch in some(50, seed=seed)]
    assert len(set(drawn)) == 100


def test_threads_make_a_few_ahead_and_not_more() -> None:
    objective = Numbers()
    before = threading.active_count()
    with closing(batches(objective, 0, 0, lambda index: 0.0, CPU, threads=2)) as made:
        next(made)
        deadline = time.monotonic() + 10
        while len(objective.begun) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(objective.begun) == 5  # the one taken, and two for each thread
        assert threading.current_thread().name not in objective.begun
    assert threading.active_count() == before


def test_what_fails_in_a_thread_is_raised_where_the_batch_is_wanted() -> None:
    before = threading.active_count()
    made = batches(Numbers(failing=3), 0, 0, lambda index: 0.0, CPU, threads=1)
    for _ in range(3):
        next(made)
    with pytest.raises(ArithmeticError, match="cannot"):
        next(made)
    assert threading.active_count() == before


def test_closing_does_not_wait_for_batches_not_begun() -> None:
    objective = Numbers()
    with closing(batches(objective, 0, 0, lambda index: 0.0, CPU, threads=1)) as made:
        next(made)
    begun = len(objective.begun)
    time.sleep(0.05)
    assert len(objective.begun) == begun <= 3


@pytest.mark.cuda
def test_batches_reach_a_card_whole() -> None:
    card = torch.device("cuda")

    class OnCard(Numbers):
        def batch(self, generator: torch.Generator, share: float) -> Pair:
            pair = super().batch(generator, share).to(card)
            return Pair(pair.given.expand(1 << 20, 4) + 0, pair.wanted)

    expected = some(40)
    with closing(batches(OnCard(), 0, 0, lambda index: index / 100, card, threads=3)) as made:
        for batch in expected:
            given = next(made).pair.given
            assert torch.equal(given.amin(0).cpu(), batch.pair.given)
            assert torch.equal(given.amax(0).cpu(), batch.pair.given)
