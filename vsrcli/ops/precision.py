"""Parts of a network that must not be computed in few bits."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """`x` in float32; in float64 if it is so."""
    return x if x.dtype == torch.float64 else x.float()
