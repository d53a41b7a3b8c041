"""The networks by name: what builds one, and what makes it fast once it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vsrcli.networks import fstrn, spmc, stdan_initialization, stfan_initialization, tga
from vsrcli.networks.basicvsr import BasicVSR, BasicVSRConfig
from vsrcli.networks.basicvsr_inference import BasicVSRInference
from vsrcli.networks.fstrn import FSTRN, FSTRNConfig
from vsrcli.networks.fstrn_inference import FSTRNInference
from vsrcli.networks.spmc import SPMC, SPMCConfig
from vsrcli.networks.spmc_inference import SPMCInference
from vsrcli.networks.stdan import STDAN, STDANConfig
from vsrcli.networks.stdan_inference import STDANInference
from vsrcli.networks.stfan import STFAN, STFANConfig
from vsrcli.networks.stfan_inference import STFANInference
from vsrcli.networks.tga import TGA, TGAConfig
from vsrcli.networks.tga_inference import TGAInference

Network = TGA | FSTRN | SPMC | STDAN | STFAN | BasicVSR
"""A network that has weights: `config` says its sizes, `spec` what it needs around it, and
`forward` takes clips (B, T, 3, H, W) and can be trained."""


@dataclass(frozen=True)
class Architecture:
    """What there is of a network beside its weights."""

    config: type
    """A frozen dataclass; its defaults are the published sizes."""
    build: Callable[[Any], Network]
    """An untrained network of a configuration."""
    inference: Callable[[Any, torch.dtype], nn.Module]
    """A trained network's fast form, which computes in the type where it can; it has the parts
    that the network's strategy calls (see `spec`)."""
    initialize: Callable[[Any, torch.Generator], None] | None
    """Random parameters to begin a training with; None where those that the layers draw by
    themselves will do."""


ARCHITECTURES = {
    "tga": Architecture(TGAConfig, TGA, TGAInference, tga.initialize),
    "fstrn": Architecture(FSTRNConfig, FSTRN, FSTRNInference, fstrn.initialize),
    "spmc": Architecture(SPMCConfig, SPMC, SPMCInference, spmc.initialize),
    "stdan": Architecture(STDANConfig, STDAN, STDANInference, stdan_initialization.initialize),
    "stfan": Architecture(STFANConfig, STFAN, STFANInference, stfan_initialization.initialize),
    "basicvsr": Architecture(BasicVSRConfig, BasicVSR, BasicVSRInference, None),
}


def for_inference(network: Network, dtype: torch.dtype) -> nn.Module:
    """The fast form of a trained network, in evaluation mode."""
    with torch.no_grad():  # else folded layers would hold on to all that they were made from
        return ARCHITECTURES[network.spec.network].inference(network, dtype).eval()
