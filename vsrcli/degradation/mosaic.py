"""Small clips laid out in one picture, to be encoded together, and cut out again.

An encoder is slow to open and behaves oddly on a picture of four blocks. Between two clips there is
a gap wide enough that no block of 16x16 pixels holds parts of both, filled by repeating the edge
pixels, as encoders do beyond a picture's edges.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SIDE = 2
"""Clips in a row, and in a column."""
BLOCK = 16
"""Pixels; of H.264 and those before it. HEVC's may be larger, but then it has a reason to."""
_MARGIN = BLOCK // 2


def lay_out(clips: Tensor, offset: tuple[int, int]) -> Tensor:
    """(SIDE^2, T, 3, h, w) -> (T, 3, H, W), which are multiples of BLOCK.

    `offset`, of rows and columns, below BLOCK, says where on the grid of blocks the clips lie.
    """
    tiles = F.pad(clips.flatten(0, 1), (_MARGIN,) * 4, mode="replicate")
    height, width = tiles.shape[-2:]
    grid = tiles.unflatten(0, (SIDE, SIDE, -1))  # (rows, columns, T, 3, h, w)
    picture = grid.permute(2, 3, 0, 4, 1, 5).reshape(clips.shape[1], 3, SIDE * height, SIDE * width)
    top, left = offset
    bottom, right = (_room(length) - before for length, before in ((height, top), (width, left)))
    return F.pad(picture, (left, right, top, bottom), mode="replicate")


def cut_out(picture: Tensor, size: tuple[int, int], offset: tuple[int, int]) -> Tensor:
    """The inverse of `lay_out` for clips of `size` (h, w)."""
    height, width = (length + 2 * _MARGIN for length in size)
    top, left = offset
    tiles = picture[..., top : top + SIDE * height, left : left + SIDE * width]
    grid = tiles.unflatten(-1, (SIDE, width)).unflatten(-3, (SIDE, height))
    inside = grid[..., _MARGIN:-_MARGIN, :, _MARGIN:-_MARGIN]
    clips: Tensor = inside.permute(2, 4, 0, 1, 3, 5)
    return clips.reshape(SIDE**2, *picture.shape[:2], *size)


def _room(length: int) -> int:
    """Pixels around SIDE tiles of that length, for any offset: to a multiple of BLOCK."""
    used = SIDE * length
    return -(-(used + BLOCK - 1) // BLOCK) * BLOCK - used
