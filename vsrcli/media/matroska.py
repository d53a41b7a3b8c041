"""The shape of samples in Matroska and WebM, which PyAV cannot tell libav's muxer.

The muxer takes it from a field of the stream that PyAV does not reach, so the two elements are
put into the finished file. They take their place from the padding that the muxer leaves before
the track descriptions; nothing behind these moves. RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_SEGMENT = b"\x18\x53\x80\x67"
_SEEK_HEAD = b"\x11\x4d\x9b\x74"
_SEEK = b"\x4d\xbb"
_SEEK_POSITION = b"\x53\xac"
_VOID = b"\xec"
_CRC = b"\xbf"
_INFO = b"\x15\x49\xa9\x66"
_TRACKS = b"\x16\x54\xae\x6b"
_TRACK = b"\xae"
_VIDEO = b"\xe0"
_PIXEL_WIDTH = b"\xb0"
_PIXEL_HEIGHT = b"\xba"
_DISPLAY_WIDTH = b"\x54\xb0"
_DISPLAY_HEIGHT = b"\x54\xba"
_DISPLAY_UNIT = b"\x54\xb2"
_SHAPE = 3
"""The display unit of a width and a height whose ratio alone counts."""
_DISPLAY = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT)

_HEAD = 1 << 20
"""Bytes within which the track descriptions end; attachments come behind them."""


@dataclass(frozen=True)
class _Element:
    id: bytes
    body: bytes
    begin: int
    """Where it begins, in its parent's body."""
    length: int
    """With its header."""
    width: int
    """Bytes of the header that tell the size, which the muxer makes wider than needed."""


def set_sample_aspect_ratio(path: Path, aspect: Fraction) -> bool:
    """Write the display size into a file that libav's muxer just finished; False when there is
    no room or the file is laid out in another way, and nothing was changed."""
    with path.open("r+b") as file:
        head = file.read(_HEAD)
        base = head.index(_SEGMENT) + len(_SEGMENT)
        base += _size_length(head[base])
        found: list[_Element] = []
        for element in _elements(head[base:]):
            found.append(element)
            if element.id == _TRACKS:
                break
        if [element.id for element in found] != [_SEEK_HEAD, _VOID, _INFO, _TRACKS]:
            return False
        seek_head, void, info, tracks = found
        changed = _checked(tracks, _with_display_size(tracks.body, aspect))
        growth = len(changed) - tracks.length
        # The smallest padding is an identifier and a size of eight bytes.
        if not 0 <= growth <= void.length - 9:
            return False
        padding = _VOID + _size(void.length - growth - 9, 8) + bytes(void.length - growth - 9)
        moved = _checked(seek_head, _moved(seek_head.body, growth))
        region = moved + padding + head[base + info.begin : base + info.begin + info.length]
        region += changed
        assert len(moved) == seek_head.length
        assert len(region) == tracks.begin + tracks.length
        file.seek(base)
        file.write(region)
    return True


def _with_display_size(tracks: bytes, aspect: Fraction) -> bytes:
    """The track descriptions, with a display size in the first that is a video's."""
    parts = []
    done = False
    for track in _elements(tracks):
        body = track.body
        inside = _elements(body) if track.id == _TRACK and not done else ()
        video = next((element for element in inside if element.id == _VIDEO), None)
        if video is not None:
            numbers = {e.id: int.from_bytes(e.body, "big") for e in _elements(video.body)}
            width, height = numbers[_PIXEL_WIDTH], numbers[_PIXEL_HEIGHT]
            shown = width * aspect
            unit = b""
            if shown.denominator != 1:  # no whole number of pixels: the shape of the picture
                shown = shown / height
                height, unit = shown.denominator, _number(_DISPLAY_UNIT, _SHAPE)
            # The muxer says "unknown" here.
            kept = [e for e in _elements(video.body) if e.id not in _DISPLAY]
            sized = b"".join(_element(e.id, e.body, e.width) for e in kept)
            sized += _number(_DISPLAY_WIDTH, shown.numerator)
            sized += _number(_DISPLAY_HEIGHT, height) + unit
            end = video.begin + video.length
            body = body[: video.begin] + _element(_VIDEO, sized, video.width) + body[end:]
            done = True
        parts.append(_element(track.id, body, track.width))
    return b"".join(parts)


def _moved(seek_head: bytes, growth: int) -> bytes:
    """The table of contents, with two elements that begin `growth` bytes earlier."""
    parts = []
    for entry in _elements(seek_head):
        body = entry.body
        if entry.id == _SEEK:
            target, position = _elements(body)
            if target.body in (_INFO, _TRACKS):
                value = int.from_bytes(position.body, "big") - growth
                value_bytes = value.to_bytes(len(position.body), "big")
                body = body[: position.begin]
                body += _element(_SEEK_POSITION, value_bytes, position.width)
        parts.append(_element(entry.id, body, entry.width))
    return b"".join(parts)


def _checked(element: _Element, body: bytes) -> bytes:
    """The element with another body, its checksum made anew if it begins with one."""
    first = next(_elements(body))
    if first.id == _CRC:
        rest = body[first.length :]
        body = _element(_CRC, zlib.crc32(rest).to_bytes(4, "little")) + rest
    return _element(element.id, body, element.width)


def _elements(data: bytes) -> Iterator[_Element]:
    """The elements that lie whole in `data`, one after the other."""
    position = 0
    while position < len(data):
        begin = position
        position += _size_length(data[position])
        name = data[begin:position]
        width = _size_length(data[position])
        size = int.from_bytes(data[position : position + width], "big") - (1 << 7 * width)
        position += width
        if position + size > len(data):
            return
        end = position + size
        yield _Element(name, data[position:end], begin, end - begin, width)
        position += size


def _size_length(first: int) -> int:
    """How many bytes an identifier or a size has, from its first one."""
    return 9 - first.bit_length()


def _size(value: int, width: int) -> bytes:
    return (value | 1 << 7 * width).to_bytes(width, "big")


def _element(name: bytes, body: bytes, width: int = 1) -> bytes:
    """The element; its size takes `width` bytes, or as many as it needs."""
    while len(body) >= (1 << 7 * width) - 1:
        width += 1
    return name + _size(len(body), width) + body


def _number(name: bytes, value: int) -> bytes:
    return _element(name, value.to_bytes((value.bit_length() + 7) // 8, "big"))
