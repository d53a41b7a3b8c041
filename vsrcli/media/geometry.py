"""How a stored picture is turned to be shown, and what that does to its size and shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from math import atan2, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # probing a file must not wait for torch
    from torch import Tensor


@dataclass(frozen=True)
class Cropping:
    """Samples that are cut off a decoded picture, whose rest is what is meant to be seen."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of what is left."""
        return width - self.left - self.right, height - self.top - self.bottom


class Orientation(IntEnum):
    """What shows a stored picture upright, by its number in EXIF (tag 274).

    The names say what is done to the stored picture; turns are clockwise.
    """

    UPRIGHT = 1
    MIRROR = 2
    TURN_180 = 3
    FLIP = 4
    """Upside down, as in a mirror under it."""
    TRANSPOSE = 5
    """Mirrored about the diagonal from the top left."""
    TURN_90 = 6
    TRANSVERSE = 7
    """Mirrored about the diagonal from the top right."""
    TURN_270 = 8

    @property
    def swaps_axes(self) -> bool:
        """Whether width and height change places."""
        return self >= Orientation.TRANSPOSE


def orientation_from_matrix(matrix: Sequence[int]) -> Orientation:
    """The orientation of FFmpeg's display matrix, nine integers by rows.

    A stored point (x, y), y downwards, is shown at `(a x + c y, b x + d y)` plus a shift, where
    the matrix is `a b u, c d v, x y w`. Angles between quarter turns go to the nearest; scaling
    is ignored; a matrix that shows nothing is taken as upright.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if a * d == b * c:
        return Orientation.UPRIGHT
    quarters = round(atan2(b, a) / (pi / 2)) % 4  # how far clockwise the stored x axis is turned
    mirrored = a * d < b * c
    return (_TURNED_FLIPPED if mirrored else _TURNED)[quarters]


_TURNED = (Orientation.UPRIGHT, Orientation.TURN_90, Orientation.TURN_180, Orientation.TURN_270)
"""By quarter turns."""
_TURNED_FLIPPED = (
    Orientation.FLIP,
    Orientation.TRANSPOSE,
    Orientation.MIRROR,
    Orientation.TRANSVERSE,
)
"""The same after turning the picture upside down."""


def orient(picture: Tensor, orientation: Orientation) -> Tensor:
    """The picture (..., H, W) as it is shown, (..., H', W'); contiguous, or itself when upright.

    RGB, not planes: turning 4:2:2 by a quarter would leave 4:4:0.
    """
    if orientation is Orientation.UPRIGHT:
        return picture
    if orientation.swaps_axes:
        picture = picture.transpose(-1, -2)
    axes = _FLIPPED_AXES[orientation]
    return picture.flip(axes).contiguous() if axes else picture.contiguous()


_FLIPPED_AXES: dict[Orientation, tuple[int, ...]] = {
    Orientation.MIRROR: (-1,),
    Orientation.TURN_180: (-2, -1),
    Orientation.FLIP: (-2,),
    Orientation.TRANSPOSE: (),
    Orientation.TURN_90: (-1,),
    Orientation.TRANSVERSE: (-2, -1),
    Orientation.TURN_270: (-2,),
}
"""What is left to be flipped after rows and columns changed places."""


def oriented_size(size: tuple[int, int], orientation: Orientation) -> tuple[int, int]:
    """(width, height) as shown."""
    return (size[1], size[0]) if orientation.swaps_axes else size


def oriented_sar(sample_aspect_ratio: Fraction, orientation: Orientation) -> Fraction:
    """The sample aspect ratio (width over height of a sample) as shown; 0 stays 0, unknown."""
    if orientation.swaps_axes and sample_aspect_ratio:
        return 1 / sample_aspect_ratio
    return sample_aspect_ratio
