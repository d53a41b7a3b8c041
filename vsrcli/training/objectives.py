"""What each network is trained to do: its batches, and how wrong it is about them.

Samples are given to the network as in `networks.spec`: B clips, T frames, in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from vsrcli.networks.fstrn import FSTRN
from vsrcli.networks.spmc import SPMC
from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stfan import STFAN
from vsrcli.networks.tga import RADIUS, TGA
from vsrcli.ops.ycbcr import rgb_to_luma
from vsrcli.training.blur import BlurSource
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.degradation import degrade
from vsrcli.training.losses import charbonnier, flow_loss
from vsrcli.training.recipes import Recipe
from vsrcli.training.synthesis import ClipSource

_FLOW_ONLY, _FUSION_ONLY = 0.1, 0.35
"""Shares of the budget at which SPMC's first and second stage end."""
_SMOOTHNESS = 0.01
_FLOW_WEIGHT = 0.01
"""Of the flow loss in SPMC's third stage (Tao et al. 2017)."""


class Pair(NamedTuple):
    """A batch."""

    given: Tensor
    """What the network gets."""
    wanted: Tensor
    """What it should make of it."""


class Objective(Protocol):
    """What a training needs to know of its network."""

    def batch(self, count: int, generator: torch.Generator) -> Pair:
        """`count` samples, on the device of the training set."""

    def loss(self, network: Any, pair: Pair, share: float) -> Tensor:
        """A number to be made smaller, when `share` of the budget is spent."""


@dataclass(frozen=True)
class CenterFrame:
    """TGA: the middle frame of a window."""

    recipe: Recipe
    source: ClipSource

    def batch(self, count: int, generator: torch.Generator) -> Pair:
        truth = self.source.batch(count, generator)
        return Pair(_shrunk(truth, self.recipe), truth[:, RADIUS])

    def loss(self, network: TGA, pair: Pair, share: float) -> Tensor:
        restored = network(pair.given)[:, 0].float()
        return charbonnier(restored, pair.wanted, self.recipe.charbonnier)


@dataclass(frozen=True)
class LumaOfAllFrames:
    """FSTRN: the luma of a whole clip, so that the ends, where there are fewer neighbours, are
    learnt too."""

    recipe: Recipe
    source: ClipSource

    def batch(self, count: int, generator: torch.Generator) -> Pair:
        truth = self.source.batch(count, generator)
        return Pair(rgb_to_luma(_shrunk(truth, self.recipe)), rgb_to_luma(truth))

    def loss(self, network: FSTRN, pair: Pair, share: float) -> Tensor:
        restored = network.luma(pair.given).float()
        return charbonnier(restored, pair.wanted, self.recipe.charbonnier)


@dataclass(frozen=True)
class FlowThenFusion:
    """SPMC: the luma of a window's middle frame, in three stages: the flow alone, the fusion alone,
    both together. Trained together from the start the flow would stay zero (Tao et al. 2017)."""

    recipe: Recipe
    source: ClipSource

    def batch(self, count: int, generator: torch.Generator) -> Pair:
        """Windows from anywhere in the clips, and the luma of their middle frames."""
        clips = self.source.batch(count, generator)
        length = self.recipe.frames
        starts = torch.randint(clips.shape[1] - length + 1, (count,), generator=generator)
        windows = [clip[at : at + length] for clip, at in zip(clips, starts.tolist(), strict=True)]
        truth = torch.stack(windows)
        return Pair(rgb_to_luma(_shrunk(truth, self.recipe)), rgb_to_luma(truth[:, length // 2]))

    def loss(self, network: SPMC, pair: Pair, share: float) -> Tensor:
        network.easyflow.requires_grad_(not _FLOW_ONLY <= share < _FUSION_ONLY)
        if share < _FLOW_ONLY:
            return self._flow_loss(pair.given, network.estimate_flows(pair.given))
        estimates, flows = network.steps(pair.given)
        loss = self._fusion_loss(estimates.float(), pair.wanted)
        if share < _FUSION_ONLY:
            return loss
        return loss + _FLOW_WEIGHT * self._flow_loss(pair.given, flows)

    @staticmethod
    def _flow_loss(luma: Tensor, flows: Tensor) -> Tensor:
        center = luma.shape[1] // 2
        others = [index for index in range(luma.shape[1]) if index != center]
        target = luma[:, center : center + 1].expand(-1, len(others), -1, -1, -1)
        return flow_loss(
            luma[:, others].flatten(0, 1),
            target.flatten(0, 1),
            flows[:, others].flatten(0, 1),
            _SMOOTHNESS,
        )

    def _fusion_loss(self, estimates: Tensor, wanted: Tensor) -> Tensor:
        """The later a step, the more it counts: weights rise from 0.5 to 1."""
        weights = torch.linspace(0.5, 1, estimates.shape[1])
        losses = [charbonnier(e, wanted, self.recipe.charbonnier) for e in estimates.unbind(1)]
        parts = [w * loss for w, loss in zip(weights.tolist(), losses, strict=True)]
        return torch.stack(parts).sum() / float(weights.sum())


@dataclass(frozen=True)
class TwiceTheFrames:
    """STDAN: all frames of a clip from every second one."""

    recipe: Recipe
    source: ClipSource

    def batch(self, count: int, generator: torch.Generator) -> Pair:
        truth = self.source.batch(count, generator)
        return Pair(_shrunk(truth[:, ::2], self.recipe), truth)

    def loss(self, network: STDAN, pair: Pair, share: float) -> Tensor:
        return charbonnier(network(pair.given).float(), pair.wanted, self.recipe.charbonnier)


@dataclass(frozen=True)
class Deblurring:
    """STFAN: every frame of a blurred clip, the state handed on without its gradient, as its
    authors train it."""

    recipe: Recipe
    source: BlurSource

    def batch(self, count: int, generator: torch.Generator) -> Pair:
        return Pair(*self.source.batch(count, generator))

    def loss(self, network: STFAN, pair: Pair, share: float) -> Tensor:
        restored = network(pair.given, detach_state=True).float()
        return charbonnier(restored, pair.wanted, self.recipe.charbonnier)


def objective_of(recipe: Recipe, data: TrainingSet) -> Objective:
    """The objective of the recipe's network, with samples from `data`."""
    size = recipe.patch * recipe.scale
    if recipe.architecture == "stfan":
        return Deblurring(recipe, BlurSource(data, size, recipe.frames))
    source = ClipSource(data, size, recipe.moved_share)
    match recipe.architecture:
        case "fstrn":
            return LumaOfAllFrames(recipe, source)
        case "spmc":
            return FlowThenFusion(recipe, source)
        case "stdan":
            return TwiceTheFrames(recipe, source)
        case _:
            return CenterFrame(recipe, source)


def _shrunk(truth: Tensor, recipe: Recipe) -> Tensor:
    assert recipe.degradation != "blur"
    return degrade(truth, recipe.degradation, recipe.scale)
