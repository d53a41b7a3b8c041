"""Plain resampling of a video's planes as they are stored, without the way over RGB.

Enlarging is linear, and so are colour conversion and the resampling of chroma: where input and
output have the same colours and format, the conversions cancel, and each plane can be resampled
by itself. The result is that of the way over RGB, to the rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from vsrcli.jobs.clock import clocks_for
from vsrcli.jobs.route import Picturing, Segment
from vsrcli.media.chroma import Site, enlarge, reduce, sites
from vsrcli.media.frame import Frame
from vsrcli.media.geometry import Orientation
from vsrcli.networks.resample import Resample
from vsrcli.ops.resize import (
    COLUMN_BAND,
    ROW_BAND,
    Band,
    Kernel,
    banded,
    resample_columns,
    weight_matrix,
)
from vsrcli.restore.restorer import Restorer


def resampling_of_planes(restorer: Restorer, picturing: Picturing) -> Kernel | None:
    """The kernel with which `PlaneRoute` does what the model would do; None if it cannot."""
    if (
        isinstance(restorer.network, Resample)
        and restorer.device.type == "cpu"
        and picturing.orientation == Orientation.UPRIGHT
        and picturing.color == picturing.plan.color
        and picturing.format == picturing.plan.format
    ):
        return restorer.network.kernel
    return None


class PlaneRoute:
    """Resamples every plane of a frame to the output's size."""

    threads: int | None = 1
    """Bands are too small to share, and a busy encoder wants the other cores."""

    device = torch.device("cpu")

    def __init__(self, kernel: Kernel, picturing: Picturing, segment: Segment) -> None:
        self.clocks = clocks_for(self.device)
        self._kernel = kernel
        self._picturing = picturing
        self._segment = segment

    def prepare(self, frame: Frame) -> Frame:
        """Nothing to do."""
        return frame

    def restore(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames of the segment in the output's size."""
        return (self._resampled(frame) for frame in frames if self._segment.contains(frame.pts))

    def finish(self, results: Iterable[Frame]) -> Iterator[Frame]:
        """Nothing to do."""
        return iter(results)

    def tensors(self, item: Frame) -> Iterable[Tensor]:
        """None: the planes are the program's own."""
        return ()

    def _resampled(self, frame: Frame) -> Frame:
        format, plan = frame.format, self._picturing.plan
        planes = []
        for index, samples in enumerate(frame.planes):
            is_chroma = format.family == "yuv" and index in (1, 2)
            shift_x, shift_y = format.chroma_shift if is_chroma else (0, 0)
            site_x, site_y = sites(plan.color.chroma_location)
            rows = _bands(frame.height, plan.height, shift_y, site_y, self._kernel, ROW_BAND)
            columns = _bands(frame.width, plan.width, shift_x, site_x, self._kernel, COLUMN_BAND)
            plane = torch.from_numpy(samples)
            planes.append(_resampled(plane, rows, columns, 2**format.bits - 1).numpy())
        return Frame(tuple(planes), format, frame.pts, frame.time_base, frame.duration)


def _resampled(plane: Tensor, rows: list[Band], columns: list[Band], maximum: int) -> Tensor:
    """(H, W) -> (H', W') of the same integer type, rounded to the nearest code, halves up."""
    width = columns[-1].start + columns[-1].matrix.shape[0]
    height = rows[-1].start + rows[-1].matrix.shape[0]
    wide = torch.empty(plane.shape[0], width)
    # The weights of a sample add up to 1: the half that rounds comes through.
    resample_columns(plane.float().add_(0.5), wide, columns)
    result = torch.empty((height, width), dtype=plane.dtype)
    values = torch.empty(ROW_BAND, width)
    integer = torch.int16 if plane.dtype == torch.uint8 else torch.int32
    for start, first, matrix in rows:
        count, taps = matrix.shape
        band = torch.mm(matrix, wide[first : first + taps], out=values[:count])
        result[start : start + count].copy_(band.to(integer).clamp_(0, maximum))
    return result


@lru_cache(maxsize=16)
def _bands(
    source: int, target: int, shift: int, site: Site, kernel: Kernel, length: int
) -> list[Band]:
    """What resamples one axis of a plane, `source` and `target` counted in luma samples.

    For chroma, 2^`shift` times coarser: to luma's samples, to the target's, and back.
    """
    matrix = weight_matrix(source, target, kernel)
    if shift:
        coarse = torch.eye(-(-source >> shift), dtype=torch.float64)
        enlarged = enlarge(coarse, -2, source, 1 << shift, site)
        # Without most of the zeros, which would take longer than a frame.
        matrix = torch.cat(
            [band @ enlarged[first:][: band.shape[1]] for _, first, band in banded(matrix, length)]
        )
        matrix = reduce(matrix, -2, 1 << shift, site)
    return banded(matrix.float(), length)
