"""ICC colour profiles of still images: found in PNG, JPEG and WebP, kept in PNG.

Samples are restored as they are, so the profile of the input says what those of the output mean.
"""

from __future__ import annotations

import struct
import zlib

MOST = 16 << 20
"""Bytes of a profile; a larger one is no profile."""

_PNG_HEAD = 33
"""Bytes of a PNG file's signature and of the chunk with its size, which come first."""


def profile_in(data: bytes, codec: str) -> bytes:
    """The profile of RGB pictures in an image file of libav's `codec`; empty without one."""
    find = {"png": _in_png, "mjpeg": _in_jpeg, "webp": _in_webp}.get(codec)
    try:
        profile = b"" if find is None else find(data)
    except (struct.error, zlib.error):  # damaged: the picture may be whole
        return b""
    return profile if profile[16:20] == b"RGB " else b""


def with_profile(png: bytes, profile: bytes) -> bytes:
    """The PNG file with an ICC profile."""
    body = b"iCCPICC profile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_PNG_HEAD] + chunk + png[_PNG_HEAD:]


def _in_png(data: bytes) -> bytes:
    position = 8
    while True:
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"IDAT", b"IEND"):
            return b""
        if kind == b"iCCP":
            body = data[position + 8 : position + 8 + size]
            _, _, packed = body.partition(b"\0")
            return zlib.decompressobj().decompress(packed[1:], MOST)
        position += 12 + size


def _in_jpeg(data: bytes) -> bytes:
    parts: dict[int, bytes] = {}
    position = 2
    while True:
        mark, size = struct.unpack_from(">HH", data, position)
        if not 0xFFC0 <= mark < 0xFFFF or mark == 0xFFDA:  # the picture itself follows
            return b"".join(parts[number] for number in sorted(parts))
        body = data[position + 4 : position + 2 + size]
        if mark == 0xFFE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            parts[body[12]] = body[14:]
        position += 2 + size


def _in_webp(data: bytes) -> bytes:
    position = 12
    while True:
        kind, size = struct.unpack_from("<4sI", data, position)
        if kind == b"ICCP":
            return data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
