"""STDAN's deformable attention: every map gathers from all others (paper section on
spatial-temporal deformable feature aggregation; layer names are the authors')."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.networks.stdan_alignment import conv3, leaky
from vsrcli.ops.deform import OffsetConv, Positions, Sampler

KEY_POINTS = 2
"""Samples of the nine that a pixel takes from another map: those most relevant to it."""


class Source(NamedTuple):
    """A map as the others look at it."""

    half: Tensor
    """(N, E, H, W): its part in `offset_conv1`."""
    keys: Sampler
    values: Sampler


class Correlation(nn.Module):
    """A query to another map: where to look, and what is found there."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.offset_conv1 = conv3(2 * width, width)
        self.offset_conv2 = conv3(width, width)
        self.dcn_attention = nn.ModuleDict({"conv_offset_mask": OffsetConv(width, groups)})

    def query_half(self, query: Tensor) -> Tensor:
        """(N, E, H, W) -> its part in `offset_conv1`."""
        weight, bias = self.offset_conv1.weight[:, : query.shape[1]], self.offset_conv1.bias
        return F.conv2d(query.to(weight.dtype), weight, bias, padding=1)

    def key_half(self, key: Tensor) -> Tensor:
        """As `query_half`, of the map that is looked at."""
        weight = self.offset_conv1.weight[:, key.shape[1] :]
        return F.conv2d(key.to(weight.dtype), weight, padding=1)

    def source(self, key: Tensor, value: Tensor) -> Source:
        """Maps (N, E, H, W), ready for any number of queries."""
        keys, values = Sampler(key, self.groups), Sampler(value, self.groups)
        return Source(self.key_half(key), keys, values)

    def forward(self, query: Tensor, query_half: Tensor, source: Source) -> tuple[Tensor, Tensor]:
        """A query (N, E, H, W) -> how relevant the source is, (N, H, W), and what is taken from
        it, (N, H, W, E); float32 or wider."""
        features = leaky(self.offset_conv2(leaky(query_half + source.half)))
        offset_conv = self.dcn_attention["conv_offset_mask"]
        assert isinstance(offset_conv, OffsetConv)
        points = offset_conv.points(features)
        queries = query.permute(0, 2, 3, 1).to(source.keys.dtype)
        with torch.autocast(query.device.type, enabled=False):
            found = [
                _found(queries[:, rows], source, points.positions(rows))
                for rows in source.keys.portions(points)
            ]
        relevance, taken = zip(*found, strict=True)
        return torch.cat(relevance, 1), torch.cat(taken, 1)


def _found(query: Tensor, source: Source, positions: Positions) -> tuple[Tensor, Tensor]:
    """Queries (N, h, w, E) -> (N, h, w) and (N, h, w, E)."""
    # The one row first: a CPU takes five times as long for nine rows by one column.
    relevance = (query[..., None, :] @ source.keys(positions).transpose(-1, -2)).squeeze(-2)
    best, samples = relevance.topk(KEY_POINTS, 3)
    share = best.softmax(3)
    values = source.values(positions.chosen(samples))
    # The relevance of the mixed keys is the mixture of their relevances.
    return (share * best).sum(3), (share[..., None] * values).sum(3)


class FeatureAggregation(nn.Module):
    """Maps of T moments -> the same, each with what it gathers from the others added."""

    def __init__(self, channels: int, width: int, groups: int) -> None:
        super().__init__()
        self.conv_first = conv3(channels, width)
        self.qkv_maps = nn.ModuleDict(
            {name: nn.Linear(width, width) for name in ("w_qs", "w_ks", "w_vs")}
        )
        self.deformable_corr = Correlation(width, groups)
        self.conv_last = conv3(width, channels)

    def forward(self, maps: Sequence[Tensor], wanted: Sequence[int]) -> list[Tensor]:
        """T maps (N, C, H, W) -> those at the positions `wanted`, aggregated."""
        sources, queries = [], {}
        for index, x in enumerate(maps):
            query, key, value = self.projected(x)
            sources.append(self.deformable_corr.source(key, value))
            if index in wanted:
                queries[index] = query
        return [maps[index] + self._gathered(index, queries[index], sources) for index in wanted]

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A map (N, C, H, W) -> query, key and value (N, E, H, W)."""
        pixels = self.conv_first(x).permute(0, 2, 3, 1)
        pixels = pixels.to(self.qkv_maps["w_qs"].weight.dtype)
        query, key, value = (layer(pixels).permute(0, 3, 1, 2) for layer in self.qkv_maps.values())
        return query, key, value

    def _gathered(self, index: int, query: Tensor, sources: Sequence[Source]) -> Tensor:
        half = self.deformable_corr.query_half(query)
        others = [source for number, source in enumerate(sources) if number != index]
        found = [self.deformable_corr(query, half, source) for source in others]
        relevance, taken = zip(*found, strict=True)
        gathered = torch.zeros_like(taken[0])
        for share, value in zip(torch.stack(relevance).softmax(0), taken, strict=True):
            gathered = torch.addcmul(gathered, share[..., None], value)
        return self.finished(gathered)

    def finished(self, gathered: Tensor) -> Tensor:
        """What was taken from the others, (N, H, W, E), mixed -> (N, C, H, W), to be added."""
        made: Tensor = self.conv_last(gathered.permute(0, 3, 1, 2).to(self.conv_last.weight.dtype))
        return made
