"""Attention in windows, window by window against its definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vsrcli.ops import attention
from vsrcli.ops.attention import window_attention

MAPS, WINDOWS, LENGTH, HEADS, WIDTH = 2, 5, 4, 3, 2


def _inputs(plain: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Queries, keys and values, bias, and the mask of the windows that are not plain."""
    generator = torch.Generator().manual_seed(plain)

    def values(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    mask = torch.where(values(WINDOWS - plain, 1, LENGTH, LENGTH) > 0, 0.0, -100.0).double()
    qkv = values(MAPS, WINDOWS, LENGTH, 3, HEADS, WIDTH)
    return qkv, values(HEADS, LENGTH, LENGTH), mask if plain < WINDOWS else None


def _looped(qkv: Tensor, bias: Tensor, plain: int, mask: Tensor | None) -> Tensor:
    made = torch.zeros(MAPS, WINDOWS, LENGTH, HEADS, WIDTH, dtype=torch.float64)
    for n, window, head in torch.cartesian_prod(*map(torch.arange, (MAPS, WINDOWS, HEADS))):
        query, key, value = qkv[n, window, :, :, head].double().unbind(1)
        scores = query @ key.T / WIDTH**0.5 + bias[head]
        if mask is not None and window >= plain:
            scores = scores + mask[window - plain, 0]
        made[n, window, :, head] = scores.softmax(1) @ value
    return made.flatten(3)


@pytest.mark.parametrize("plain", [0, 3, WINDOWS])
@pytest.mark.parametrize("at_once", [1, 2, 100])
@pytest.mark.parametrize("graph", [False, True], ids=["inference", "training"])
def test_equals_the_definition(
    plain: int, at_once: int, graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_CPU_WINDOWS", at_once)
    qkv, bias, mask = _inputs(plain)
    expected = _looped(qkv, bias, plain, mask)
    with torch.set_grad_enabled(graph):
        made = window_attention(qkv, bias, plain, mask)
        assert (made - expected).abs().max() < 1e-12
        single = mask if mask is None else mask.float()
        made = window_attention(qkv.float(), bias.float(), plain, single)
    assert made.dtype == torch.float32
    assert (made - expected).abs().max() < 1e-5


@pytest.mark.parametrize("graph", [False, True], ids=["inference", "training"])
def test_scores_are_float32(graph: bool) -> None:
    """Of large scores, all but equal, bf16 would keep nothing; rounding begins with the shares."""
    qkv, bias, mask = _inputs(3)
    qkv, bias = qkv.bfloat16(), 100 + bias.float() / 10
    assert mask is not None
    expected = _looped(qkv, bias.double(), 3, mask)
    with torch.set_grad_enabled(graph):
        made = window_attention(qkv, bias, 3, mask.float())
    assert (made - expected).abs().max() < 0.02
    assert (_looped(qkv, bias.bfloat16().double(), 3, mask) - expected).abs().max() > 0.05


def test_gradients() -> None:
    qkv, bias, mask = _inputs(3)
    inputs = (qkv.requires_grad_(), bias.requires_grad_())
    assert torch.autograd.gradcheck(lambda x, b: window_attention(x, b, 3, mask), inputs)
