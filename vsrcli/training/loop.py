"""The training loop: one process, CPU or CUDA, resumable to the bit."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from vsrcli.degradation.kernels import degrade
from vsrcli.errors import InputError, UsageError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.networks.tga import TGA
from vsrcli.quality.evaluation import Clip, ClipScore, Trial, evaluate, trial
from vsrcli.restore.device import find_dtype
from vsrcli.restore.restorer import Restorer
from vsrcli.training.checkpoint import CHECKPOINT, load_checkpoint, recipe_of, save_checkpoint
from vsrcli.training.data.cut import SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.objectives import Objective, objective_of
from vsrcli.training.recipes import Recipe
from vsrcli.training.widening import widen
from vsrcli.zoo.weights import load_state

_LOG_EVERY = 20.0
_LEAST_RATE = 0.01


@dataclass(frozen=True)
class Budget:
    """How long a training lasts, all its resumed parts together; one of the two is set."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("Give the length of the training in minutes or in steps, one of both")

    def share(self, step: int, seconds: float) -> float:
        """How much of the budget is spent, 0 to 1."""
        if self.minutes is not None:
            return min(1.0, seconds / (60 * self.minutes))
        return min(1.0, step / (self.steps or 1))


@dataclass(frozen=True)
class Intervals:
    """Seconds between what the loop does beside training."""

    checkpoint: float = 180.0
    validation: float = 300.0


class Training:
    """The state of a training: all that a checkpoint holds."""

    def __init__(self, recipe: Recipe, device: torch.device, seed: int = 0) -> None:
        self.recipe = recipe
        self.device = device
        self.network = untrained(recipe, seed).to(device)
        _check_size(recipe, self.network)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.peak_rate)
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0
        self.seconds = 0.0

    def begin_at(self, start: Network) -> None:
        """Begin as the trained network `start`: one with the same tensors, or a smaller TGA for
        a TGA. Raises WeightsError or UsageError if it does not fit."""
        start = start.to(self.device)
        if isinstance(start, TGA) and isinstance(self.network, TGA):
            widen(start, self.network)
        else:
            load_state(self.network, start.state_dict(), "the network to begin at")
        self.average.load_state_dict(self.network.state_dict())

    def train_step(self, objective: Objective, share: float) -> Tensor:
        """One step at the given share of the budget; the loss, still on the device."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, share)
        pair = objective.batch(recipe.batch, self.generator, share)
        # For what networks draw by themselves, such as stochastic depth.
        torch.manual_seed(self.step)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = objective.loss(self.network, pair, share)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm)
        self.optimizer.step()
        self.step += 1
        self._follow()
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average, batch-norm statistics too; early on it follows faster."""
        decay = min(self.recipe.average_decay, self.step / (self.step + 10))
        new, old = self.network.state_dict(), self.average.state_dict()
        floats = [key for key, value in new.items() if value.is_floating_point()]
        torch._foreach_lerp_([old[k] for k in floats], [new[k] for k in floats], 1 - decay)

    def trials(self, clips: Sequence[Clip]) -> list[Trial]:
        """The clips as the network is tried on them."""
        recipe = self.recipe

        def shrink(truth: Tensor) -> Tensor:
            assert recipe.degradation != "blur"
            return degrade(truth, recipe.degradation, recipe.scale)

        return [trial(clip, self.network.spec.task, shrink) for clip in clips]

    def score(self, trials: Sequence[Trial]) -> list[ClipScore]:
        """Scores of the averaged network, as users get it."""
        dtype = find_dtype("auto", self.device)
        restorer = Restorer(
            self.recipe.name, self.average, self.device, dtype, "auto", scene_detection=False
        )
        return evaluate(restorer.stream, trials, device=self.device)

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on as if nothing had happened."""
        return {
            "recipe": asdict(self.recipe),
            "architecture": self.recipe.architecture,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises InputError if it is of another recipe's network."""
        if recipe_of(state).network != self.recipe.network:
            raise InputError("the checkpoint is of another network; choose another folder")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step, self.seconds = state["step"], state["seconds"]


def untrained(recipe: Recipe, seed: int) -> Network:
    """The recipe's network at the beginning of a training, the same for equal seeds."""
    architecture = ARCHITECTURES[recipe.architecture]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = architecture.build(recipe.network)
    if architecture.initialize is not None:
        architecture.initialize(network, torch.Generator().manual_seed(seed))
    return network


def _check_size(recipe: Recipe, network: Network) -> None:
    if recipe.batch < 1 or recipe.patch < 1 or recipe.peak_rate <= 0:
        raise UsageError("Patch, batch and rate must be positive")
    if recipe.patch % network.spec.multiple or recipe.patch * recipe.scale > SIZE:
        raise UsageError(
            f"Patches of {recipe.patch} do not do for {recipe.name}; give a multiple of "
            f"{network.spec.multiple} up to {SIZE // recipe.scale}"
        )


def learning_rate(recipe: Recipe, share: float) -> float:
    """The rate when `share` of the budget is spent: a linear rise, then a cosine."""
    if share < recipe.warmup:
        return recipe.peak_rate * max(share / recipe.warmup, _LEAST_RATE)
    turn = (share - recipe.warmup) / (1 - recipe.warmup)
    return recipe.peak_rate * max(0.5 * (1 + math.cos(math.pi * turn)), _LEAST_RATE)


def train(
    recipe: Recipe,
    data: TrainingSet,
    out: Path,
    budget: Budget,
    *,
    clips: Sequence[Clip] = (),
    device: torch.device,
    start: Network | None = None,
    intervals: Intervals = Intervals(),
    report: Callable[[str], None] = print,
) -> Training:
    """Train until the budget is spent; `out` gets `checkpoint.pt` and `log.jsonl`.

    A checkpoint in `out` is gone on from; without one, training begins at `start` (see
    `Training.begin_at`), or from nothing. Interrupting writes a checkpoint first. Returns the
    training, whose `average` is the network to keep.
    """
    out.mkdir(parents=True, exist_ok=True)
    training = Training(recipe, device)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists():
        training.restore(load_checkpoint(checkpoint))
    elif start is not None:
        training.begin_at(start)
    objective = objective_of(recipe, data.on(device))
    trials = training.trials(clips)
    log = _Log(out / "log.jsonl", report)
    earlier, started = training.seconds, time.monotonic()
    due = {"log": started + _LOG_EVERY, "validation": started, "checkpoint": started}
    due["checkpoint"] += intervals.checkpoint
    losses: list[Tensor] = []
    try:
        while (share := budget.share(training.step, training.seconds)) < 1:
            losses.append(training.train_step(objective, share))
            now = time.monotonic()
            training.seconds = earlier + now - started
            if now >= due["log"]:
                log.progress(training, share, losses)
                due["log"] = now + _LOG_EVERY
            if clips and now >= due["validation"]:
                log.scores(training, training.score(trials))
                due["validation"] = time.monotonic() + intervals.validation
            if now >= due["checkpoint"]:
                save_checkpoint(training.state(), checkpoint)
                due["checkpoint"] = now + intervals.checkpoint
    finally:
        save_checkpoint(training.state(), checkpoint)
    if clips:
        log.scores(training, training.score(trials))
    return training


class _Log:
    """Lines of JSON in a file, and the same said to a person."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self.path = path
        self.report = report
        self.time = time.monotonic()

    def progress(self, training: Training, share: float, losses: list[Tensor]) -> None:
        now = time.monotonic()
        rate = len(losses) * training.recipe.batch / (now - self.time)
        self.time = now
        row = {
            "step": training.step,
            "seconds": round(training.seconds, 1),
            "share": round(share, 4),
            "rate": learning_rate(training.recipe, share),
            "loss": round(fmean(torch.stack(losses).tolist()), 6),
            "samples_per_second": round(rate, 2),
        }
        losses.clear()
        self._write(row)

    def scores(self, training: Training, scores: Sequence[ClipScore]) -> None:
        row = {
            "step": training.step,
            "seconds": round(training.seconds, 1),
            "gain": round(fmean(score.gain for score in scores), 4),
            "clips": {score.name: asdict(score) for score in scores},
        }
        self._write(row)
        self.time = time.monotonic()

    def _write(self, row: dict[str, Any]) -> None:
        with self.path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        self.report(json.dumps(row))
