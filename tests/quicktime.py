"""QuickTime files made for tests by editing bytes."""

from __future__ import annotations

from pathlib import Path


def referring_mov(canary: Path, path: Path) -> Path:
    """A copy of a MOV without its samples, whose data reference names the original.

    The reference is a Macintosh alias record, the only kind that FFmpeg follows.
    """
    target = str(canary.resolve()).encode()
    record = bytes(150) + b"\0\x02" + len(target).to_bytes(2, "big") + target
    record += bytes(len(target) % 2) + b"\xff\xff\0\0"
    alias = (len(record) + 12).to_bytes(4, "big") + b"alis" + bytes(4) + record
    data = canary.read_bytes()
    here = b"\0\0\0\x0curl \0\0\0\x01"
    assert data.count(here) >= 1
    grown = len(alias) - len(here)
    where = data.index(here)
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = data.rindex(box, 0, where) - 4
        size = int.from_bytes(data[at : at + 4], "big") + grown
        data = data[:at] + size.to_bytes(4, "big") + data[at + 4 :]
    data = data.replace(here, alias, 1)
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])
    return path
