"""What to assume where a video does not say how its code values stand for colours."""

from __future__ import annotations

from dataclasses import replace

from vsrcli.errors import InputError
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, PixelFormat, Range

BT2020_PRIMARIES = 9
BT2020_TRANSFERS = (14, 15, 16, 18)
"""H.273 codes of BT.2020 at 10 and 12 bits, PQ and HLG."""


def guess(
    width: int, height: int, tagged: ColorSpec, format: PixelFormat
) -> tuple[ColorSpec, list[str]]:
    """`tagged` with its unspecified matrix, range and chroma location filled in, and a phrase for
    each guess that another choice would have changed the colours of.

    Players guess by size, and so do we: HD is BT.709, smaller is BT.601. `primaries` and
    `transfer` stay as they are. Raises InputError for matrices that cannot be computed with.
    """
    if tagged.matrix is Matrix.BT2020_CL and format.family == "yuv":
        raise InputError(
            "constant-luminance BT.2020 (matrix bt2020c) is not supported: "
            "convert the input to bt2020nc first"
        )
    phrases: list[str] = []
    untagged = f"untagged {width}x{height} video"
    color = tagged
    if format.family == "rgb":
        color = replace(color, matrix=Matrix.RGB)
    elif color.matrix in (Matrix.UNSPECIFIED, Matrix.RGB, Matrix.BT2020_CL):
        matrix = _matrix(width, height, tagged)
        color = replace(color, matrix=matrix)
        if format.family == "yuv":
            phrases.append(f"{untagged}: assuming {_MATRIX_NAMES[matrix]} matrix")
    if color.range is Range.UNSPECIFIED:
        # FFmpeg, too, takes RGB and grey for full unless told otherwise.
        full = format.family != "yuv" or format.name.startswith("yuvj")
        color = replace(color, range=Range.FULL if full else Range.LIMITED)
        if not full:
            phrases.append(f"{untagged}: assuming limited range")
    if color.chroma_location is ChromaLocation.UNSPECIFIED:
        jpeg = format.name.startswith("yuvj")
        location = ChromaLocation.CENTER if jpeg else ChromaLocation.LEFT
        color = replace(color, chroma_location=location)
        if format.chroma_shift == (1, 1) and not jpeg:
            phrases.append(f"{untagged}: assuming chroma location left")
    return color, phrases


def _matrix(width: int, height: int, tagged: ColorSpec) -> Matrix:
    if tagged.primaries == BT2020_PRIMARIES or tagged.transfer in BT2020_TRANSFERS:
        return Matrix.BT2020_NCL
    if height >= 720 or width >= 1280:
        return Matrix.BT709
    return Matrix.BT470BG if height == 576 else Matrix.SMPTE170M


_MATRIX_NAMES = {
    Matrix.BT709: "BT.709",
    Matrix.BT470BG: "BT.601 (bt470bg)",
    Matrix.SMPTE170M: "BT.601 (smpte170m)",
    Matrix.BT2020_NCL: "BT.2020 (bt2020nc)",
}
