"""Folded layers, against the layers that they fold."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vsrcli.networks.folding import ClampedConv, FoldedConv


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels).eval()
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    norm.running_mean = torch.randn(channels)
    norm.running_var = torch.rand(channels) + 0.5
    return norm


def _layers() -> tuple[nn.Sequential, nn.Sequential]:
    """What `FoldedConv` and `ClampedConv` stand for."""
    return (
        nn.Sequential(nn.Conv2d(24, 16, 3, padding=1), _norm(16), nn.ReLU()),
        nn.Sequential(_norm(24), nn.ReLU(), nn.Conv2d(24, 24, 1), _norm(24), nn.ReLU()),
    )


def _folded(dtype: torch.dtype, plain: nn.Sequential, clamps: nn.Sequential) -> list[nn.Module]:
    return [
        FoldedConv(plain[0], plain[1], relu=True, dtype=dtype),
        ClampedConv(clamps[0], clamps[2], clamps[3], dtype=dtype),
    ]


@pytest.fixture
def dense() -> Tensor:
    """The first channels of a wider channels-last map."""
    return torch.randn(2, 40, 9, 13).contiguous(memory_format=torch.channels_last)[:, :24]


@torch.no_grad()
def test_equal_what_they_fold(dense: Tensor) -> None:
    layers = _layers()
    for made, plain in zip(_folded(torch.float32, *layers), layers, strict=True):
        assert torch.allclose(made(dense), plain(dense), atol=2e-4)


@pytest.mark.cuda
@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_card_gives_the_same(dtype: torch.dtype, dense: Tensor) -> None:
    """In fp16 by way of a fused convolution; dilated too."""
    layers = _layers()
    here, there = _folded(dtype, *layers), _folded(dtype, *layers)
    wide = dense.to(dtype)
    close = {torch.float32: 0.02, torch.float16: 0.05, torch.bfloat16: 0.4}[dtype]
    for one, other in zip(here, there, strict=True):
        made = other.cuda()(wide.cuda())
        assert made.is_contiguous(memory_format=torch.channels_last)
        assert (made.cpu().float() - one.float()(wide.float())).abs().max() < close
    made = there[0](wide.cuda(), 2)
    assert (made.cpu().float() - here[0](wide.float(), 2)).abs().max() < close
