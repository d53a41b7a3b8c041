"""What FFmpeg knows of a video stream beside its parameters: side data, and what PyAV hides."""

from __future__ import annotations

import re
import struct
import threading
from fractions import Fraction
from typing import Any, cast

import av
from av.container import InputContainer

from vsrcli.media.frame import ChromaLocation
from vsrcli.media.geometry import Cropping, Orientation, orientation_from_matrix
from vsrcli.media.info import ContentLight, MasteringDisplay

# PyAV 18.1 frees the metadata of a frame's side data twice, and only these codecs attach any.
_NO_SIDE_DATA = {"png", "apng", "tiff", "webp", "exr", "bmp", "jpegxl", "gif", "qoi"}
_LOG_LOCK = threading.Lock()


def told_of(container: InputContainer, index: int) -> str:
    """FFmpeg's own description of a stream, which names what PyAV has no property for."""
    with _LOG_LOCK:
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        av.logging.set_libav_level(av.logging.VERBOSE)
        try:
            text = cast(Any, container).dumps_format()
        finally:
            av.logging.set_libav_level(av.logging.INFO)
            av.logging.set_level(level)
    match = re.search(rf"Stream #0:{index}(?!\d)(.*?)(?=Stream #|\Z)", text, re.DOTALL)
    return match[1] if match else ""


def chroma_location_from(told: str) -> ChromaLocation:
    """Where the container or the bitstream puts chroma samples; `told` is `told_of`'s."""
    if match := re.search(r": Video: (.*)", told):
        words = re.split(r"[(),] ?", match[1])
        for member in ChromaLocation:
            if member and member.name.lower() in words:
                return member
    return ChromaLocation.UNSPECIFIED


def cropping_from(told: str) -> Cropping:
    """What the container cuts off the pictures; `told` is `told_of`'s."""
    match = re.search(r"Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)", told, re.IGNORECASE)
    return Cropping(*map(int, match.groups())) if match else Cropping()


def side_data_of(codec: str, frame: av.VideoFrame) -> dict[str, bytes]:
    """The frame's side data by name, empty where PyAV cannot read it."""
    if codec in _NO_SIDE_DATA:
        return {}
    try:
        # Typed as a mapping, but it iterates over its values.
        side_data = cast(Any, frame.side_data)
        return {data.type.name: bytes(data) for data in side_data}
    except ValueError:  # a kind that this PyAV has no name for
        return {}


def orientation_from(frame: av.VideoFrame, side_data: dict[str, bytes]) -> Orientation:
    """How the container turns the stored picture."""
    if (matrix := side_data.get("DISPLAYMATRIX")) is not None:
        return orientation_from_matrix(struct.unpack("=9i", matrix[:36]))
    # Without side data the angle is still known, counter-clockwise; a mirror image is not.
    cos, sin = {0: (1, 0), 1: (0, 1), 2: (-1, 0), 3: (0, -1)}[round(frame.rotation / 90) % 4]
    one = 1 << 16
    return orientation_from_matrix(
        (cos * one, -sin * one, 0, sin * one, cos * one, 0, 0, 0, 1 << 30)
    )


def mastering_display_from(data: bytes | None) -> MasteringDisplay | None:
    """From AVMasteringDisplayMetadata: ten ratios of two ints, then two flags."""
    if data is None or len(data) < 88:
        return None
    numbers = struct.unpack("=22i", data[:88])
    ratios = [
        Fraction(top, bottom) if bottom else Fraction(0)
        for top, bottom in zip(numbers[0:20:2], numbers[1:20:2], strict=True)
    ]
    has_primaries, has_luminance = numbers[20:]
    return MasteringDisplay(
        primaries=tuple(zip(ratios[0:6:2], ratios[1:6:2], strict=True)) if has_primaries else None,
        white_point=(ratios[6], ratios[7]) if has_primaries else None,
        luminance=(ratios[8], ratios[9]) if has_luminance else None,
    )


def content_light_from(data: bytes | None) -> ContentLight | None:
    """From AVContentLightMetadata: two unsigned ints."""
    return None if data is None else ContentLight(*struct.unpack("=2I", data[:8]))
