"""Filter adaptive convolution: its definition, its gradients, and how it is computed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vsrcli.ops import fac as module
from vsrcli.ops.fac import fac, filter_adaptively, filter_layer

SLOPE = 0.1


def _loop(x: Tensor, filters: Tensor, size: int) -> Tensor:
    """The formula, number by number."""
    batch, channels, height, width = x.shape
    out = torch.zeros_like(x)
    for n, c, row, column in torch.cartesian_prod(
        *(torch.arange(length) for length in (batch, channels, height, width))
    ).tolist():
        for i in range(size):
            for j in range(size):
                y = min(max(row + i - size // 2, 0), height - 1)
                z = min(max(column + j - size // 2, 0), width - 1)
                weight = filters[n, size * size * c + size * i + j, row, column]
                out[n, c, row, column] += x[n, c, y, z] * weight
    return out


def _layers(
    size: int, channels: int, features: int, outputs: int, dtype: torch.dtype = torch.float32
) -> tuple[nn.Conv2d, nn.Conv2d]:
    """One that emits filters, and one that reads them."""
    emitter = nn.Conv2d(features, channels * size**2, 1, dtype=dtype)
    return emitter, nn.Conv2d(channels * size**2, outputs, 1, dtype=dtype)


def _by_definition(
    x: Tensor, hidden: Tensor, emitter: nn.Conv2d, reader: nn.Conv2d
) -> tuple[Tensor, Tensor]:
    filters = nn.functional.leaky_relu(emitter(hidden), SLOPE)
    return fac(x, filters), reader(filters)


@pytest.mark.parametrize("size", [3, 5])
def test_definition(size: int) -> None:
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    filters = torch.randn(2, 3 * size**2, 4, 6, dtype=torch.float64)
    assert torch.allclose(fac(x, filters), _loop(x, filters, size), atol=1e-12)


def test_border_repeats_the_edge() -> None:
    """Where all filters look two pixels up and left, the corner is what all of it sees."""
    x = torch.arange(12.0).view(1, 1, 3, 4)
    filters = torch.zeros(1, 25, 3, 4)
    filters[:, 0] = 1
    expected = torch.tensor([[0.0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]])
    assert torch.equal(fac(x, filters)[0, 0], expected)


@pytest.mark.parametrize("strip", [1, 40, 1000], ids=["rows", "strips", "whole"])
@pytest.mark.parametrize("size", [3, 5])
def test_part_by_part_is_the_definition(
    size: int, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STRIP", {"cpu": strip})
    emitter, reader = _layers(size, channels=6, features=7, outputs=4)
    x, hidden = torch.randn(2, 6, 9, 5), torch.randn(2, 7, 9, 5)
    inputs = [x, hidden, *emitter.parameters(), *reader.parameters()]
    for tensor in inputs:
        tensor.requires_grad_()
    expected = _by_definition(x, hidden, emitter, reader)
    made = filter_adaptively(x, hidden, filter_layer(emitter, size, reader), SLOPE)
    weights = [torch.randn_like(part) for part in expected]
    gradients = []
    for parts in (expected, made):
        loss = sum((part * weight).sum() for part, weight in zip(parts, weights, strict=True))
        gradients.append(torch.autograd.grad(loss, inputs))
    for a, b in zip((*expected, *gradients[0]), (*made, *gradients[1]), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


@torch.no_grad()
def test_sums_are_float32() -> None:
    """Rounding to bf16 ends with the filters."""
    emitter, _ = _layers(5, channels=4, features=3, outputs=1, dtype=torch.bfloat16)
    x, hidden = torch.randn(1, 4, 6, 5).bfloat16(), torch.zeros(1, 3, 6, 5).bfloat16()
    made, _ = filter_adaptively(x, hidden, filter_layer(emitter, 5), SLOPE)
    filters = nn.functional.leaky_relu(emitter(hidden), SLOPE)
    assert made.dtype == torch.float32
    assert (made - fac(x.float(), filters.float())).abs().max() < 1e-5


@pytest.mark.cuda
@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
@pytest.mark.parametrize("channels", [16, 128])
@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
def test_cuda_kernel_is_the_definition(dtype: torch.dtype, channels: int, reads: bool) -> None:
    fac_triton = pytest.importorskip("vsrcli.ops.fac_triton")
    emitter, reader = _layers(5, channels, features=channels, outputs=channels)
    x, hidden = torch.randn(2, 2, channels, 13, 21).to(dtype).double().unbind()
    for conv in (emitter, reader):  # rounded first, so that only the arithmetic differs
        conv.to(dtype).double()
    expected = _by_definition(x, hidden, emitter, reader)
    for conv in (emitter, reader):
        conv.to("cuda", dtype)
    layer = filter_layer(emitter, 5, reader if reads else None)
    arguments = x.to("cuda", dtype), hidden.to("cuda", dtype), layer
    assert fac_triton.can_run(*arguments)
    made = fac_triton.filter_adaptively(*arguments, SLOPE)
    assert (made[1] is not None) == reads
    for a, b in zip(made, expected, strict=True):
        if a is not None:
            assert (a.double().cpu() - b).abs().max() < 0.01 * b.abs().max()
