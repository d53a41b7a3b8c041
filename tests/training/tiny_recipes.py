"""Recipes of networks small enough for tests, and steps of them."""

from __future__ import annotations

from contextlib import closing

import torch
from torch import Tensor

from vsrcli.networks.fstrn import FSTRNConfig
from vsrcli.networks.spmc import SPMCConfig
from vsrcli.networks.stdan import STDANConfig
from vsrcli.networks.stfan import STFANConfig
from vsrcli.networks.tga import TGAConfig
from vsrcli.training.batches import Batch, batches
from vsrcli.training.objectives import Objective, Pair
from vsrcli.training.recipes import Recipe
from vsrcli.training.state import Training

_STDAN = STDANConfig(
    features=16, embedding=24, heads=2, groups=4, encoder_groups=1, decoder_groups=1, blocks=2
)

TINY = {
    "tga": Recipe(
        "tiny",
        TGAConfig(features=8, growth=4, intra_blocks=2, inter_blocks=1, up_features=16),
        patch=8,
        batch=2,
    ),
    "fstrn": Recipe("tiny", FSTRNConfig(channels=8, blocks=1), patch=8, batch=2),
    "spmc": Recipe("tiny", SPMCConfig(scale=2), scale=2, frames=3, patch=16, batch=2),
    "stdan": Recipe("tiny", _STDAN, patch=8, batch=2, first_share=0.55),
    "stfan": Recipe(
        "tiny",
        STFANConfig(channels=(4, 8, 8), fac_kernel=3),
        "blur",
        scale=1,
        frames=3,
        patch=24,
        batch=2,
    ),
}


def equal(first: Pair, second: Pair) -> bool:
    """Whether all numbers are, and the same ones are missing."""
    return all(
        a is b if a is None or b is None else torch.equal(a, b)
        for a, b in zip(first, second, strict=True)
    )


def next_batch(training: Training, objective: Objective, share: float) -> Batch:
    """What the training's next step is made with at that share of its budget."""
    device = training.device
    with closing(batches(objective, training.seed, training.step, lambda _: share, device)) as made:
        return next(made)


def take_step(training: Training, objective: Objective, share: float) -> Tensor:
    """A step at that share of the budget; its loss."""
    return training.train_step(objective, next_batch(training, objective, share))
