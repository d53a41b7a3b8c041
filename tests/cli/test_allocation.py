"""Memory that is kept for the next frame."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_FRAME = 40 << 20

_PROGRAM = f"""
import ctypes, sys
if sys.argv[1] == "kept":
    from vsrcli.cli.allocation import keep_freed_memory
    keep_freed_memory()
import torch

class Mallinfo(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split())]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Mallinfo
held = 0
for frame in range(3):
    picture = torch.empty({_FRAME}, dtype=torch.uint8)
    held = max(held, mallinfo().hblkhd)
    del picture
print(held, mallinfo().fordblks)
"""


def _pieces_and_kept(how: str) -> tuple[int, int]:
    """Bytes that came from the system piece by piece while frames were held; bytes kept at last."""
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True
    )
    pieces, kept = found.stdout.split()
    return int(pieces), int(kept)


@pytest.mark.skipif(
    not hasattr(ctypes.pythonapi, "mallinfo2"), reason="needs mallinfo2 of glibc 2.33 or newer"
)
def test_memory_of_the_last_frame_serves_the_next() -> None:
    # By the C library's own books: how often the kernel hands out pages is for it to choose.
    pieces, kept = _pieces_and_kept("kept")
    assert pieces < _FRAME <= kept
    pieces, kept = _pieces_and_kept("as it is")
    assert kept < _FRAME <= pieces
