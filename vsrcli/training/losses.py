"""Distances between pictures, and between flows."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Literal["charbonnier", "l1", "mse", "huber"]
LOSSES: tuple[Loss, ...] = get_args(Loss)

_HUBER_DELTA = 4 / 255
"""Errors below this count by their square; most of a trained network's do."""


def difference(restored: Tensor, truth: Tensor, kind: Loss, eps: float) -> Tensor:
    """How wrong pictures in [0, 1] are; `eps` is the Charbonnier loss's."""
    match kind:
        case "charbonnier":
            return charbonnier(restored, truth, eps)
        case "l1":
            return F.l1_loss(restored, truth)
        case "mse":
            return F.mse_loss(restored, truth)
        case "huber":
            return F.smooth_l1_loss(restored, truth, beta=_HUBER_DELTA)


def charbonnier(restored: Tensor, truth: Tensor, eps: float) -> Tensor:
    """Mean of sqrt(error^2 + eps^2) (Lai et al. 2017)."""
    return ((restored - truth) ** 2 + eps**2).sqrt().mean()


def flow_error(flow: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of flows (N, 2, H, W), in pixels, where the true one stays in the
    frame."""
    height, width = truth.shape[-2:]
    x = truth[:, 0] + torch.arange(width, device=truth.device)
    y = truth[:, 1] + torch.arange(height, device=truth.device)[:, None]
    inside = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[:, None]
    return ((flow - truth).abs() * inside).sum() / (2 * inside.sum()).clamp(min=1)
