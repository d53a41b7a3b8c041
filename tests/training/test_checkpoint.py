"""What a training leaves behind, and going on from it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from tiny_recipes import TINY, take_step

from vsrcli.errors import InputError, UsageError, WeightsError
from vsrcli.training.checkpoint import (
    CHECKPOINT,
    choose_recipe,
    export,
    load_average,
    load_checkpoint,
    save_checkpoint,
)
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.loop import Budget, train
from vsrcli.training.objectives import objective_of
from vsrcli.training.recipes import DEGRADATIONS, RECIPES, Stage
from vsrcli.training.state import Training
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
        assert file.metadata()["degradation"] == DEGRADATIONS[TINY[name].degradation]


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


def test_weights_say_how_they_were_trained(tmp_path: Path) -> None:
    recipe = replace(TINY["fstrn"], growth=(Stage(0.4, 4, 8),), loss="l1")
    training = Training(recipe, CPU)
    training.begin_at(Training(recipe, CPU, seed=1).network, "fstrn-lite")
    training.taught_by = "tga-lite"
    training.step = 12345
    for seconds, device in ((600, "cpu (2 threads)"), (90, "NVIDIA H200"), (30, "NVIDIA H200")):
        training.spend(seconds, device)
    save_checkpoint(training.state(), tmp_path / CHECKPOINT)
    export(tmp_path, tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        header = file.metadata()
    assert header["training"] == (
        "begun at fstrn-lite, taught by tga-lite, 12,345 steps of 2 samples of 7 frames of 8x8, "
        "smaller ones at first, l1 loss, 10 min on cpu (2 threads), 2 min on NVIDIA H200"
    )
    assert header["recipe"] == recipe.name
    resumed = Training(recipe, CPU)
    resumed.restore(load_checkpoint(tmp_path / CHECKPOINT))
    assert (resumed.seconds, resumed.seconds_on) == (720, training.seconds_on)
    assert (resumed.begun_at, resumed.taught_by) == ("fstrn-lite", "tga-lite")


def test_optimizer_takes_over_moments_of_another_layout(data: TrainingSet) -> None:
    training = Training(TINY["tga"], CPU)
    take_step(training, objective_of(TINY["tga"], data), 0.5)
    state = training.state()
    moments = state["optimizer"]["state"]
    for values in moments.values():  # as the first versions kept them
        values["exp_avg"] = values["exp_avg"].contiguous()
    resumed = Training(TINY["tga"], CPU)
    resumed.restore(state)
    for index, (parameter, values) in enumerate(resumed.optimizer.state.items()):
        assert values["exp_avg"].stride() == parameter.stride()
        assert torch.equal(values["exp_avg"], moments[index]["exp_avg"])


def test_changes_to_a_recipe_last(tmp_path: Path) -> None:
    fresh = choose_recipe("fstrn", tmp_path, patch=None, batch=None)
    assert fresh == RECIPES["fstrn"]
    changed = choose_recipe("fstrn", tmp_path, patch=48, batch=3, peak_rate=2e-3)
    assert changed == replace(RECIPES["fstrn"], patch=48, batch=3, peak_rate=2e-3)
    save_checkpoint(Training(changed, CPU).state(), tmp_path / CHECKPOINT)
    assert choose_recipe("fstrn", tmp_path, patch=None) == changed
    grown = choose_recipe("fstrn", tmp_path, growth=(Stage(0.4, 24, 12),), loss="huber")
    save_checkpoint(Training(grown, CPU).state(), tmp_path / CHECKPOINT)
    assert choose_recipe("fstrn", tmp_path, growth=None, loss=None) == grown
    save_checkpoint(Training(changed, CPU).state(), tmp_path / CHECKPOINT)
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
        ("fstrn", {"growth": (Stage(0.4, 24, 0),)}, "must be positive"),
        ("spmc-x4", {"growth": (Stage(0.4, 22, 8),)}, "multiple of 4 up to 48"),
        ("fstrn", {"growth": (Stage(0.4, 8, 8), Stage(0.4, 16, 8))}, "one after another"),
        ("fstrn", {"growth": (Stage(1.0, 8, 8),)}, "one after another"),
        ("stfan-lite", {"peak_rate": -1.0}, "must be positive"),
    ],
)
def test_sizes_that_do_not_do_are_refused(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Training(replace(RECIPES[name], **changes), CPU)
