"""STFAN for inference: the same function as `STFAN`, in one precision and laid out for speed.

Convolutions run in the given precision; the frames, the state that is fed back, and the sums of
the filter adaptive convolutions are float32, since errors there would add up over the frames.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from vsrcli.networks.layout import channels_last
from vsrcli.networks.stfan import SLOPE, STFAN, Residual
from vsrcli.ops.fac import FilterLayer
from vsrcli.ops.onednn import FusedConv2d


class STFANInference(STFAN):
    """A frozen copy of `network`, with its filter layers as `filter_adaptively` reads them."""

    def __init__(self, network: STFAN, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(network.config)
        self.load_state_dict(network.state_dict())
        self.to(dtype).eval().requires_grad_(False)
        channels_last(self)
        for name, layer in zip(("align", "deblur"), super()._filter_layers(), strict=True):
            for part, value in layer._asdict().items():
                self.register_buffer(f"{name}_{part}", value, persistent=False)
        _fuse(self)

    def _filter_layers(self) -> tuple[FilterLayer, FilterLayer]:
        align, deblur = (
            FilterLayer(*(getattr(self, f"{name}_{part}") for part in FilterLayer._fields))
            for name in ("align", "deblur")
        )
        return align, deblur


class _FusedResidual(nn.Module):
    """A `Residual` that may write to its input."""

    def __init__(self, plain: Residual) -> None:
        super().__init__()
        first, _, second = cast(tuple[nn.Conv2d, nn.Module, nn.Conv2d], tuple(plain.stem))
        self.first, self.second = FusedConv2d(first, SLOPE), FusedConv2d(second)

    def forward(self, x: Tensor) -> Tensor:
        return self.second.add_to(x, self.first(x))


def _fuse(network: nn.Module) -> None:
    """Join the convolutions of `network` with what follows them: the leaky ReLUs, and the sums of
    residual blocks, whose inputs nothing else reads."""
    for name, part in list(network.named_children()):
        if isinstance(part, Residual):
            network.register_module(name, _FusedResidual(part))
        elif isinstance(part, nn.Sequential):
            _fuse(part)
            if isinstance(part[0], nn.Conv2d):
                network.register_module(name, nn.Sequential(FusedConv2d(part[0], SLOPE)))
