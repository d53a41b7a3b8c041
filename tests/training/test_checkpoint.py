"""What a training leaves behind, and going on from it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tiny_recipes import TINY

from vsrcli.errors import InputError, UsageError, WeightsError
from vsrcli.training.checkpoint import (
    CHECKPOINT,
    choose_recipe,
    export,
    load_average,
    save_checkpoint,
)
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.loop import Budget, Training, train
from vsrcli.training.recipes import RECIPES
from vsrcli.zoo.weights import load_weights

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", list(TINY))
def test_average_and_weights_of_every_network_are_read_back(name: str, tmp_path: Path) -> None:
    training = Training(TINY[name], CPU)
    save_checkpoint(training.state(), tmp_path / CHECKPOINT)
    network, facts = load_average(tmp_path / CHECKPOINT)
    assert facts["recipe"] == TINY[name]
    assert network.config == TINY[name].network
    for key, value in training.average.state_dict().items():
        assert torch.equal(value, network.state_dict()[key]), key
    export(tmp_path, tmp_path / "weights.safetensors")
    assert load_weights(tmp_path / "weights.safetensors", name).config == TINY[name].network
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        assert file.metadata()["degradation"] == TINY[name].degradation


def test_checkpoints_of_the_first_version_are_gone_on_from(
    tmp_path: Path, data: TrainingSet
) -> None:
    begun = train(
        TINY["tga"], data, tmp_path, Budget(steps=2), device=CPU, report=lambda line: None
    )
    state = begun.state()
    # What they held: no architecture, and these fields of the recipe.
    state["recipe"] = {
        "name": "tiny",
        "network": asdict(TINY["tga"].network),
        "degradation": "bi",
        "scale": 4,
        "patch": 8,
        "batch": 2,
        "peak_rate": 1e-3,
        "warmup": 0.03,
        "moved_share": 0.5,
        "average_decay": 0.998,
        "clip_norm": 1.0,
        "charbonnier": 1e-3,
    }
    del state["architecture"]
    save_checkpoint(state, tmp_path / CHECKPOINT)
    assert load_average(tmp_path / CHECKPOINT)[1]["recipe"] == TINY["tga"]
    resumed = train(
        TINY["tga"], data, tmp_path, Budget(steps=3), device=CPU, report=lambda line: None
    )
    assert resumed.step == 3


def test_changes_to_a_recipe_last(tmp_path: Path) -> None:
    fresh = choose_recipe("fstrn", tmp_path, patch=None, batch=None)
    assert fresh == RECIPES["fstrn"]
    changed = choose_recipe("fstrn", tmp_path, patch=48, batch=3, peak_rate=2e-3)
    assert changed == replace(RECIPES["fstrn"], patch=48, batch=3, peak_rate=2e-3)
    save_checkpoint(Training(changed, CPU).state(), tmp_path / CHECKPOINT)
    assert choose_recipe("fstrn", tmp_path, patch=None) == changed
    assert choose_recipe("fstrn", tmp_path, patch=None, batch=4) == replace(changed, batch=4)
    with pytest.raises(InputError, match="holds a training of fstrn"):
        choose_recipe("tga", tmp_path)


@pytest.mark.parametrize("name", ["fstrn", "spmc", "stfan"])
def test_training_begins_at_weights_that_fit(name: str) -> None:
    recipe = TINY[name]
    start = Training(recipe, CPU, seed=3).network
    training = Training(recipe, CPU)
    training.begin_at(start)
    for network in (training.network, training.average):
        for key, value in network.state_dict().items():
            assert torch.equal(value, start.state_dict()[key]), key
    other = "fstrn" if name == "spmc" else "spmc"
    with pytest.raises(WeightsError, match="the network to begin at"):
        training.begin_at(Training(TINY[other], CPU).network)


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("spmc-x4", {"patch": 30}, "multiple of 4 up to 48"),
        ("spmc-x3", {"patch": 68}, "multiple of 4 up to 64"),
        ("fstrn", {"patch": 49}, "multiple of 1 up to 48"),
        ("fstrn", {"batch": 0}, "must be positive"),
        ("stfan-lite", {"peak_rate": -1.0}, "must be positive"),
    ],
)
def test_sizes_that_do_not_do_are_refused(name: str, changes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Training(replace(RECIPES[name], **changes), CPU)
