"""STFAN for inference: the same function as `STFAN`, in one precision and laid out for speed.

Convolutions run in the given precision; the frames, the state that is fed back, and the sums of
the filter adaptive convolutions are float32, since errors there would add up over the frames.
"""

from __future__ import annotations

import torch

from vsrcli.networks.layout import channels_last
from vsrcli.networks.stfan import STFAN
from vsrcli.ops.fac import FilterLayer


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

    def _filter_layers(self) -> tuple[FilterLayer, FilterLayer]:
        align, deblur = (
            FilterLayer(*(getattr(self, f"{name}_{part}") for part in FilterLayer._fields))
            for name in ("align", "deblur")
        )
        return align, deblur
