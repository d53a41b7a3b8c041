"""Layers joined with what follows them, against the layers one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vsrcli.ops import onednn
from vsrcli.ops.onednn import FusedConv2d, leaky_linear

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.03}


@pytest.fixture(params=[True, False], ids=["fused", "plain"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With the operators, where this build of torch has them, and without."""
    if not request.param:
        monkeypatch.setattr(onednn, "_OPERATORS", object())
    onednn._works.cache_clear()
    yield
    onednn._works.cache_clear()


@torch.no_grad()
@DTYPES
@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_convolution(
    dtype: torch.dtype, kernel: int, stride: int, layout: torch.memory_format
) -> None:
    conv = nn.Conv2d(5, 7, kernel, stride, padding=kernel // 2)
    x = torch.randn(2, 5, 8, 6)
    plain = conv(x)
    joined, alone = (FusedConv2d(conv.to(dtype), slope) for slope in (0.1, None))
    x = x.to(dtype).contiguous(memory_format=layout)
    tolerance = TOLERANCE[dtype]
    for _ in range(2):  # the second time with the weight arranged before
        assert torch.allclose(joined(x).float(), F.leaky_relu(plain, 0.1), atol=tolerance)
        assert torch.allclose(alone(x).float(), plain, atol=tolerance)
        total = torch.randn(plain.shape).to(dtype).contiguous(memory_format=layout)
        expected = total.float() + plain
        made = alone.add_to(total, x)
        assert torch.allclose(made.float(), expected, rtol=tolerance, atol=tolerance)


@torch.no_grad()
@DTYPES
@pytest.mark.usefixtures("form")
def test_linear(dtype: torch.dtype) -> None:
    x, weight, bias = torch.randn(9, 8), torch.randn(6, 8), torch.randn(6)
    expected = F.leaky_relu(F.linear(x, weight, bias), 0.1)
    made = leaky_linear(x.to(dtype), weight.to(dtype), bias.to(dtype), 0.1)
    assert torch.allclose(made.float(), expected, rtol=0.02, atol=3 * TOLERANCE[dtype])


def test_linear_has_a_gradient() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    leaky_linear(x, torch.eye(4), torch.zeros(4), 0.1).sum().backward()
    assert torch.equal(x.grad, torch.where(x > 0, 1.0, 0.1))
