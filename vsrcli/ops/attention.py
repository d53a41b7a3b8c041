"""Attention among the tokens of each window of a map.

Two ways to the same numbers. torch's fused attention is differentiable, exports to ONNX and is
fast on cards. On a CPU it makes thousands of tiny products, for which its threads wait for each
other: two took longer than one. There, one head of many windows is one batch of products.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.ops.graph import needs_graph
from vsrcli.ops.precision import widened

_CPU_WINDOWS = 128
"""Windows of one head at once on a CPU: their scores, of 64 tokens each, take 2 MiB."""


def window_attention(qkv: Tensor, bias: Tensor, plain: int, mask: Tensor | None) -> Tensor:
    """Queries, keys and values (N, W, L, 3, heads, D) -> (N, W, L, heads * D).

    To the scores `bias` (heads, L, L) is added, and to those of the windows from number `plain` on
    `mask` (W - plain, 1, L, L). Scores are float32 or wider.
    """
    with torch.autocast(qkv.device.type, enabled=False):
        if qkv.device.type == "cpu" and not needs_graph():
            return _by_heads(qkv, bias, plain, mask)
        return _fused(widened(qkv), bias, plain, mask)


def _fused(qkv: Tensor, bias: Tensor, plain: int, mask: Tensor | None) -> Tensor:
    bias = bias.to(qkv.dtype)
    attended = [_attend(qkv[:, :plain], bias[None])] if plain else []
    if mask is not None:
        masked = (bias + mask).repeat(qkv.shape[0], 1, 1, 1)
        attended.append(_attend(qkv[:, plain:], masked))
    return attended[0] if len(attended) == 1 else torch.cat(attended, 1)


def _attend(qkv: Tensor, mask: Tensor) -> Tensor:
    q, k, v = qkv.flatten(0, 1).permute(2, 0, 3, 1, 4)
    made = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return made.transpose(1, 2).reshape(*qkv.shape[:3], -1)


def _by_heads(qkv: Tensor, bias: Tensor, plain: int, mask: Tensor | None) -> Tensor:
    """Of qkv's type, in which the values are summed."""
    made = []
    for windows in qkv:
        for first in range(0, len(windows), _CPU_WINDOWS):
            part = windows[first : first + _CPU_WINDOWS]
            stop = first + len(part)
            own = None
            if mask is not None and stop > plain:
                own = mask[max(first - plain, 0) : stop - plain, 0]
            made.append(_attend_by_heads(part, bias, own))
    return torch.cat(made).view(*qkv.shape[:3], -1)


def _attend_by_heads(qkv: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """(W, L, 3, heads, D) -> (W, L, heads, D); `mask` is that of the last windows."""
    scored = widened(qkv[:, :, :2])
    bias = bias.to(scored.dtype)
    values = qkv[:, :, 2].permute(2, 0, 1, 3).contiguous()
    made = torch.empty_like(values)
    for head, attended in enumerate(made):
        query, key = scored[:, :, :, head].unbind(2)
        scores = torch.baddbmm(bias[head], query, key.mT, alpha=query.shape[2] ** -0.5)
        if mask is not None:
            scores[-len(mask) :] += mask
        torch.bmm(scores.softmax(2).to(values.dtype), values[head], out=attended)
    return made.permute(1, 2, 0, 3)
