"""FFmpeg's pixel formats: which of them are planar, and their frames as planes of samples."""

from __future__ import annotations

import ctypes
from typing import Any, Literal, cast

import av
import numpy as np
from numpy.typing import NDArray

from vsrcli.errors import InputError
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, PixelFormat, Range, Samples


def pixel_format(name: str) -> PixelFormat:
    """The planar format of FFmpeg's name `name`; InputError for every other name."""
    try:
        return _PLANAR[name]
    except KeyError:
        raise InputError(
            f"pixel format {name} is not planar with 8 to 16 bits: "
            "convert the video to yuv420p, yuv422p10le, gbrp or the like first"
        ) from None


def planar_format(name: str) -> str:
    """The planar format that holds the samples of the format `name` without loss: itself, or what
    FFmpeg unpacks it to. InputError when there is none (floats, hardware surfaces, Bayer, XYZ)."""
    if name in _PLANAR:
        return name
    swapped = name.endswith("be") and not name.startswith(_LITTLE_ENDIAN_ONLY)
    native = f"{name[:-2]}le" if swapped else name
    planar = native if native in _PLANAR else _UNPACKED.get(native)
    if planar is None:
        raise InputError(
            f"pixel format {name} is not supported: "
            "convert the video to yuv420p, yuv422p10le, gbrp or the like first"
        )
    return planar


def stored_format(picture: av.VideoFrame) -> str:
    """FFmpeg's name of the picture's format; of one on a graphics card, that of its planes."""
    on_card = picture.sw_format
    return picture.format.name if on_card is None else planar_format(on_card.name)


def reformatted(picture: av.VideoFrame, name: str, **more: Any) -> av.VideoFrame:
    """`picture.reformat(format=name, **more)` without an error of FFmpeg's scaler (9.5): given
    several threads, it now and then spoils the beginning of a row in the middle of a picture, of
    P010 for one."""
    return picture.reformat(format=name, threads=1, **more)


def planes_from_av(picture: av.VideoFrame) -> tuple[Samples, ...]:
    """The samples as in `Frame.planes`, in the format `planar_format(picture.format.name)`.

    They are views of the picture's own memory where it is planar already, and keep it alive, so
    they must not be written to: decoders predict later frames from it.
    """
    name = planar_format(picture.format.name)
    if picture.format.name.startswith(_FEW_BITS):
        return _widened(picture)
    if name != picture.format.name:
        picture = reformatted(picture, name)
    form = _PLANAR[name]
    return tuple(
        _samples(picture, index, form)[:height, :width]
        for index, (height, width) in _layout(form, picture.width, picture.height)
    )


def frame_to_av(frame: Frame) -> av.VideoFrame:
    """A copy of the frame for an encoder, with its time; colour tags are `tag_av`'s."""
    picture = av.VideoFrame(frame.width, frame.height, frame.format.name)
    layout = _layout(frame.format, frame.width, frame.height)
    for samples, (index, (height, width)) in zip(frame.planes, layout, strict=True):
        _samples(picture, index, frame.format)[:height, :width] = samples
    picture.pts = frame.pts
    picture.time_base = frame.time_base
    picture.duration = frame.duration
    return picture


def color_of_av(picture: av.VideoFrame) -> ColorSpec:
    """The colour tags of a decoded picture. PyAV knows nothing of chroma locations: unspecified.

    InputError for matrices that need more than a matrix (ICtCp and the like).
    """
    code = picture.colorspace
    if code > Matrix.BT2020_CL:
        raise InputError(
            f"the colour matrix with H.273 code {code} is not supported: "
            "convert the video to bt709 or bt2020nc first"
        )
    return ColorSpec(
        matrix=Matrix.UNSPECIFIED if code == _RESERVED else Matrix(code),
        range=Range(picture.color_range),
        primaries=picture.color_primaries,
        transfer=picture.color_trc,
        chroma_location=ChromaLocation.UNSPECIFIED,
    )


def tag_av(picture: av.VideoFrame, color: ColorSpec) -> None:
    """Write the colour tags into a picture, except the chroma location, which PyAV cannot."""
    picture.colorspace = color.matrix
    picture.color_range = color.range
    picture.color_primaries = color.primaries
    picture.color_trc = color.transfer


_RESERVED = 3
"""The matrix code that H.273 leaves free."""


_KINDS: tuple[tuple[str, Literal["yuv", "rgb", "gray"], tuple[int, int], tuple[int, ...]], ...] = (
    ("yuv410p", "yuv", (2, 2), (8,)),
    ("yuv411p", "yuv", (2, 0), (8,)),
    ("yuv420p", "yuv", (1, 1), (8, 9, 10, 12, 14, 16)),
    ("yuv422p", "yuv", (1, 0), (8, 9, 10, 12, 14, 16)),
    ("yuv440p", "yuv", (0, 1), (8, 10, 12)),
    ("yuv444p", "yuv", (0, 0), (8, 9, 10, 12, 14, 16)),
    ("yuvj411p", "yuv", (2, 0), (8,)),
    ("yuvj420p", "yuv", (1, 1), (8,)),
    ("yuvj422p", "yuv", (1, 0), (8,)),
    ("yuvj440p", "yuv", (0, 1), (8,)),
    ("yuvj444p", "yuv", (0, 0), (8,)),
    ("yuva420p", "yuv", (1, 1), (8, 9, 10, 16)),
    ("yuva422p", "yuv", (1, 0), (8, 9, 10, 12, 16)),
    ("yuva444p", "yuv", (0, 0), (8, 9, 10, 12, 16)),
    ("gbrp", "rgb", (0, 0), (8, 9, 10, 12, 14, 16)),
    ("gbrap", "rgb", (0, 0), (8, 10, 12, 14, 16)),
    ("gray", "gray", (0, 0), (8, 9, 10, 12, 14, 16)),
)
"""Name at 8 bits, family, log2 of the subsampling across and down, bits."""

_PLANAR = {
    form.name: form
    for name, family, shift, depths in _KINDS
    for bits in depths
    for form in (
        PixelFormat(
            name if bits == 8 else f"{name}{bits}le",
            family,
            bits,
            shift,
            alpha=name.startswith(("yuva", "gbrap")),
        ),
    )
}

_UNPACKED = {
    # luma plane, interleaved chroma plane
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "nv20le": "yuv422p10le",
    "p010le": "yuv420p10le", "p012le": "yuv420p12le", "p016le": "yuv420p16le",
    "p210le": "yuv422p10le", "p212le": "yuv422p12le", "p216le": "yuv422p16le",
    "p410le": "yuv444p10le", "p412le": "yuv444p12le", "p416le": "yuv444p16le",
    # packed YCbCr
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "uyyvyy411": "yuv411p",
    "y210le": "yuv422p10le", "y212le": "yuv422p12le", "y216le": "yuv422p16le",
    "vuya": "yuva444p", "ayuv": "yuva444p", "uyva": "yuva444p", "ayuv64le": "yuva444p16le",
    "vuyx": "yuv444p", "vyu444": "yuv444p", "xv48le": "yuv444p16le", "xv36le": "yuv444p12le",
    "xv30le": "yuv444p10le", "v30xle": "yuv444p10le",
    # packed RGB
    "rgb24": "gbrp", "bgr24": "gbrp", "rgb0": "gbrp", "bgr0": "gbrp", "0rgb": "gbrp",
    "0bgr": "gbrp", "rgb48le": "gbrp16le", "bgr48le": "gbrp16le",
    "x2rgb10le": "gbrp10le", "x2bgr10le": "gbrp10le",
    "rgb444le": "gbrp", "bgr444le": "gbrp", "rgb555le": "gbrp", "bgr555le": "gbrp",
    "rgb565le": "gbrp", "bgr565le": "gbrp",
    "rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap", "abgr": "gbrap", "pal8": "gbrap",
    "rgba64le": "gbrap16le", "bgra64le": "gbrap16le",
    # grey with alpha, for which there is no planar format, and black and white
    "ya8": "gbrap", "ya16le": "gbrap16le", "monow": "gray", "monob": "gray",
}  # fmt: skip


_LITTLE_ENDIAN_ONLY = ("v30x", "x2bgr", "x2rgb", "xv30", "y21")
"""Packed formats whose big-endian kind FFmpeg defines but cannot unpack."""


def _layout(form: PixelFormat, width: int, height: int) -> list[tuple[int, tuple[int, int]]]:
    """For each of `Frame.planes`: FFmpeg's index of the plane, and its (height, width)."""
    count = (1 if form.family == "gray" else 3) + form.alpha
    order = (2, 0, 1, 3) if form.family == "rgb" else (0, 1, 2, 3)  # FFmpeg: G, B, R, alpha
    return [(order[index], form.plane_size(index, width, height)) for index in range(count)]


def _samples(picture: av.VideoFrame, index: int, form: PixelFormat) -> Samples:
    """The whole buffer of a plane, padding included: (rows, samples a line)."""
    dtype = np.uint8 if form.bits == 8 else np.uint16
    return cast(Samples, _lines(picture, index).view(dtype))


def _lines(picture: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    """The whole buffer of a plane by lines, padding included: (lines, bytes)."""
    plane = picture.planes[index]
    stride = plane.line_size
    if stride > 0:
        buffer = memoryview(cast(bytes, plane))  # whose type says nothing of its buffer protocol
        return np.frombuffer(buffer, np.uint8, stride * plane.height).reshape(-1, stride)
    # Stored from the bottom up: the buffer that PyAV shows begins with the last line in memory.
    first = plane.buffer_ptr + stride * (plane.height - 1)
    memory = (ctypes.c_uint8 * (-stride * plane.height)).from_address(first)
    return np.frombuffer(memoryview(memory), np.uint8).reshape(-1, -stride)[::-1].copy()


_FEW_BITS = ("rgb444", "bgr444", "rgb555", "bgr555", "rgb565", "bgr565")


def _widened(picture: av.VideoFrame) -> tuple[Samples, ...]:
    """R, G and B of 4 to 6 bits, packed into 16, as 8 bits: FFmpeg's own way makes white grey."""
    name = picture.format.name
    words = _lines(picture, 0)[:, : 2 * picture.width].view(">u2" if name.endswith("be") else "<u2")
    planes: dict[str, Samples] = {}
    for letter, digit in zip(reversed(name[:3]), reversed(name[3:6]), strict=True):
        highest = 2 ** int(digit) - 1
        codes = np.round(np.arange(highest + 1) * (255 / highest)).astype(np.uint8)
        planes[letter] = codes[words & highest]
        words = words >> int(digit)
    return planes["r"], planes["g"], planes["b"]
