"""The training loop on a tiny network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vsrcli.errors import InputError, UsageError
from vsrcli.networks.tga import TGA, TGAConfig
from vsrcli.quality.evaluation import Clip
from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.loop import (
    Budget,
    Training,
    charbonnier,
    learning_rate,
    load_average,
    train,
)
from vsrcli.training.recipes import RECIPES, Recipe

TINY = Recipe(
    "tiny",
    TGAConfig(features=8, growth=4, intra_blocks=2, inter_blocks=1, up_features=8),
    patch=8,
    batch=2,
)
CPU = torch.device("cpu")


def quiet(line: str) -> None:
    pass


@pytest.fixture
def data() -> TrainingSet:
    random = torch.Generator().manual_seed(4)
    coarse = torch.rand(2, 1, 3, 24, 24, generator=random).expand(-1, FRAMES, -1, -1, -1)
    film = torch.nn.functional.interpolate(coarse.flatten(0, 1), (SIZE, SIZE), mode="bicubic")
    film = (film.clamp(0, 1) * 255).to(torch.uint8).unflatten(0, (2, FRAMES))
    return TrainingSet(film, (film[0, 0].repeat(1, 2, 2),))


def test_resumed_training_equals_uninterrupted(tmp_path: Path, data: TrainingSet) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    budget = Budget(steps=6)
    expected = train(TINY, data, whole, budget, device=CPU, report=quiet)

    def stop_after_three(line: str) -> None:
        raise KeyboardInterrupt

    interrupted = Training(TINY, CPU)
    # The first half by hand, at the rates of the whole budget, as an interrupted run would.
    from vsrcli.training.loop import save_checkpoint
    from vsrcli.training.synthesis import ClipSource

    source = ClipSource(data, TINY.patch * TINY.scale, TINY.moved_share)
    for step in range(3):
        interrupted.train_step(source, step / 6)
    parts.mkdir()
    save_checkpoint(interrupted, parts / "checkpoint.pt")
    resumed = train(TINY, data, parts, budget, device=CPU, report=quiet)

    assert resumed.step == expected.step == 6
    for part in ("network", "average", "optimizer"):
        first, second = expected.state()[part], resumed.state()[part]
        flat_first, flat_second = _tensors(first), _tensors(second)
        assert len(flat_first) == len(flat_second) > 0
        assert all(map(torch.equal, flat_first, flat_second))
    assert torch.equal(expected.generator.get_state(), resumed.generator.get_state())


def _tensors(tree: object) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in _tensors(value)]
    if isinstance(tree, list):
        return [leaf for value in tree for leaf in _tensors(value)]
    return []
