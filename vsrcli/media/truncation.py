"""Files that say themselves how long they should be: MP4 and MOV, AVI, Matroska."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_UNKNOWN = (1 << 56) - 1
"""What Matroska says of an element that is still being written."""

_LONGEST_HEADER = 1 << 20
"""Bytes of the element before the first segment."""


def missing_bytes(path: str) -> int:
    """How many bytes the file lacks by its own account; 0 when none, or when it gives none."""
    file = Path(path)
    if not file.is_file():
        return 0
    with file.open("rb") as data:
        return max(0, _end(data) - file.stat().st_size)


def _end(data: BinaryIO) -> int:
    head = data.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"):
        return _end_of_boxes(data)
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        # Programs that write while they record leave a size of zero.
        size = int.from_bytes(head[4:8], "little")
        return 8 + size if size else 0
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _end_of_segment(data)
    return 0


def _end_of_boxes(data: BinaryIO) -> int:
    """Where the last of the boxes that begin inside the file ends."""
    position, end = 0, data.seek(0, os.SEEK_END)
    while position < end:
        data.seek(position)
        header = data.read(16)
        if len(header) < 8:
            return position
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # to the end of the file, or nonsense
            return 0
        position += size
    return position


def _end_of_segment(data: BinaryIO) -> int:
    """Where the segment behind the EBML header ends."""
    data.seek(4)
    length = _number(data)
    if length > _LONGEST_HEADER:
        return 0
    data.seek(length, os.SEEK_CUR)
    if data.read(4) != b"\x18\x53\x80\x67":
        return 0
    size = _number(data)
    return 0 if size == _UNKNOWN else data.tell() + size


def _number(data: BinaryIO) -> int:
    """The size that stands here, of one to eight bytes."""
    first = data.read(1)
    if first in (b"", b"\0"):
        return 0
    width = 9 - first[0].bit_length()
    rest = data.read(width - 1)
    if len(rest) < width - 1:  # the file ends here
        return 0
    value = int.from_bytes(first + rest, "big") - (1 << 7 * width)
    return _UNKNOWN if value == (1 << 7 * width) - 1 else value
