"""Compiled networks, and what happens where they do not compile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipes import TINY, take_step
from torch import Tensor

from vsrcli.errors import DeviceError
from vsrcli.training import loop
from vsrcli.training.compiling import compile_parts, is_compiled, undo
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.loop import Budget, train
from vsrcli.training.objectives import objective_of
from vsrcli.training.recipes import Stage
from vsrcli.training.state import Training

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("default")  # torch's compiler warns of itself


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Nothing is compiled already."""
    torch._dynamo.reset()


def test_compiled_networks_learn_the_same(data: TrainingSet) -> None:
    recipe = replace(TINY["fstrn"], growth=(Stage(0.5, 6, 1),))
    losses, weights = [], []
    for backend in (None, "aot_eager"):
        training = Training(recipe, CPU)
        if backend:
            compile_parts(training.network, backend)
        objective = objective_of(recipe, data)
        losses.append([float(take_step(training, objective, share)) for share in (0.4, 0.6, 0.8)])
        weights.append(training.state()["network"])
        assert is_compiled(training.network) == bool(backend)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=0, atol=5e-3)


def test_undone_networks_are_as_written(data: TrainingSet) -> None:
    training = Training(TINY["fstrn"], CPU)
    compile_parts(training.network, "eager")
    assert is_compiled(training.network)
    undo(training.network)
    assert not is_compiled(training.network)
    assert training.network.luma == type(training.network).luma.__get__(training.network)


def broken(graph: Any, inputs: Any) -> Any:
    """A compiler that cannot."""
    raise RuntimeError("no such luck")


def test_training_goes_on_without_a_compiler_that_fails(
    tmp_path: Path, data: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(out: Path, compiled: bool) -> Training:
        budget = Budget(steps=3)
        quiet = [].append
        return train(TINY["fstrn"], data, out, budget, device=CPU, compiled=compiled, report=quiet)

    expected = run(tmp_path / "plain", False)
    monkeypatch.setattr(loop, "compile_parts", lambda network: compile_parts(network, broken))
    found = run(tmp_path / "broken", True)
    for key, value in expected.average.state_dict().items():
        assert torch.equal(found.average.state_dict()[key], value), key
    rows = [json.loads(line) for line in (tmp_path / "broken/log.jsonl").read_text().splitlines()]
    (note,) = [row["note"] for row in rows if "note" in row]
    assert note.startswith("going on without the compiler: ") and "no such luck" in note


def test_memory_that_runs_out_is_told_in_a_line(
    tmp_path: Path, data: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "train_step", full)
    with pytest.raises(DeviceError, match="out of memory with 2 samples a step"):
        train(TINY["fstrn"], data, tmp_path, Budget(steps=1), device=CPU, report=[].append)
    assert (tmp_path / "checkpoint.pt").exists()


@pytest.mark.cuda
@pytest.mark.parametrize("name", list(TINY))
def test_compiles_for_a_card(data: TrainingSet, name: str, tmp_path: Path) -> None:
    card = torch.device("cuda")
    train(TINY[name], data, tmp_path, Budget(steps=8), device=card, compiled=True, report=[].append)
    notes = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if "note" in line]
    assert not notes
