"""Cutting pictures into overlapping tiles, and putting the restored tiles together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from vsrcli.networks.spec import Spec

SMALLEST = 32
"""Tiles are not cut smaller than this, in input pixels: the halo would be most of the work."""


@dataclass(frozen=True)
class Span:
    """One tile's part of an axis, in input pixels."""

    source: slice
    """What the network is given: the picked part and its context."""
    picked: slice
    """What is taken of the result."""
    fade_in: int
    """Samples over which the tile's share rises from 0 to 1 at the start of `picked`; its
    neighbour's falls over the same ones."""
    fade_out: int

    def ramp(self, ratio: Fraction, device: torch.device) -> Tensor:
        """The tile's share of each output sample of what is picked, `ratio` for an input pixel."""
        share = torch.ones(_times(self.picked.stop - self.picked.start, ratio), device=device)
        for fade, is_end in ((self.fade_in, False), (self.fade_out, True)):
            count = _times(fade, ratio)
            if count:
                rising = (torch.arange(count, device=device) + 0.5) / count
                if is_end:
                    share[-count:] = rising.flip(0)
                else:
                    share[:count] = rising
        return share


def spans(length: int, tile: int, context: int, blend: int, multiple: int) -> list[Span]:
    """`length` samples in pieces of about `tile`, each with `context` samples around what is
    picked of it; neighbours overlap by `2 * blend`. All but the end lies at a multiple of
    `multiple`."""
    count = max(1, -(-length // tile))
    edges = [round(i * length / count / multiple) * multiple for i in range(count)] + [length]
    context, blend = _up(context, multiple), _up(blend, multiple)
    pieces = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        low, high = max(0, start - blend), min(length, stop + blend)
        pieces.append(
            Span(
                source=slice(max(0, low - context), min(length, high + context)),
                picked=slice(low, high),
                fade_in=2 * blend if start > 0 else 0,
                fade_out=2 * blend if stop < length else 0,
            )
        )
    return pieces


def halo_of(spec: Spec, tile: int) -> int:
    """Context for tiles of this size: the whole receptive field (then tiled equals untiled) where
    that is not most of the work, else the network's measured halo."""
    return spec.reach if tile >= 3 * spec.reach else spec.halo


def blend_of(spec: Spec) -> int:
    """Half of the pixels that neighbouring tiles share and cross-fade over."""
    return max(1, spec.halo // 4)


def border_of(spec: Spec, tile: int) -> int:
    """Pixels on each side of a tile that the network is given beside its own."""
    return halo_of(spec, tile) + blend_of(spec)


def run_tiled(
    restore: Callable[[slice, slice], Tensor], spec: Spec, size: tuple[int, int], tile: int
) -> Tensor:
    """One tensor out of tiles; see `run_all_tiled`."""
    (whole,) = run_all_tiled(lambda rows, columns: (restore(rows, columns),), spec, size, tile)
    return whole


def run_all_tiled(
    restore: Callable[[slice, slice], Sequence[Tensor]],
    spec: Spec,
    size: tuple[int, int],
    tile: int,
) -> list[Tensor]:
    """Tensors (..., ratio*H, ratio*W), put together out of tiles of an input (H, W) = `size`.

    `restore(rows, columns)` gives all of them for a part of the input; each has its own ratio,
    which may be below 1 as long as `spec.multiple` makes it come out even.
    """
    cut = [
        spans(length, tile, halo_of(spec, tile), blend_of(spec), spec.multiple) for length in size
    ]
    return join_spans(restore, *cut)


def join_spans(
    restore: Callable[[slice, slice], Sequence[Tensor]],
    rows: Sequence[Span],
    columns: Sequence[Span],
) -> list[Tensor]:
    """As `run_all_tiled`, of tiles that are given."""
    size = (rows[-1].picked.stop, columns[-1].picked.stop)
    wholes: list[Tensor] = []
    for row in rows:
        for column in columns:
            parts = restore(row.source, column.source)
            ratios = [
                Fraction(part.shape[-1], column.source.stop - column.source.start) for part in parts
            ]
            if not wholes:
                wholes = [
                    part.new_zeros(*part.shape[:-2], _times(size[0], ratio), _times(size[1], ratio))
                    for part, ratio in zip(parts, ratios, strict=True)
                ]
            for part, whole, ratio in zip(parts, wholes, ratios, strict=True):
                shares = row.ramp(ratio, part.device)[:, None] * column.ramp(ratio, part.device)
                picked = part[..., _within(row, ratio), _within(column, ratio)]
                whole[..., _scaled(row.picked, ratio), _scaled(column.picked, ratio)] += (
                    picked * shares.to(part.dtype)
                )
    return wholes


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _times(length: int, ratio: Fraction) -> int:
    return length * ratio.numerator // ratio.denominator


def _scaled(part: slice, ratio: Fraction) -> slice:
    return slice(_times(part.start, ratio), _times(part.stop, ratio))


def _within(span: Span, ratio: Fraction) -> slice:
    """The picked part, counted from the start of the tile's own output."""
    offset = span.source.start
    return _scaled(slice(span.picked.start - offset, span.picked.stop - offset), ratio)
