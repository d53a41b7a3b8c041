"""The state of a training: all that a checkpoint holds, and one step of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from vsrcli.errors import InputError, UsageError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.quality.evaluation import ClipScore, evaluate
from vsrcli.quality.trials import Trial
from vsrcli.restore.device import find_dtype, is_slower_than_fp32
from vsrcli.restore.restorer import Restorer
from vsrcli.training.batches import Batch
from vsrcli.training.checkpoint import recipe_of
from vsrcli.training.data.cut import SIZE
from vsrcli.training.muon import Muon, kernels_of
from vsrcli.training.objectives import Objective
from vsrcli.training.recipes import Recipe
from vsrcli.training.widening import widen
from vsrcli.zoo.weights import load_state

_LEAST_RATE = 0.01


class Training:
    """A network that is being trained."""

    def __init__(self, recipe: Recipe, device: torch.device, seed: int = 0) -> None:
        self.recipe = recipe
        self.device = device
        self.seed = seed
        """Of the batches too."""
        self.network = untrained(recipe, seed).to(device)
        _check(recipe, self.network)
        _channels_last(self.network)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._fused = device.type == "cuda" or None
        self._in_bf16 = not is_slower_than_fp32(torch.bfloat16, device)
        kernels = kernels_of(self.network) if recipe.optimizer == "muon" else []
        rest = [p for p in self.network.parameters() if not any(p is k for k in kernels)]
        self.optimizer = torch.optim.Adam(rest, lr=recipe.peak_rate, fused=self._fused)
        self.muon = Muon(kernels, lr=recipe.peak_rate) if kernels else None
        """Beside Adam, for kernels, if the recipe asks for it."""
        self.step = 0
        self.seconds = 0.0
        self.seconds_on: dict[str, float] = {}
        """The same by device, in words."""
        self.begun_at = ""
        """The weights it began at, in words."""
        self.taught_by = ""
        """Its teacher's weights, in words."""
        self.keeps_statistics = False
        """Whether batch norms keep what they measured before, and so take batches of any size."""

    def begin_at(self, start: Network, name: str = "") -> None:
        """Begin as the trained network `start`: one with the same tensors, or a smaller TGA, STFAN
        or STDAN for another. Batch norms keep their statistics from then on. Raises WeightsError
        or UsageError if it does not fit."""
        start = start.to(self.device)
        if not widen(start, self.network):
            load_state(self.network, start.state_dict(), "the network to begin at")
        self.average.load_state_dict(self.network.state_dict())
        self.begun_at = name
        self.keeps_statistics = True

    def train_step(self, objective: Objective, batch: Batch) -> Tensor:
        """One step; the loss, still on the device. Nothing in it waits for a card."""
        optimizers = [self.optimizer, self.muon] if self.muon else [self.optimizer]
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(self.recipe, batch.share)
        self.network.train(not self.keeps_statistics)
        loss = self._backward(objective, batch)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        for optimizer in optimizers:
            optimizer.step()
        self.step += 1
        self._follow()
        return loss

    def _backward(self, objective: Objective, batch: Batch) -> Tensor:
        """Leaves the gradients; returns the loss."""
        # For what networks draw by themselves, such as stochastic depth.
        torch.manual_seed(self.step)
        self.network.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._in_bf16):
            loss = objective.loss(self.network, batch.pair, batch.share)
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average, batch-norm statistics too; early on it follows faster."""
        decay = min(self.recipe.average_decay, self.step / (self.step + 10))
        new, old = self.network.state_dict(), self.average.state_dict()
        floats = [key for key, value in new.items() if value.is_floating_point()]
        torch._foreach_lerp_([old[k] for k in floats], [new[k] for k in floats], 1 - decay)

    def score(self, trials: Sequence[Trial]) -> list[ClipScore]:
        """Scores of the averaged network, as users get it."""
        dtype = find_dtype("auto", self.device)
        restorer = Restorer(
            self.recipe.name, self.average, self.device, dtype, "auto", scene_detection=False
        )
        return evaluate(restorer.stream, trials, device=self.device)

    def spend(self, seconds: float, device: str) -> None:
        """Count time that went into the training on the device."""
        self.seconds += seconds
        self.seconds_on[device] = self.seconds_on.get(device, 0.0) + seconds

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on as if nothing had happened."""
        return {
            "recipe": asdict(self.recipe),
            "architecture": self.recipe.architecture,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "muon": self.muon.state_dict() if self.muon else None,
            "seed": self.seed,
            "step": self.step,
            "seconds": self.seconds,
            "seconds_on": self.seconds_on,
            "begun_at": self.begun_at,
            "taught_by": self.taught_by,
            "keeps_statistics": self.keeps_statistics,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises InputError if it is of another network or optimizer."""
        before = recipe_of(state)
        if before.network != self.recipe.network:
            raise InputError("the checkpoint is of another network; choose another folder")
        if before.optimizer != self.recipe.optimizer:
            raise InputError(f"the checkpoint is of --optimizer {before.optimizer}; choose that")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._restore_optimizer(state["optimizer"])
        if self.muon:
            self.muon.load_state_dict(state["muon"])
        self.step, self.seconds = state["step"], state["seconds"]
        # Older checkpoints do not have these.
        self.seed = state.get("seed", 0)
        self.seconds_on = dict(state.get("seconds_on", {}))
        self.begun_at = state.get("begun_at", "")
        self.taught_by = state.get("taught_by", "")
        self.keeps_statistics = state.get("keeps_statistics", False)

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        """It may have been on another device, where it is neither fused nor has that layout."""
        for group in state["param_groups"]:
            group["fused"] = self._fused
        self.optimizer.load_state_dict(state)
        for parameter, moments in self.optimizer.state.items():
            for key in ("exp_avg", "exp_avg_sq"):
                moments[key] = torch.empty_like(parameter).copy_(moments[key])


def untrained(recipe: Recipe, seed: int) -> Network:
    """The recipe's network at the beginning of a training, the same for equal seeds."""
    architecture = ARCHITECTURES[recipe.architecture]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = architecture.build(recipe.network)
    if architecture.initialize is not None:
        architecture.initialize(network, torch.Generator().manual_seed(seed))
    return network


def _channels_last(network: nn.Module) -> None:
    """Kernels in the layout in which cards and CPUs convolve 16-bit numbers; pictures follow."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.contiguous(memory_format=torch.channels_last_3d)


def _check(recipe: Recipe, network: Network) -> None:
    """Raise UsageError if samples of these sizes cannot be trained on."""
    stages = [(stage.patch, stage.batch) for stage in recipe.growth]
    for patch, batch in (*stages, (recipe.patch, recipe.batch)):
        if batch < 1 or patch < 1 or recipe.peak_rate <= 0:
            raise UsageError("Patch, batch and rate must be positive")
        if patch % network.spec.multiple or patch * recipe.scale > SIZE:
            raise UsageError(
                f"Patches of {patch} do not do for {recipe.name}; give a multiple of "
                f"{network.spec.multiple} up to {SIZE // recipe.scale}"
            )
    ends = [0.0, *(stage.until for stage in recipe.growth), 1.0]
    if any(end <= before for before, end in pairwise(ends)):
        raise UsageError("Stages must end one after another, at shares of the time between 0 and 1")


def learning_rate(recipe: Recipe, share: float) -> float:
    """The rate when `share` of the budget is spent: a linear rise, then a cosine; while something
    is taught, a multiple of it."""
    taught = recipe.part(share) < recipe.taught_until
    peak = recipe.peak_rate * (recipe.taught_rate if taught else 1)
    if share < recipe.warmup:
        return peak * max(share / recipe.warmup, _LEAST_RATE)
    turn = (share - recipe.warmup) / (1 - recipe.warmup)
    return peak * max(0.5 * (1 + math.cos(math.pi * turn)), _LEAST_RATE)
