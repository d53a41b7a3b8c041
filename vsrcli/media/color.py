"""Code values of a video <-> R'G'B' tensors, with the file's own matrix, range and chroma sites.

R'G'B' here is gamma-encoded as in the file: no transfer function is applied, so PQ and HLG stay
what they are. Nominal black and white are 0 and 1, but nothing is clamped: codes beyond them
(super-white, blacker than black, chroma outside of the RGB cube) come out as values beyond [0, 1]
and find their way back. A network that cannot take them must clamp for itself.

On the CPU a frame is worked through in strips of some rows, whose operands stay in the cache. One
thread does nearly as much as two there, and torch's pool of threads is worse than useless beside
a busy decoder and encoder (every operation waits for the slowest of them), so threads that only
convert should call `torch.set_num_threads(1)` when they start: it holds for the calling thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from vsrcli.media.chroma import enlarge, reduce, sites
from vsrcli.media.color_guess import guess
from vsrcli.media.color_matrix import Quantization, Row, conversion, quantization
from vsrcli.media.frame import ColorSpec, PixelFormat

__all__ = ["alpha_of", "from_rgb", "guess", "to_rgb"]

STRIP = 2**18
"""Most samples of a plane in a strip: as float32, one mebibyte."""


def to_rgb(
    planes: Sequence[Tensor],
    format: PixelFormat,
    color: ColorSpec,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The picture as R'G'B', (3, height, width), nominally [0, 1] and not clamped.

    planes: uint8 or uint16 as in `Frame.planes`, on the device that shall do the work. An alpha
    plane is ignored (see `alpha_of`); grey comes out three times. `color` has nothing unspecified.
    """
    luma = planes[0]
    height, width = luma.shape
    result = torch.empty((3, height, width), dtype=dtype, device=luma.device)
    if format.family == "yuv":
        _yuv_to_rgb(planes, format, color, result)
        return result
    codes = quantization(format.bits, color.range)
    scale, offset = 1 / codes.luma_scale, -codes.luma_offset / codes.luma_scale
    for start, stop in _strips(luma, 1):
        for channel in range(3):
            plane = planes[channel if format.family == "rgb" else 0]
            strip = plane[start:stop].to(torch.float32)
            result[channel, start:stop] = strip.mul_(scale).add_(offset)
    return result


def from_rgb(
    rgb: Tensor, format: PixelFormat, color: ColorSpec, alpha: Tensor | None = None
) -> tuple[Tensor, ...]:
    """The planes that stand for R'G'B' (3, height, width), as in `Frame.planes`, on its device.

    Values are rounded to the nearest code, halves up, and clipped to the codes that the format
    has (0 to 255 for 8 bits), not to the nominal range. `alpha`, (height, width) in [0, 1], fills
    the alpha plane of a format that has one; None is opaque. The planes are fresh: uint8 for 8
    bits, uint16 above. Any float type is computed in float32. NaN comes out as some code.
    """
    _, height, width = rgb.shape
    dtype = torch.uint8 if format.bits == 8 else torch.uint16
    count = 1 if format.family == "gray" else 3
    planes = [
        torch.empty(format.plane_size(plane, width, height), dtype=dtype, device=rgb.device)
        for plane in range(count)
    ]
    codes = quantization(format.bits, color.range)
    if format.family == "rgb":
        for start, stop in _strips(rgb[0], 1):
            for channel in range(3):
                strip = torch.mul(rgb[channel, start:stop].float(), codes.luma_scale)
                _store_codes(
                    strip.add_(codes.luma_offset), codes.maximum, planes[channel][start:stop]
                )
    else:
        _rgb_to_yuv(rgb, format, color, planes)
    if format.alpha:
        planes.append(_alpha_plane(alpha, codes, planes[0]))
    return tuple(planes)


def alpha_of(planes: Sequence[Tensor], format: PixelFormat) -> Tensor | None:
    """The alpha plane, (height, width) float32 in [0, 1], always of full range; None without."""
    if not format.alpha:
        return None
    return planes[-1].to(torch.float32).mul_(1 / (2**format.bits - 1))


def _yuv_to_rgb(
    planes: Sequence[Tensor], format: PixelFormat, color: ColorSpec, result: Tensor
) -> None:
    height, width = planes[0].shape
    shift_x, shift_y = format.chroma_shift
    site_x, site_y = sites(color.chroma_location)
    numbers = conversion(format, color)
    luma_weight = numbers.to_rgb[0][0]  # the same for R, G and B
    for start, stop in _strips(planes[0], 1 << shift_y):
        luma = planes[0][start:stop].to(torch.float32)
        luma.sub_(numbers.offsets[0]).mul_(luma_weight)
        # One chroma row more on either side, so that a strip's edge is like any other row.
        first, last = max(0, (start >> shift_y) - 1), (stop >> shift_y) + 1
        above = start - (first << shift_y)
        below = min(height, min(last, planes[1].shape[0]) << shift_y)
        codes = [plane[first:last].to(torch.float32) for plane in planes[1:3]]
        chroma = torch.stack(codes).sub_(numbers.offsets[1])
        chroma = enlarge(chroma, -2, below - start + above, 1 << shift_y, site_y)
        chroma = chroma[:, above : above + stop - start]
        cb, cr = enlarge(chroma, -1, width, 1 << shift_x, site_x)
        for channel, (_, cb_weight, cr_weight) in enumerate(numbers.to_rgb):
            terms = [(w, c) for w, c in ((cb_weight, cb), (cr_weight, cr)) if w]
            target = result[channel, start:stop]
            strip = target if result.dtype == torch.float32 else torch.empty_like(luma)
            torch.add(luma, terms[0][1], alpha=terms[0][0], out=strip)
            for weight, plane in terms[1:]:
                strip.add_(plane, alpha=weight)
            if strip is not target:
                target.copy_(strip)


def _rgb_to_yuv(
    rgb: Tensor, format: PixelFormat, color: ColorSpec, planes: Sequence[Tensor]
) -> None:
    height = rgb.shape[1]
    shift_x, shift_y = format.chroma_shift
    site_x, site_y = sites(color.chroma_location)
    numbers = conversion(format, color)
    for start, stop in _strips(rgb[0], 1 << shift_y):
        strip = [channel[start:stop].float() for channel in rgb]
        luma = _weighted(strip, numbers.from_rgb[0], numbers.offsets[0])
        _store_codes(luma, numbers.maximum, planes[0][start:stop])
        if format.family == "gray":
            continue
        # Resampling and matrix are linear: the cheapest order is rows, matrix, columns.
        first, last = start >> shift_y, -(-stop >> shift_y)
        if shift_y and site_y != "middle":  # its filter reaches into the rows of the neighbours
            above, below = min(first, 1), 1
            rows = slice((first - above) << shift_y, min(height, (last + below) << shift_y))
            reduced = [reduce(c[rows].float(), -2, 1 << shift_y, site_y) for c in rgb]
            strip = [channel[above : above + last - first] for channel in reduced]
        else:
            strip = [reduce(channel, -2, 1 << shift_y, site_y) for channel in strip]
        for plane in (1, 2):
            chroma = _weighted(strip, numbers.from_rgb[plane], numbers.offsets[plane])
            chroma = reduce(chroma, -1, 1 << shift_x, site_x)
            _store_codes(chroma, numbers.maximum, planes[plane][first:last])


def _weighted(channels: Sequence[Tensor], weights: Row, offset: float) -> Tensor:
    """The weighted sum of three planes plus an offset; fresh."""
    result = torch.mul(channels[0], weights[0])
    for channel, weight in zip(channels[1:], weights[1:], strict=True):
        result.add_(channel, alpha=weight)
    return result.add_(offset)


def _store_codes(values: Tensor, maximum: int, plane: Tensor) -> None:
    """Round halves up and clip to [0, maximum] into `plane`; `values` (float32) are used up."""
    values.add_(0.5).clamp_(0, maximum)  # and the conversions cut what follows the point
    if plane.dtype == torch.uint8 and plane.device.type == "cpu":
        plane.copy_(values.to(torch.int16))  # two conversions that are vectorized beat one not
    else:
        plane.copy_(values)


def _alpha_plane(alpha: Tensor | None, codes: Quantization, like: Tensor) -> Tensor:
    plane = torch.empty_like(like)
    if alpha is None:
        return plane.fill_(codes.maximum)
    _store_codes(alpha.float() * codes.maximum, codes.maximum, plane)
    return plane


def _strips(plane: Tensor, multiple: int) -> Iterator[tuple[int, int]]:
    """(first row, last row + 1) of the strips that make up a plane; the first is a multiple."""
    height, width = plane.shape
    rows = height
    if plane.device.type == "cpu":
        rows = max(1, STRIP // (width * multiple)) * multiple
    for start in range(0, height, rows):
        yield start, min(height, start + rows)
