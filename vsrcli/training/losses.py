"""Distances between pictures, and between flows."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.ops.warp import warp

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
    """Mean absolute difference of flows (N, 2, H, W) where the true one stays in the frame."""
    inside = _inside(truth)[:, None]
    return ((flow - truth).abs() * inside).sum() / (2 * inside.sum()).clamp(min=1)


def warping_loss(picture: Tensor, target: Tensor, flow: Tensor, smoothness: float) -> Tensor:
    """How badly `target` (N, 1, H, W), read at p + flow(p), resembles `picture` at p, plus
    `smoothness` times the flow's mean change from pixel to pixel; flow (N, 2, H, W) in pixels.

    Tao et al. 2017 (see `networks.spmc`), equation of the motion estimation; only pixels whose
    samples lie in the frame are compared, since what comes into view has no match.
    """
    inside = _inside(flow)
    error = (picture - warp(target, flow)).abs()[:, 0] * inside
    change = flow.diff(dim=-1).abs().sum() + flow.diff(dim=-2).abs().sum()
    return error.sum() / inside.sum().clamp(min=1) + smoothness * change / flow.numel()


def _inside(flow: Tensor) -> Tensor:
    """Where flow (N, 2, H, W), in pixels, leads to a place in the frame: (N, H, W)."""
    height, width = flow.shape[-2:]
    x = flow[:, 0] + torch.arange(width, device=flow.device)
    y = flow[:, 1] + torch.arange(height, device=flow.device)[:, None]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
