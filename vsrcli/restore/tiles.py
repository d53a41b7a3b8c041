"""Cutting pictures into overlapping tiles, and putting the restored tiles together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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

    def ramp(self, scale: int, device: torch.device) -> Tensor:
        """The tile's share (scale * picked,) of each output sample."""
        share = torch.ones((self.picked.stop - self.picked.start) * scale, device=device)
        for count, end in ((self.fade_in * scale, slice(None)), (self.fade_out * scale, ...)):
            if count:
                rising = (torch.arange(count, device=device) + 0.5) / count
                if end is ...:
                    share[-count:] = rising.flip(0)
                else:
                    share[:count] = rising
        return share


def spans(length: int, tile: int, context: int, blend: int, multiple: int) -> list[Span]:
    """`length` samples in pieces of about `tile`, each with `context` samples around what is
    picked of it; neighbours overlap by `2 * blend`. Sources begin at multiples of `multiple`."""
    count = max(1, -(-length // tile))
    edges = [round(i * length / count / multiple) * multiple for i in range(count)] + [length]
    pieces = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        low, high = max(0, start - blend), min(length, stop + blend)
        first = max(0, low - context) // multiple * multiple
        pieces.append(
            Span(
                source=slice(first, min(length, high + context)),
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


def run_tiled(
    restore: Callable[[slice, slice], Tensor],
    spec: Spec,
    scale: int,
    size: tuple[int, int],
    tile: int,
) -> Tensor:
    """(3, scale*H, scale*W) out of tiles; `restore(rows, columns)` gives the restored (3, ., .) of
    a part of the input."""
    context = halo_of(spec, tile)
    blend = max(1, spec.halo // 4)
    rows = spans(size[0], tile, context, blend, spec.multiple)
    columns = spans(size[1], tile, context, blend, spec.multiple)
    out: Tensor | None = None
    for row, column in _grid(rows, columns):
        restored = restore(row.source, column.source)
        if out is None:
            out = restored.new_zeros(3, size[0] * scale, size[1] * scale)
        part = restored[:, _within(row, scale), _within(column, scale)]
        share_y = row.ramp(scale, out.device)[:, None]
        share_x = column.ramp(scale, out.device)
        out[:, _scaled(row.picked, scale), _scaled(column.picked, scale)] += (
            part * share_y * share_x
        )
    assert out is not None
    return out


def _grid(rows: list[Span], columns: list[Span]) -> Iterator[tuple[Span, Span]]:
    return ((row, column) for row in rows for column in columns)


def _scaled(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)


def _within(span: Span, scale: int) -> slice:
    """The picked part, counted from the start of the tile's own output."""
    offset = span.source.start
    return slice((span.picked.start - offset) * scale, (span.picked.stop - offset) * scale)
