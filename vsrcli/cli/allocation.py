"""How this process gets memory from the system, and what it does with memory that it is done with.

A restoring network asks for the same large pieces in every frame. Where each is given back and
fetched anew, the system fills it with zeros, page by page: for `tga-lite` at 160x90 a tenth of the
time. What is kept for the next frame would have been asked for again anyway.
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""glibc's names for them in `mallopt`."""
_LIMITS = ((_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, 1 << 30), (_TOP_PAD, 1 << 26))
"""Bytes: above the first a piece comes from the system each time; above the second what is free at
the end goes back; the third is what is fetched beyond the need."""


def keep_freed_memory() -> None:
    """To be called before torch first asks for memory; without effect beside systems of glibc."""
    # Large pages halve the cost of new memory; torch reads this when it first allocates.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return
    for option, value in _LIMITS:
        mallopt(option, value)
