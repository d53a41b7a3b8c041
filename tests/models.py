"""Small networks with random weights, for tests of what surrounds a network."""

from __future__ import annotations

from pathlib import Path

import torch

from vsrcli.networks.tga import TGA, TGAConfig
from vsrcli.zoo.weights import save_weights

TINY = TGAConfig(features=8, growth=4, intra_blocks=2, inter_blocks=1, up_features=8)


def tiny_tga(seed: int = 0) -> TGA:
    """A TGA that changes pictures visibly and depends on all seven frames."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        network = TGA(TINY).eval()
        for parameter in network.parameters():
            if parameter.dim() >= 4:
                parameter.normal_(0, (2 / parameter[0].numel()) ** 0.5)
        network.conv3d_r3.weight.mul_(0.1)
    return network


def tiny_weights(folder: Path, seed: int = 0) -> Path:
    """The weights file of `tiny_tga`."""
    path = folder / f"tiny{seed}.safetensors"
    save_weights(path, tiny_tga(seed), {"degradation": "none"})
    return path
