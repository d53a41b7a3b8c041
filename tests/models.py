"""Small networks with random weights, for tests of what surrounds a network."""

from __future__ import annotations

from pathlib import Path

import torch

from vsrcli.networks import fstrn, spmc, stdan, stfan
from vsrcli.networks.architectures import Network
from vsrcli.networks.basicvsr import BasicVSR, BasicVSRConfig
from vsrcli.networks.tga import TGA, TGAConfig
from vsrcli.zoo.weights import save_weights

TINY_STDAN = stdan.STDANConfig(
    features=16, embedding=24, heads=2, groups=4, encoder_groups=1, decoder_groups=1, blocks=2
)
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


def tiny(name: str, seed: int = 0) -> Network:
    """A network of this name that changes pictures visibly; of SPMC the published size."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _tiny(name, torch.Generator().manual_seed(seed)).eval()


def _tiny(name: str, generator: torch.Generator) -> Network:
    network: Network
    match name:
        case "tga":
            return tiny_tga(generator.initial_seed())
        case "fstrn":
            network = fstrn.FSTRN(fstrn.FSTRNConfig(channels=8, blocks=2))
            fstrn.initialize(network, generator)
        case "spmc":
            network = spmc.SPMC(spmc.SPMCConfig(scale=2))
            spmc.initialize(network, generator)
        case "stdan":
            network = stdan.STDAN(TINY_STDAN)
        case "stfan":
            network = stfan.STFAN(stfan.STFANConfig(channels=(4, 8, 8), fac_kernel=3))
        case "basicvsr":
            network = BasicVSR(BasicVSRConfig(features=8, blocks=2))
        case _:
            raise ValueError(name)
    return network


def tiny_weights(folder: Path, seed: int = 0, name: str = "tga") -> Path:
    """The weights file of a `tiny` network."""
    path = folder / f"tiny-{name}{seed}.safetensors"
    save_weights(path, tiny(name, seed), {"degradation": "none"})
    return path
