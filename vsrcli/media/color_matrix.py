"""The numbers that relate code values to R'G'B', from ITU-T H.273 and the standards it cites."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from vsrcli.errors import InputError
from vsrcli.media.frame import ColorSpec, Matrix, PixelFormat, Range

Row = tuple[float, float, float]

LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.FCC: (0.30, 0.11),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.SMPTE240M: (0.212, 0.087),
    Matrix.BT2020_NCL: (0.2627, 0.0593),
}
"""(Kr, Kb): the shares of red and blue in luma; ITU-T H.273, table of MatrixCoefficients."""


@dataclass(frozen=True)
class Quantization:
    """What code values of one format and range mean; ITU-T H.273, section 8.3."""

    luma_scale: float
    """Codes from black to white; also of R, G and B."""
    luma_offset: float
    """The code of black."""
    chroma_scale: float
    """Codes from -0.5 to 0.5."""
    chroma_offset: float
    """The code of no colour."""
    maximum: int
    """The highest code."""


def quantization(bits: int, color_range: Range) -> Quantization:
    """The meaning of codes of `bits` bits."""
    maximum = 2**bits - 1
    if color_range is Range.FULL:
        return Quantization(maximum, 0, maximum, 2 ** (bits - 1), maximum)
    unit = 2 ** (bits - 8)
    return Quantization(219 * unit, 16 * unit, 224 * unit, 128 * unit, maximum)


@dataclass(frozen=True)
class Conversion:
    """Both directions between codes Y, Cb, Cr and R'G'B' of [0, 1].

    `rgb[i] = to_rgb[i] . (y - luma_offset, cb - chroma_offset, cr - chroma_offset)` and
    `(y, cb, cr)[i] = from_rgb[i] . rgb + offsets[i]`.
    """

    to_rgb: tuple[Row, Row, Row]
    from_rgb: tuple[Row, Row, Row]
    offsets: Row
    maximum: int


@lru_cache(maxsize=64)
def conversion(format: PixelFormat, color: ColorSpec) -> Conversion:
    """The conversion of a format of the families yuv and gray; InputError without a matrix."""
    codes = quantization(format.bits, color.range)
    forward, inverse = _analog(color.matrix)
    # YCgCo is made of quantized R, G and B, so that its chroma has their scale.
    chroma_scale = codes.luma_scale if color.matrix is Matrix.YCGCO else codes.chroma_scale
    scales = (codes.luma_scale, chroma_scale, chroma_scale)
    return Conversion(
        to_rgb=_rows([[value / scale for value, scale in zip(row, scales, strict=True)]
                      for row in inverse]),
        from_rgb=_rows([[value * scale for value in row]
                        for row, scale in zip(forward, scales, strict=True)]),
        offsets=(codes.luma_offset, codes.chroma_offset, codes.chroma_offset),
        maximum=codes.maximum,
    )  # fmt: skip


def _rows(matrix: list[list[float]]) -> tuple[Row, Row, Row]:
    first, second, third = ((row[0], row[1], row[2]) for row in matrix)
    return first, second, third


def _analog(matrix: Matrix) -> tuple[list[list[float]], list[list[float]]]:
    """The 3x3 matrices R'G'B' -> Y'PbPr and back; Y' in [0, 1], Pb and Pr in [-0.5, 0.5]."""
    if matrix is Matrix.YCGCO:  # Cg stands in Cb's place
        return (
            [[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0.0, -0.5]],
            [[1.0, -1.0, 1.0], [1.0, 1.0, 0.0], [1.0, -1.0, -1.0]],
        )
    if matrix not in LUMA_WEIGHTS:
        raise InputError(
            f"cannot convert colours of matrix {matrix.name.lower()} in this pixel format: "
            "convert the input to bt709 or bt2020nc first"
        )
    red, blue = LUMA_WEIGHTS[matrix]
    green = 1 - red - blue
    blue_span, red_span = 2 * (1 - blue), 2 * (1 - red)  # of B - Y and R - Y, over -1 .. 1
    return (
        [
            [red, green, blue],
            [-red / blue_span, -green / blue_span, 0.5],
            [0.5, -green / red_span, -blue / red_span],
        ],
        [
            [1.0, 0.0, red_span],
            [1.0, -blue * blue_span / green, -red * red_span / green],
            [1.0, blue_span, 0.0],
        ],
    )
