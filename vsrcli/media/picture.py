"""Decoding one still image file."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.codec import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from vsrcli.errors import InputError
from vsrcli.media.access import MAX_PIXELS, check_file, check_size
from vsrcli.media.formats import color_of_av, pixel_format, planar_format, planes_from_av
from vsrcli.media.frame import ColorSpec, Matrix, PixelFormat, Range, Samples
from vsrcli.media.geometry import Orientation
from vsrcli.media.icc import profile_in
from vsrcli.media.sidedata import orientation_from

SUFFIXES = {
    ".bmp": "bmp",
    ".exr": "exr",
    ".jpeg": "jpeg",
    ".jpg": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
}
"""Ends of image file names that a folder is searched for, and the kind they stand for."""

MAX_FILE = 2 << 30
"""Bytes: the greatest image file that is read."""

_EXR_NOTE = (
    "EXR holds linear light; it is read as 16-bit sRGB, and what is brighter than 1.0 is clipped"
)


@dataclass(frozen=True)
class Picture:
    """A decoded image."""

    planes: tuple[Samples, ...]
    """As in `Frame.planes`."""
    format: PixelFormat
    stored_format: str
    """FFmpeg's name of the decoder's own format."""
    codec: str
    color: ColorSpec
    """As tagged in the file, or as its kind of file defines."""
    orientation: Orientation
    """From the file's EXIF data, where FFmpeg reads them."""
    sample_aspect_ratio: Fraction | None
    icc_profile: bytes
    """Empty without one."""
    warnings: tuple[str, ...]

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])


def codec_of(file: Path) -> str | None:
    """FFmpeg's codec for a still image, told by the first bytes of the file; None for others.

    Neither an animated PNG is one, nor JPEG images one after the other.
    """
    with file.open("rb") as stream:
        head = stream.read(4096)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None if b"acTL" in head.partition(b"IDAT")[0] else "png"
    if head.startswith(b"\xff\xd8\xff"):
        return None if _in_motion(file) else "mjpeg"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\x76\x2f\x31\x01"):
        return "exr"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "bmp"
    return None


def _in_motion(file: Path) -> bool:
    """Whether another JPEG image follows the first, and that does not name it as its own, as
    those of cameras do (CIPA DC-007)."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        following = data.find(b"\xff\xd9\xff\xd8\xff")
        return following >= 0 and data.find(b"MPF\0", 0, following) < 0


def read_picture(file: Path) -> Picture:
    """The image in `file`.

    InputError when it is missing, damaged, too large, of an unknown kind, or in a pixel format
    that planes of 8 to 16 bits cannot hold.
    """
    check_file(str(file))
    try:
        codec = codec_of(file)
        if codec is None:
            raise InputError(
                f"{file}: not an image that can be read (PNG, JPEG, TIFF, WebP, EXR, BMP)"
            )
        if file.stat().st_size > MAX_FILE:
            raise InputError(f"{file}: larger than {MAX_FILE >> 30} GiB, the limit for one image")
        # Decoders read up to 64 bytes beyond a packet's end, which must be zeros.
        padded = memoryview(file.read_bytes() + bytes(64))
    except OSError as error:  # gone since it was looked at, or the disk fails
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    if codec == "webp" and _animated(file):
        raise InputError(
            f"{file}: an animated WebP, which FFmpeg cannot read; convert it to APNG or a video"
        )
    context = cast(VideoCodecContext, CodecContext.create(codec, "r"))
    context.thread_count = 1  # whole images are decoded in parallel instead
    context.options = {"max_pixels": str(MAX_PIXELS)}
    if codec == "exr":
        context.options = {**context.options, "apply_trc": "iec61966_2_1"}
    try:
        images = context.decode(Packet(cast(bytes, padded[:-64]))) + context.decode(None)
    except av.FFmpegError as error:
        raise InputError(
            f"{file}: cannot be decoded; it is damaged, too large or of an unusual kind"
        ) from error
    if not images:
        raise InputError(f"{file}: cannot be decoded; it is damaged or of an unusual kind")
    image = images[0]
    check_size(str(file), image.width, image.height)
    try:
        profile = profile_in(padded[:-64].tobytes(), codec)
        return _picture(image, codec, context.sample_aspect_ratio or None, profile)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _animated(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(21)
    return head[12:16] == b"VP8X" and bool(head[20] & 2)


def _picture(
    image: VideoFrame, codec: str, sample_aspect_ratio: Fraction | None, icc_profile: bytes
) -> Picture:
    stored = image.format.name
    floats = codec == "exr"
    form = pixel_format(_INTEGER[stored] if floats else planar_format(stored))
    return Picture(
        planes=_integer_planes(image) if floats else planes_from_av(image),
        format=form,
        stored_format=stored,
        codec=codec,
        color=_color(image, form, codec),
        orientation=orientation_from(image, {}),
        sample_aspect_ratio=sample_aspect_ratio,
        icc_profile=icc_profile,
        warnings=(_EXR_NOTE,) if floats else (),
    )


_INTEGER = {
    "gbrpf32le": "gbrp16le",
    "gbrapf32le": "gbrap16le",
    "grayf32le": "gray16le",
}


def _integer_planes(image: VideoFrame) -> tuple[Samples, ...]:
    """R, G, B, then alpha | Y: floats in [0, 1] as 16 bits, what is outside clipped."""
    order = {1: (0,), 3: (2, 0, 1), 4: (2, 0, 1, 3)}[len(image.planes)]
    planes = []
    for index in order:
        plane = image.planes[index]
        samples = np.frombuffer(cast(Any, plane), np.float32)
        rows = samples.reshape(image.height, plane.line_size // 4)
        values: NDArray[np.float32] = np.nan_to_num(rows[:, : image.width], nan=0.0)
        planes.append((np.clip(values, 0, 1) * 65535 + 0.5).astype(np.uint16))
    return tuple(planes)


def _color(image: VideoFrame, form: PixelFormat, codec: str) -> ColorSpec:
    """The image's tags, completed by what its kind of file says without tags."""
    color = color_of_av(image)
    if form.family == "gray":
        # PNG tags grey as RGB; there is no matrix to undo.
        color = replace(color, matrix=Matrix.UNSPECIFIED, range=Range.FULL)
    elif form.family == "rgb":
        color = replace(color, matrix=Matrix.RGB, range=Range.FULL)
    elif color.matrix == Matrix.UNSPECIFIED:
        # JFIF, TIFF and WebP all mean BT.601, whatever the size.
        color = replace(color, matrix=Matrix.BT470BG)
        if color.range == Range.UNSPECIFIED:
            color = replace(color, range=Range.LIMITED if codec == "webp" else Range.FULL)
    return color
