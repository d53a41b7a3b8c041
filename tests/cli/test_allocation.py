"""Memory that is kept for the next frame."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
if sys.argv[1] == "kept":
    from vsrcli.cli.allocation import keep_freed_memory
    keep_freed_memory()
import torch
for turn in range(23):
    if turn == 3:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(40 << 20, dtype=torch.uint8).fill_(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _pages_fetched(how: str) -> int:
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's mallopt")
def test_memory_of_the_last_frame_serves_the_next() -> None:
    assert _pages_fetched("kept") < 20 < 20 * 20 < _pages_fetched("as it is")
