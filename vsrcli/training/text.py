"""Text in training clips: pages of it, captions that stand still before a moving picture, credits
that roll, and signs that move by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.training.motion import camera_path, homographies, region_side, regions, render, times

_PAPER, _CAPTION, _ROLL = 0.3, 0.4, 0.15
"""Shares of text on paper of its own, and, before the clip, of text that stands still and that
rolls; the rest moves before the clip as photographs do."""
_FASTEST_ROLL = 8.0
"""Pixels a frame."""
_UPWARDS = 0.7
"""Share of rolling text that rolls up or down and not sideways."""
_PLAIN = 0.5
"""Share of text that is white, or nearly so; the rest is of any color."""
_FLAT = 0.5
"""Share of papers of one color; the others are a gradient of two."""
_EDGED_ON_PAPER, _EDGED = 0.2, 0.6
"""Shares of text with an outline or a shadow."""
_SHADOW = 0.4
"""Share of shadows among these."""
_EDGE = (1.0, 4.0)
"""How far an outline or a shadow reaches beyond the letters, in pixels."""
_EDGE_SIDE = 13
"""Pixels of a square that holds the widest of them."""
_FAINT = 0.2
"""Share of text that what is behind shows through, as through a channel's logo."""


def written(clips: Tensor, pages: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Clips (N, T, 3, S, S) in [0, 1], T at most FRAMES, each with text of `pages`, (1, H, W) uint8
    coverage, on the same device."""
    count, size = len(clips), clips.shape[-1]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator)

    kind = uniform(1)
    on_paper = kind < _PAPER
    # An even margin puts text that stands still on whole pixels: it is as sharp as it was drawn.
    side = region_side(size)
    letters = regions(pages, count, side + (side - size) % 2, generator, tries=1)
    masks = torch.cat((letters, _around(letters, _edges(count, generator))), 1)
    seen = render(masks, _paths(kind, size, generator)[:, : clips.shape[1]], size).clamp(0, 1)

    ink = torch.where(uniform(1) < _PLAIN, 1 - 0.15 * uniform(1), uniform(3))
    is_dark = ink.mean(1, keepdim=True) < 0.5
    edge = torch.where(is_dark, 1 - 0.3 * uniform(3), 0.3 * uniform(3))
    edged = uniform(1) < torch.where(on_paper, _EDGED_ON_PAPER, _EDGED)
    opacity = torch.where(uniform(1) < _FAINT, 0.3 + 0.6 * uniform(1), 1.0)

    paper = _paper(is_dark, size, generator).to(clips.device)
    behind = torch.where(on_paper[:, :, None, None, None].to(clips.device), paper, clips)
    behind = _inked(behind, edge, seen[:, :, 1:], opacity * edged)
    return _inked(behind, ink, seen[:, :, :1], opacity)


def _inked(behind: Tensor, color: Tensor, coverage: Tensor, opacity: Tensor) -> Tensor:
    """(N, T, 3, S, S) with colors (N, 3) where they cover it, (N, T, 1, S, S) times (N, 1)."""
    color, opacity = (x.to(behind.device)[:, None, :, None, None] for x in (color, opacity))
    return behind + (color - behind) * (coverage * opacity)


def _paths(kind: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """(N, 1) -> (N, FRAMES, 3, 3) for `render`."""
    count = len(kind)
    rolls = (kind >= _PAPER + _CAPTION) & (kind < _PAPER + _CAPTION + _ROLL)
    speed = _FASTEST_ROLL * (2 * torch.rand(count, 1, generator=generator) - 1)
    shift = speed * times() * rolls
    upwards = torch.rand(count, 1, generator=generator) < _UPWARDS
    none = torch.zeros_like(shift)
    straight = homographies(none + 1, none, shift * ~upwards, shift * upwards, none, none)
    like_photographs = (kind < _PAPER) | (kind >= _PAPER + _CAPTION + _ROLL)
    moved = camera_path(count, size, generator)
    return torch.where(like_photographs[..., None, None], moved, straight)


def _paper(is_dark: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """(N, 1), of the ink -> (N, 1, 3, size, size): one color, or two and what lies between, that
    the ink shows on."""
    count = len(is_dark)
    first, second = 0.6 * torch.rand(2, count, 3, generator=generator) + 0.4 * is_dark
    flat = torch.rand(count, 1, generator=generator) < _FLAT
    change = torch.where(flat, 0.0, second - first)
    angle = 2 * math.pi * torch.rand(count, 1, 1, generator=generator)
    line = (torch.arange(size) + 0.5) / size - 0.5
    ramp = (line * angle.cos() + line[:, None] * angle.sin() + 0.5).clamp(0, 1)
    paper: Tensor = first[..., None, None] + change[..., None, None] * ramp[:, None]
    return paper[:, None]


def _edges(count: int, generator: torch.Generator) -> Tensor:
    """(N, 1, _EDGE_SIDE, _EDGE_SIDE): discs, for `_around`, in the middle for an outline, or above
    it to the left for a shadow below the letters to their right."""
    least, most = _EDGE
    reach = least * (most / least) ** torch.rand(count, 1, 1, generator=generator)
    is_shadow = torch.rand(count, 1, 1, generator=generator) < _SHADOW
    line = torch.arange(_EDGE_SIDE) - _EDGE_SIDE // 2 + reach * is_shadow  # (N, 1, side)
    distance = torch.hypot(line, line.transpose(1, 2))
    radius = torch.where(is_shadow, 0.5 + reach / 4, reach)
    return (radius + 0.5 - distance).clamp(0, 1)[:, None]


def _around(letters: Tensor, edges: Tensor) -> Tensor:
    """(N, 1, H, W) spread as far as the discs reach."""
    spread = F.conv2d(
        letters.transpose(0, 1), edges.to(letters.device), padding="same", groups=len(letters)
    )
    return spread.transpose(0, 1).clamp(max=1)
