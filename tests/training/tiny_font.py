"""A TrueType font in which every character is the same box."""

from __future__ import annotations

import struct

EM = 1000
LEFT, RIGHT, BOTTOM, TOP = 100, 900, 0, 700
"""Of the box, in an advance of EM units."""


def tiny_font() -> bytes:
    """The font file (Apple, "TrueType Reference Manual")."""
    box = struct.pack(">hhhhh", 1, LEFT, BOTTOM, RIGHT, TOP)
    box += struct.pack(">HH", 3, 0)  # one contour of four points, no instructions
    box += bytes([1] * 4)  # on the curve; their steps in x, then in y:
    box += struct.pack(">hhhh", LEFT, 0, RIGHT - LEFT, 0)
    box += struct.pack(">hhhh", BOTTOM, TOP - BOTTOM, 0, BOTTOM - TOP)
    box += bytes(-len(box) % 4)
    tables = {
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 10, 12)
        + struct.pack(">HHIII", 13, 0, 28, 0, 1)
        + struct.pack(">III", 0x21, 0x10FFFF, 1),
        b"glyf": box,
        b"head": struct.pack(">IIIIHH", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, EM)
        + bytes(16)
        + struct.pack(">hhhhHHhhh", LEFT, BOTTOM, RIGHT, TOP, 0, 6, 2, 1, 0),
        b"hhea": struct.pack(">IhhhHhhhhhh", 0x10000, 800, -200, 0, EM, LEFT, 100, RIGHT, 1, 0, 0)
        + bytes(10)
        + struct.pack(">H", 2),
        b"hmtx": struct.pack(">HhHh", EM, 0, EM, LEFT),
        b"loca": struct.pack(">III", 0, 0, len(box)),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x10000, 2, 4, 1, *[0] * 11),
    }
    start = 12 + 16 * len(tables)
    directory, contents = b"", b""
    for tag, table in tables.items():
        directory += struct.pack(">4sIII", tag, 0, start + len(contents), len(table))
        contents += table + bytes(-len(table) % 4)
    return struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, 48) + directory + contents
