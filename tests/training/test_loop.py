"""The training loop on a tiny network."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from tiny_recipes import next_batch, take_step
from torch import Tensor

from vsrcli.degradation.kernels import degrade
from vsrcli.degradation.names import parse
from vsrcli.errors import InputError, UsageError
from vsrcli.networks.tga import TGA, TGAConfig, initialize
from vsrcli.ops.resize import resize
from vsrcli.quality.clips import Clip
from vsrcli.quality.trials import trial
from vsrcli.training.checkpoint import export, load_average
from vsrcli.training.data.cut import SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.loop import Budget, Intervals, train
from vsrcli.training.objectives import objective_of
from vsrcli.training.recipes import RECIPES, Recipe, Stage, find_recipe
from vsrcli.training.state import Training, learning_rate
from vsrcli.zoo.weights import load_weights

TINY = Recipe(
    "tiny",
    TGAConfig(features=8, growth=4, intra_blocks=2, inter_blocks=1, up_features=16),
    patch=8,
    batch=2,
)
CPU = torch.device("cpu")


class Interruption:
    """A report that presses Ctrl-C at its n-th line."""

    def __init__(self, lines: int) -> None:
        self.left = lines

    def __call__(self, line: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def quiet(line: str) -> None:
    """A report to nobody."""


@pytest.fixture
def clip(data: TrainingSet) -> Clip:
    return Clip("film", data.film[1, :, :, :48, :48] / 255)


def tensors(tree: object) -> list[Tensor]:
    """All tensors of nested dictionaries and lists, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    branches = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [leaf for branch in branches for leaf in tensors(branch)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"growth": (Stage(0.3, 6, 3),), "degradation": "real"},
        {"optimizer": "muon", "network": replace(TINY.network, features=16)},
    ],
)
def test_resumed_training_equals_uninterrupted(
    tmp_path: Path, data: TrainingSet, clip: Clip, changes: dict[str, Any]
) -> None:
    recipe = replace(TINY, **changes)
    budget = Budget(steps=6)
    expected = train(recipe, data, tmp_path / "whole", budget, device=CPU, report=quiet)

    parts = tmp_path / "parts"
    every_step = Intervals(validation=0)
    with pytest.raises(KeyboardInterrupt):
        train(
            recipe,
            data,
            parts,
            budget,
            clips=[clip],
            device=CPU,
            intervals=every_step,
            report=Interruption(3 + (recipe.degradation == "real")),
        )
    assert load_average(parts / "checkpoint.pt")[1]["step"] == 3
    resumed = train(recipe, data, parts, budget, device=CPU, report=quiet)

    assert expected.step == resumed.step == 6
    optimizers = ("optimizer", "muon") if recipe.optimizer == "muon" else ("optimizer",)
    for part in ("network", "average", *optimizers):
        first, second = tensors(expected.state()[part]), tensors(resumed.state()[part])
        assert len(first) == len(second) > 0
        assert all(map(torch.equal, first, second)), part


def test_first_step_goes_down_the_gradient(data: TrainingSet) -> None:
    training = Training(TINY, CPU)
    objective = objective_of(TINY, data)
    batch = next_batch(training, objective, 0.5)
    truth = batch.pair.wanted
    training.train_step(objective, batch)
    # The untrained network is bicubic, so the gradient of the last bias is known: the sum of
    # e / sqrt(e^2 + eps^2) over the pixels of each of its 2x2 phases.
    error = resize(degrade(truth, "bi", 4), (32, 32)) - truth
    slope = F.pixel_unshuffle(error / (error**2 + 1e-6).sqrt(), 2).sum((0, 2, 3))
    # Adam's first step is the learning rate, against the sign.
    expected = -learning_rate(TINY, 0.5) * slope.sign()
    torch.testing.assert_close(training.network.conv3d_r3.bias.detach(), expected)


def test_log_and_checkpoint_tell_of_the_average(
    tmp_path: Path, data: TrainingSet, clip: Clip
) -> None:
    training = train(TINY, data, tmp_path, Budget(steps=3), clips=[clip], device=CPU, report=quiet)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    scores = [row for row in rows if "clips" in row]
    assert [row["step"] for row in scores] == [1, 3]
    (score,) = training.score([trial(clip, "upscale", lambda truth: degrade(truth, "bi", 4))])
    assert scores[-1]["gain"] == pytest.approx(score.gain, abs=1e-4)
    assert scores[-1]["clips"]["film"]["psnr"] == pytest.approx(score.psnr, abs=1e-6)

    network, facts = load_average(tmp_path / "checkpoint.pt")
    assert facts["step"] == 3
    assert not network.training
    for name, value in training.average.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


def test_everyday_video_is_validated_at_a_fixed_compression(
    tmp_path: Path, data: TrainingSet, clip: Clip
) -> None:
    recipe = replace(TINY, degradation="real")
    training = train(
        recipe, data, tmp_path, Budget(steps=1), clips=[clip], device=CPU, report=quiet
    )
    first, *_, last = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert "crf28" in first["note"]
    (score,) = training.score([trial(clip, "upscale", parse("crf28", 4))])
    assert last["gain"] == pytest.approx(score.gain, abs=1e-4)


def test_exported_weights_restore_like_the_average(tmp_path: Path, data: TrainingSet) -> None:
    training = train(TINY, data, tmp_path, Budget(steps=3), device=CPU, report=quiet)
    export(tmp_path, tmp_path / "tiny.safetensors")
    network = load_weights(tmp_path / "tiny.safetensors")
    frames = torch.rand(1, 7, 3, 12, 10)
    # Kernels are stored in half precision.
    torch.testing.assert_close(network(frames), training.average(frames), rtol=0, atol=2e-3)
    with safe_open(tmp_path / "tiny.safetensors", "pt") as file:
        header = file.metadata()
    assert (header["scale"], header["licence"]) == ("4", "MIT")
    assert header["degradation"].startswith("bicubic, antialiased")
    told = r"3 steps of 2 samples of 7 frames of 8x8, 0 min on cpu \(\d+ threads\)"
    assert re.fullmatch(told, header["training"])


def test_training_begins_at_a_smaller_network(
    tmp_path: Path, data: TrainingSet, clip: Clip
) -> None:
    small = train(TINY, data, tmp_path / "small", Budget(steps=2), device=CPU, report=quiet)
    larger = replace(TINY, network=replace(TINY.network, inter_blocks=2, features=12))
    out = tmp_path / "large"
    for steps in (1, 2):  # the second time it goes on from its own checkpoint
        large = train(
            larger,
            data,
            out,
            Budget(steps=steps),
            start=small.average,
            device=CPU,
            report=quiet,
        )
    assert large.step == 2
    fresh = Training(larger, CPU)
    fresh.begin_at(small.average)
    frames = torch.rand(1, 7, 3, 12, 10)
    torch.testing.assert_close(fresh.average(frames), small.average(frames), rtol=0, atol=1e-5)
    places = slice(0, 8)
    begun = fresh.average.state_dict()["conv3d_1.weight"][places]
    assert torch.equal(begun, small.average.state_dict()["conv3d_1.weight"])
    moved = large.average.state_dict()["conv3d_1.weight"][places] - begun
    assert 0 < moved.abs().max() <= 2 * TINY.peak_rate


def test_statistics_of_batch_norms_are_kept_by_what_began_at_weights(data: TrainingSet) -> None:
    first = Training(TINY, CPU)
    objective = objective_of(TINY, data)
    take_step(first, objective, 0.5)

    def statistics(training: Training) -> dict[str, Tensor]:
        state = training.network.state_dict()
        return {key: value.clone() for key, value in state.items() if "running" in key}

    measured = statistics(first)
    second = Training(TINY, CPU)
    second.begin_at(first.network)
    take_step(second, objective, 0.5)
    resumed = Training(TINY, CPU)
    resumed.restore(second.state())
    take_step(resumed, objective, 0.5)
    for training in second, resumed:
        assert measured and all(map(torch.equal, statistics(training).values(), measured.values()))
    weight = "conv3d_1.weight"
    assert not torch.equal(resumed.network.state_dict()[weight], first.network.state_dict()[weight])
    take_step(first, objective, 0.5)
    assert not any(map(torch.equal, statistics(first).values(), measured.values()))


@pytest.mark.parametrize("fast", [torch.bfloat16, torch.float32])
def test_steps_are_in_bf16_where_the_processor_gains_from_it(
    data: TrainingSet, monkeypatch: pytest.MonkeyPatch, fast: torch.dtype
) -> None:
    monkeypatch.setattr("vsrcli.restore.device._gains_from", lambda dtype: dtype == fast)
    training = Training(TINY, CPU)
    computed = []
    conv = training.network.get_submodule("compress")
    conv.register_forward_hook(lambda _, __, result: computed.append(result.dtype))
    take_step(training, objective_of(TINY, data), 0.5)
    assert computed == [fast]


def test_average_follows_weights_and_statistics(data: TrainingSet) -> None:
    recipe = replace(TINY, average_decay=0.5)
    training = Training(recipe, CPU)
    expected = {key: value.clone() for key, value in training.network.state_dict().items()}
    objective = objective_of(recipe, data)
    for step in range(1, 15):
        take_step(training, objective, 0.5)
        decay = min(0.5, step / (step + 10))
        for key, value in training.network.state_dict().items():
            if value.is_floating_point():
                expected[key] = decay * expected[key] + (1 - decay) * value
    average = training.average.state_dict()
    for key in ("conv3d_1.weight", "bn3d_1.running_var", "head.bn3d_2.running_mean"):
        torch.testing.assert_close(average[key], expected[key])
        assert not torch.equal(average[key], training.network.state_dict()[key])


def test_untrained_network_is_bicubic() -> None:
    network = TGA(TINY.network).eval()
    initialize(network, torch.Generator().manual_seed(0))
    frames = torch.rand(1, 7, 3, 10, 12)
    torch.testing.assert_close(network(frames)[0, 0], resize(frames[0, 3], (40, 48)))


def test_rate_rises_then_falls() -> None:
    recipe = replace(TINY, peak_rate=2.0, warmup=0.1)
    assert learning_rate(recipe, 0.05) == pytest.approx(1)
    assert learning_rate(recipe, 0.1) == pytest.approx(2)
    assert learning_rate(recipe, 0.55) == pytest.approx(1)
    assert learning_rate(recipe, 1) == pytest.approx(0.02)


def test_rate_falls_when_nothing_is_taught_any_more() -> None:
    recipe = replace(TINY, peak_rate=2.0, warmup=0.1, first_share=0.2, taught_rate=10.0)
    even = replace(recipe, taught_rate=1.0)
    for share, factor in ((0.05, 10), (0.59, 10), (0.61, 1), (1, 1)):
        assert learning_rate(recipe, share) == pytest.approx(factor * learning_rate(even, share))
    joint = replace(recipe, joint=True)
    assert learning_rate(joint, 0.05) == learning_rate(even, 0.05)


def test_budget_is_minutes_or_steps() -> None:
    assert Budget(minutes=2).share(step=7, seconds=30) == pytest.approx(0.25)
    assert Budget(steps=10).share(step=7, seconds=1e9) == pytest.approx(0.7)
    for nonsense in ({}, {"minutes": 1, "steps": 1}):
        with pytest.raises(UsageError, match="minutes or in steps"):
            Budget(**nonsense)


def test_checkpoint_of_another_network_or_optimizer_is_refused(
    tmp_path: Path, data: TrainingSet
) -> None:
    train(TINY, data, tmp_path, Budget(steps=1), device=CPU, report=quiet)
    other = replace(TINY, network=replace(TINY.network, features=16))
    with pytest.raises(InputError, match="another network"):
        train(other, data, tmp_path, Budget(steps=2), device=CPU, report=quiet)
    with pytest.raises(InputError, match="train first"):
        load_average(tmp_path / "absent.pt")
    with pytest.raises(InputError, match="is of --optimizer adam"):
        train(
            replace(TINY, optimizer="muon"),
            data,
            tmp_path,
            Budget(steps=2),
            device=CPU,
            report=quiet,
        )


def test_shipped_recipes_have_their_names_and_sane_numbers() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert find_recipe(name) is recipe
        assert recipe.patch * recipe.scale <= SIZE
        peak = recipe.peak_rate * (1 if recipe.joint else recipe.taught_rate)
        assert math.isclose(learning_rate(recipe, recipe.warmup), peak)
    with pytest.raises(UsageError, match="choose one of tga-lite, tga"):
        find_recipe("nope")
