"""Batch norms folded into their neighbours, for inference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops.clamp import clamped


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift (C,), float64, that `norm` applies in evaluation mode."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    scale = norm.weight.double() / (variance.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - mean.double() * scale


class FoldedConv(nn.Module):
    """A convolution, with the batch norm that follows it folded in, then ReLU if asked."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None = None,
        *,
        relu: bool = False,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        weight, bias = _weight_and_bias(conv)
        if norm is not None:
            scale, shift = affine(norm)
            weight, bias = weight * scale[:, None, None, None], bias * scale + shift
        self.relu = relu
        self.register_buffer("weight", _laid_out(weight, dtype))
        self.register_buffer("bias", bias.to(dtype))

    def forward(self, x: Tensor, dilation: int = 1) -> Tensor:
        padding = dilation * (self.weight.shape[-1] // 2)
        if self.relu:
            return _conv_relu(x, self.weight, self.bias, padding, dilation)
        return F.conv2d(x, self.weight, self.bias, padding=padding, dilation=dilation)


class ClampedConv(nn.Module):
    """batch norm -> ReLU -> 1x1 convolution -> batch norm -> ReLU in one clamp, one convolution
    and one ReLU.

    relu(a*x + b) equals a * (max(x, m) - m) with m = -b/a where a > 0, and a * (min(x, m) - m)
    where a < 0. The clamp's bounds hold m; a and -m move into the convolution's weight and bias.
    """

    low: Tensor
    high: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        before: nn.BatchNorm2d | None,
        conv: nn.Conv2d,
        after: nn.BatchNorm2d,
        *,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        weight, bias = _weight_and_bias(conv)
        channels = conv.in_channels
        if before is None:
            scale, shift = weight.new_ones(channels), weight.new_zeros(channels)
        else:
            scale, shift = affine(before)
        out_scale, out_shift = affine(after)
        weight = weight * out_scale[:, None, None, None]
        bias = bias * out_scale + out_shift
        # A dead channel passes the constant relu(shift), whatever x is.
        dead = scale.abs() < 1e-12
        bias = bias + (weight[:, :, 0, 0] * (shift.relu() * dead)).sum(1)
        safe = torch.where(dead, torch.ones_like(scale), scale)
        largest = torch.finfo(dtype).max
        bend = torch.where(dead, 0.0, -shift / safe).clamp(-largest, largest).to(dtype)
        weight = (weight * torch.where(dead, 0.0, scale)[:, None, None]).to(dtype)
        # The rounded bend and weight are what the clamp and the convolution will use.
        bias = bias - (weight.double()[:, :, 0, 0] * bend.double()).sum(1)
        unbounded = torch.full_like(bend, torch.inf)
        bounds = (channels, 1, 1)
        self.register_buffer("low", torch.where(scale < 0, -unbounded, bend).view(bounds))
        self.register_buffer("high", torch.where(scale < 0, bend, unbounded).view(bounds))
        self.register_buffer("weight", _laid_out(weight, dtype))
        self.register_buffer("bias", bias.to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return _conv_relu(clamped(x, self.low, self.high), self.weight, self.bias)


class AffineRelu(nn.Module):
    """batch norm -> ReLU, where a padded convolution follows and nothing can be folded."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: nn.BatchNorm2d, *, dtype: torch.dtype) -> None:
        super().__init__()
        scale, shift = affine(norm)
        self.register_buffer("scale", scale.to(dtype)[:, None, None])
        self.register_buffer("shift", shift.to(dtype)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale).relu_()


def _conv_relu(
    x: Tensor, weight: Tensor, bias: Tensor, padding: int = 0, dilation: int = 1
) -> Tensor:
    """A convolution and ReLU; in fp16 on a card, where passes over the result for the bias and the
    ReLU take as long as the arithmetic, in one."""
    fuses = x.is_cuda and x.dtype == torch.float16 and torch.version.cuda is not None
    if fuses and torch.backends.cudnn.is_acceptable(x):
        made: Tensor = torch.cudnn_convolution_relu(
            x, weight, bias, (1, 1), (padding, padding), (dilation, dilation), 1
        )
        return made
    return F.conv2d(x, weight, bias, padding=padding, dilation=dilation).relu_()


def _weight_and_bias(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    weight = conv.weight.detach().double()
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach().double()
    return weight, bias


def _laid_out(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.to(dtype).contiguous(memory_format=torch.channels_last)
