"""Resampling of chroma planes, so that enlarging and reducing them again loses nothing.

Along one axis, `factor` (2 or 4) luma samples share a chroma sample, and the chroma location says
where it sits among them (the chroma sample location type of ITU-T H.273):

    start    on the first of them          left, top
    middle   half-way between the ends     center, or the axis that the location does not name
    end      on the last of them           bottom

Each pair below is exact on straight slopes and satisfies `reduce(enlarge(c)) == c`, so that a
video that no network touched keeps its chroma whatever the content, noise included:

    start, end   enlarge: linear interpolation. reduce: the chroma position's own sample plus a
                 tent-weighted mean of what the interpolation misses around it; for factor 2 these
                 are the LeGall 5/3 filters of JPEG 2000 (ITU-T T.800).
    middle       enlarge: a straight line through each cell, with the slope of its neighbours.
                 reduce: the mean of the cell (the usual box). For factor 2: the biorthogonal
                 spline pair 1/3 of Cohen, Daubechies and Feauveau (1992).

At a step they overshoot by an eighth of its height (by less than a fifth for factor 4); nothing
here clips.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vsrcli.media.frame import ChromaLocation

Site = Literal["start", "middle", "end"]
"""Where along an axis the chroma sample sits among its luma samples."""


def sites(location: ChromaLocation) -> tuple[Site, Site]:
    """The horizontal and the vertical site of a chroma location."""
    return _SITES[location]


_SITES: dict[ChromaLocation, tuple[Site, Site]] = {
    ChromaLocation.LEFT: ("start", "middle"),
    ChromaLocation.CENTER: ("middle", "middle"),
    ChromaLocation.TOPLEFT: ("start", "start"),
    ChromaLocation.TOP: ("middle", "start"),
    ChromaLocation.BOTTOMLEFT: ("start", "end"),
    ChromaLocation.BOTTOM: ("middle", "end"),
}


def enlarge(chroma: Tensor, axis: int, size: int, factor: int, site: Site) -> Tensor:
    """`chroma` (floating) brought to `size` samples along `axis`, which is -1 or -2.

    It has `ceil(size / factor)` samples there; the last of them may stand for fewer than `factor`.
    """
    if factor == 1:
        return chroma
    if site == "end":
        count = size // factor
        whole = enlarge(_part(chroma, axis, 0, count).flip(axis), axis, count * factor, factor,
                        "start").flip(axis)  # fmt: skip
        rest = _part(chroma, axis, count).repeat_interleave(size - count * factor, axis)
        return torch.cat((whole, rest), axis)
    shape = list(chroma.shape)
    shape[axis] = size
    result = chroma.new_empty(shape)
    if site == "start":
        _interpolate(chroma, axis, factor, result)
    else:
        _extend_slopes(chroma, axis, factor, result)
    return result


def reduce(samples: Tensor, axis: int, factor: int, site: Site) -> Tensor:
    """`samples` (floating) brought to one in `factor` along `axis`, rounded up.

    Undoes `enlarge`.
    """
    if factor == 1:
        return samples
    size = samples.shape[axis]
    count = size // factor
    if site == "start":
        return _correct(samples, axis, factor)
    if site == "end":
        whole = _correct(_part(samples, axis, 0, count * factor).flip(axis), axis, factor)
        result = whole.flip(axis)
    else:
        result = _mean(samples, axis, count, factor)
    if count * factor == size:
        return result
    return torch.cat((result, _part(samples, axis, count * factor).mean(axis, keepdim=True)), axis)


def _mean(samples: Tensor, axis: int, count: int, factor: int) -> Tensor:
    """The means of `count` whole cells."""
    phases = [_part(samples, axis, offset, count * factor, factor) for offset in range(factor)]
    if factor == 2:
        return torch.lerp(phases[0], phases[1], 0.5)
    return torch.stack(phases).mean(0)


def _interpolate(chroma: Tensor, axis: int, factor: int, result: Tensor) -> None:
    """Fill `result` by linear interpolation; beyond the last chroma sample it is repeated."""
    count = chroma.shape[axis]
    _part(result, axis, 0, None, factor).copy_(chroma)
    here, after = _part(chroma, axis, 0, count - 1), _part(chroma, axis, 1)
    for offset in range(1, factor):
        target = _part(result, axis, offset, (count - 1) * factor, factor)
        torch.lerp(here, after, offset / factor, out=target)
    _part(result, axis, (count - 1) * factor + 1).copy_(_part(chroma, axis, count - 1))


def _extend_slopes(chroma: Tensor, axis: int, factor: int, result: Tensor) -> None:
    """Fill `result` with one straight line a chroma sample; flat where the last cell is partial."""
    count = chroma.shape[axis]
    size = result.shape[axis]
    slope = torch.zeros_like(chroma)  # between the two neighbours, in 1 / (2 cells)
    if count > 1:
        inside = _part(slope, axis, 1, count - 1)
        torch.sub(_part(chroma, axis, 2), _part(chroma, axis, 0, count - 2), out=inside)
        _part(slope, axis, 0, 1).copy_(_part(chroma, axis, 1, 2)).sub_(_part(chroma, axis, 0, 1))
        if count * factor == size:
            last = _part(slope, axis, count - 1).copy_(_part(chroma, axis, count - 1))
            last.sub_(_part(chroma, axis, count - 2, count - 1))
    for offset in range(factor):
        target = _part(result, axis, offset, None, factor)
        covered = target.shape[axis]  # one less than `count` where the partial cell ends earlier
        position = (2 * offset + 1 - factor) / (2 * factor)  # from the cell's middle, in cells
        torch.add(
            _part(chroma, axis, 0, covered),
            _part(slope, axis, 0, covered),
            alpha=position / 2,
            out=target,
        )


def _correct(samples: Tensor, axis: int, factor: int) -> Tensor:
    """The samples at the chroma positions plus the tent-weighted residual of interpolating them."""
    result = _part(samples, axis, 0, None, factor).clone()
    count = result.shape[axis]
    nodes = result.clone()
    here, after = _part(nodes, axis, 0, count - 1), _part(nodes, axis, 1)
    end = (count - 1) * factor
    for offset in range(1, factor):
        near, far = (factor - offset) / factor**2, offset / factor**2
        residual = _part(samples, axis, offset, end, factor) - torch.lerp(
            here, after, offset / factor
        )
        _part(result, axis, 0, count - 1).add_(residual, alpha=near)
        _part(result, axis, 1).add_(residual, alpha=far)
        beyond = _part(samples, axis, end + offset, end + offset + 1)
        if beyond.shape[axis]:
            last = _part(nodes, axis, count - 1)
            _part(result, axis, count - 1).add_(beyond - last, alpha=near)
    return result


def _part(tensor: Tensor, axis: int, start: int, stop: int | None = None, step: int = 1) -> Tensor:
    """The view `tensor[start:stop:step]` along `axis`, -1 or -2."""
    if axis == -1:
        return tensor[..., start:stop:step]
    return tensor[..., start:stop:step, :]
