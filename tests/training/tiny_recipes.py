"""Recipes of networks small enough for tests."""

from __future__ import annotations

from vsrcli.networks.fstrn import FSTRNConfig
from vsrcli.networks.spmc import SPMCConfig
from vsrcli.networks.stdan import STDANConfig
from vsrcli.networks.stfan import STFANConfig
from vsrcli.networks.tga import TGAConfig
from vsrcli.training.recipes import Recipe

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
    "stdan": Recipe("tiny", _STDAN, patch=8, batch=2),
    "stfan": Recipe(
        "tiny",
        STFANConfig(channels=(4, 8, 8), fac_kernel=3),
        "blur",
        scale=1,
        frames=3,
        patch=16,
        batch=2,
    ),
}
