"""Text out of files on its way to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with its lines as they are, and U+FFFD for every character that a terminal might obey
    instead of showing it; tags and names of files may hold any."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
