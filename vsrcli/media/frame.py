"""What travels between decoder and encoder: planes of samples with their time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Samples = NDArray[np.uint8] | NDArray[np.uint16]


class Matrix(IntEnum):
    """YCbCr matrix, by its ITU-T H.273 code (the codes FFmpeg uses too)."""

    RGB = 0
    BT709 = 1
    UNSPECIFIED = 2
    FCC = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    YCGCO = 8
    BT2020_NCL = 9
    BT2020_CL = 10


class Range(IntEnum):
    """Code-value range, by FFmpeg's number."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


class ChromaLocation(IntEnum):
    """Where a chroma sample sits among its luma samples, by FFmpeg's number."""

    UNSPECIFIED = 0
    LEFT = 1
    CENTER = 2
    TOPLEFT = 3
    TOP = 4
    BOTTOMLEFT = 5
    BOTTOM = 6


@dataclass(frozen=True)
class ColorSpec:
    """How code values stand for colours. Nothing in it is UNSPECIFIED after a guess was made,
    apart from `primaries` and `transfer`, which are only ever handed on."""

    matrix: Matrix
    range: Range
    primaries: int
    """ITU-T H.273 code; 2 is unspecified."""
    transfer: int
    """ITU-T H.273 code; 2 is unspecified, 16 is PQ, 18 is HLG."""
    chroma_location: ChromaLocation

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer function is PQ (SMPTE ST 2084) or HLG (ARIB STD-B67)."""
        return self.transfer in (16, 18)


@dataclass(frozen=True)
class PixelFormat:
    """A planar pixel format: one plane a component, samples of 8 to 16 bits in the low bits."""

    name: str
    """FFmpeg's name, native byte order: `yuv420p`, `yuv422p10le`, `gbrp`, `gray12le` ..."""
    family: Literal["yuv", "rgb", "gray"]
    bits: int
    chroma_shift: tuple[int, int]
    """log2 of the horizontal and vertical chroma subsampling; (0, 0) for 4:4:4, RGB and grey."""
    alpha: bool

    def plane_size(self, plane: int, width: int, height: int) -> tuple[int, int]:
        """(height, width) of a plane; subsampled sizes round up."""
        if self.family == "yuv" and plane in (1, 2):
            shift_x, shift_y = self.chroma_shift
            return -(-height >> shift_y), -(-width >> shift_x)
        return height, width


@dataclass(frozen=True)
class Frame:
    """One picture, as stored: its planes, and when it is shown."""

    planes: tuple[Samples, ...] | tuple[Tensor, ...]
    """Y, Cb, Cr | R, G, B (in this order, not FFmpeg's G, B, R) | Y, then alpha if there is one.
    Each (height, width), uint8 for 8 bits and uint16 above; rows may be strided.
    Tensors where a graphics card has decoded them, or is to encode them."""
    format: PixelFormat
    pts: int
    time_base: Fraction
    duration: int
    """In `time_base` units; 0 when unknown."""

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def seconds(self) -> float:
        """Presentation time, for people; never compute with it."""
        return float(self.pts * self.time_base)
