"""Swin Transformer blocks and the SwinIR branch made of them.

Liu et al., "Swin Transformer", ICCV 2021; Liang et al., "SwinIR: Image Restoration Using Swin
Transformer", ICCVW 2021. Module names are SwinIR's. Tokens are (N, H*W, E), row by row. The type
of a layer's parameters is the type it computes in; the sums between layers, the norms and the
attention's scores are float32.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops.attention import window_attention
from vsrcli.ops.precision import widened

STOCHASTIC_DEPTH = 0.1
"""Rate at which the last block of a branch is left out in training; it rises from 0."""
MLP_RATIO = 2
_BLOCKED = -100.0
"""Added to the scores of tokens that only the shift brought into one window."""


LARGEST_SIDE = 64
"""Tokens a side of a window: memory grows with the fourth power."""


class Windows(NamedTuple):
    """How a map is cut into windows."""

    order: Tensor
    """(H*W,): the token at each place when the tokens stand window by window."""
    back: Tensor
    """(H*W,): its inverse."""
    plain: int
    """The windows of one map that hold neighbours only; they come first."""
    mask: Tensor | None
    """(windows - plain, 1, L, L): what is added to the scores of the other windows."""


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is made for inference serves training too
def windows_of(height: int, width: int, side: int, shift: int, device: torch.device) -> Windows:
    """The windows of a map rolled by `shift` up and to the left."""
    return _windows(height, width, side, shift, device)


def _windows(height: int, width: int, side: int, shift: int, device: torch.device) -> Windows:
    if height % side or width % side:
        raise ValueError(f"A map of {height}x{width} does not divide into windows of {side}")
    y, x = torch.arange(height), torch.arange(width)
    token = (((y + shift) % height)[:, None] * width + (x + shift) % width).reshape(
        height // side, side, width // side, side
    )
    tokens = token.transpose(1, 2).reshape(-1, side * side)
    if not shift:
        order = tokens.flatten()
        return Windows(order.to(device), _inverse(order).to(device), tokens.shape[0], None)
    # Rows (columns) that the roll brought from the other end are another region.
    region = 2 * (y >= height - shift).int()[:, None] + (x >= width - shift).int()
    regions = region.reshape(height // side, side, width // side, side)
    regions = regions.transpose(1, 2).reshape(-1, side * side)
    blocked = regions[:, :, None] != regions[:, None, :]
    if torch.onnx.is_in_onnx_export():  # which windows are mixed depends on the size
        order, mask = tokens.flatten(), torch.where(blocked, _BLOCKED, 0.0)[:, None]
        return Windows(order, _inverse(order), 0, mask)
    mixed = blocked.flatten(1).any(1)
    order = torch.cat((tokens[~mixed], tokens[mixed])).flatten()
    mask = torch.where(blocked[mixed], _BLOCKED, 0.0)[:, None]
    plain = int((~mixed).sum())
    return Windows(order.to(device), _inverse(order).to(device), plain, mask.to(device))


def _inverse(order: Tensor) -> Tensor:
    numbers = torch.arange(order.shape[0])
    return torch.zeros_like(order).scatter(0, order, numbers)


class WindowAttention(nn.Module):
    """Attention among the tokens of a window, with a learned bias for each relative position."""

    position: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        if side > LARGEST_SIDE:
            raise ValueError(f"windows of {side} are too large")
        self.heads = heads
        places = (2 * side - 1) ** 2
        self.relative_position_bias_table = nn.Parameter(torch.empty(places, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        y = torch.arange(side).repeat_interleave(side)
        x = torch.arange(side).repeat(side)
        down, right = y[:, None] - y + side - 1, x[:, None] - x + side - 1
        self.register_buffer("position", down * (2 * side - 1) + right, persistent=False)

    def forward(self, x: Tensor, windows: Windows) -> Tensor:
        """(N, H*W, E), window by window -> the same."""
        length = len(self.position)
        qkv = self.qkv(x.to(self.qkv.weight.dtype))
        qkv = qkv.reshape(x.shape[0], -1, length, 3, self.heads, x.shape[2] // self.heads)
        bias = self.relative_position_bias_table[self.position].permute(2, 0, 1)
        attended = window_attention(qkv, bias, windows.plain, windows.mask)
        made: Tensor = self.proj(attended.reshape(x.shape).to(self.proj.weight.dtype))
        return made


class Mlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.fc2(F.gelu(self.fc1(x.to(self.fc1.weight.dtype))))
        return made


class SwinBlock(nn.Module):
    """Attention and MLP, each added to its input; with `shift`, the windows lie between those of
    the block before."""

    def __init__(self, width: int, heads: int, side: int, shift: int, drop: float) -> None:
        super().__init__()
        self.side, self.shift, self.drop = side, shift, drop
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, side)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        # What a trace made must not be kept.
        cut = _windows if torch.onnx.is_in_onnx_export() else windows_of
        windows = cut(height, width, self.side, self.shift, x.device)
        attended = self.attn(self.norm1(x).index_select(1, windows.order), windows)
        x = x + self._kept(attended.index_select(1, windows.back))
        return x + self._kept(self.mlp(self.norm2(x)))

    def _kept(self, branch: Tensor) -> Tensor:
        """The branch; in training, zero for some of the batch and larger for the others."""
        if not self.training or self.drop == 0:
            return branch
        kept = branch.new_empty(len(branch), 1, 1).bernoulli_(1 - self.drop)
        return branch * (kept / (1 - self.drop))


class ResidualGroup(nn.Module):
    """RSTB: Swin blocks, shifted and not in turn, then a convolution, added to the input."""

    def __init__(self, width: int, heads: int, side: int, drops: list[float]) -> None:
        super().__init__()
        blocks = [
            SwinBlock(width, heads, side, side // 2 if index % 2 else 0, drop)
            for index, drop in enumerate(drops)
        ]
        self.residual_group = nn.ModuleDict({"blocks": nn.ModuleList(blocks)})
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        y, blocks = x, self.residual_group["blocks"]
        assert isinstance(blocks, nn.ModuleList)
        for block in blocks:
            y = block(y, height, width)
        made: Tensor = self.conv(map_of(y, height, width).to(self.conv.weight.dtype))
        return x + tokens_of(made)


class SwinBranch(nn.Module):
    """(N, C, H, W) -> (N, C, H, W), H and W multiples of the window: a convolution to `width`
    channels, `groups` residual groups of `blocks` Swin blocks with a skip around them, and a
    convolution back."""

    def __init__(
        self, channels: int, width: int, heads: int, side: int, groups: int, blocks: int
    ) -> None:
        super().__init__()
        last = max(groups * blocks - 1, 1)
        drops = [STOCHASTIC_DEPTH * index / last for index in range(groups * blocks)]
        self.conv_first = nn.Conv2d(channels, width, 3, padding=1)
        self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(width)})
        self.layers = nn.ModuleList(
            ResidualGroup(width, heads, side, drops[index * blocks : (index + 1) * blocks])
            for index in range(groups)
        )
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        first = self.conv_first(x.to(self.conv_first.weight.dtype))
        tokens = self.patch_embed["norm"](widened(tokens_of(first)))
        for group in self.layers:
            tokens = group(tokens, height, width)
        body = map_of(self.norm(tokens), height, width).to(self.conv_after_body.weight.dtype)
        whole = first + self.conv_after_body(body)
        made: Tensor = self.conv_last(whole.to(self.conv_last.weight.dtype))
        return made


def tokens_of(x: Tensor) -> Tensor:
    """(N, E, H, W) -> (N, H*W, E)"""
    return x.flatten(2).transpose(1, 2)


def map_of(tokens: Tensor, height: int, width: int) -> Tensor:
    """(N, H*W, E) -> (N, E, H, W), channels last."""
    made: Tensor = tokens.transpose(1, 2).unflatten(2, (height, width))
    return made
