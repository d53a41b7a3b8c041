"""Random choices: in their ranges, in their shares."""

from __future__ import annotations

from collections import Counter

import torch

from vsrcli.degradation.draws import happens, integer, pick, uniform


def test_numbers_fill_their_range() -> None:
    generator = torch.Generator().manual_seed(0)
    numbers = [uniform(-2, 3, generator) for _ in range(500)]
    assert -2 <= min(numbers) < -1.9
    assert 2.9 < max(numbers) <= 3
    assert {integer(3, 6, generator) for _ in range(100)} == {3, 4, 5, 6}


def test_shares() -> None:
    generator = torch.Generator().manual_seed(0)
    assert abs(sum(happens(0.3, generator) for _ in range(2000)) / 2000 - 0.3) < 0.04
    drawn = Counter(pick({"a": 1, "b": 3}, generator) for _ in range(2000))
    assert abs(drawn["b"] / 2000 - 0.75) < 0.04
    assert drawn.total() == drawn["a"] + drawn["b"]
