"""How much memory there is, and what fits into it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import torch

from vsrcli.errors import DeviceError
from vsrcli.networks.spec import Bidirectional, Spec
from vsrcli.restore.tiles import SMALLEST, border_of

_USABLE = 0.5
"""Share of the free memory that a network may plan with; the rest is for frames in flight,
fragmentation and everybody else."""

_LARGEST_BATCH = 8
_LONGEST_CHUNK = 32
"""Enough that the context of a chunk is little beside it."""


def free_memory(device: torch.device) -> int:
    """Bytes that a job may still take on `device`."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + cached
    return _free_host_memory()


_UNKNOWN_HOST_MEMORY = 4 * 2**30
"""Assumed where the system does not tell; a low guess only makes tiles smaller."""


def _free_host_memory() -> int:
    """What the kernel counts as available, page cache included."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _UNKNOWN_HOST_MEMORY
    values = dict(line.split(":", 1) for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024


def choose_tile(spec: Spec, size: tuple[int, int], dtype: torch.dtype, free: int) -> int | None:
    """Side of the tiles in which pictures (height, width) are restored; None for whole ones."""
    pixels = free * _USABLE / (spec.activations * dtype.itemsize)
    if pixels >= size[0] * size[1]:
        return None
    side = math.floor(math.sqrt(pixels))
    tile = side - 2 * border_of(spec, side)
    if border_of(spec, tile) == border_of(spec, side):
        return max(SMALLEST, tile)
    # Too small for the whole receptive field around it; then it can do with less.
    return max(SMALLEST, min(side - 2 * border_of(spec, tile), 3 * spec.reach - 1))


def choose_batch(
    spec: Spec, size: tuple[int, int], dtype: torch.dtype, device: torch.device, free: int
) -> int:
    """Windows restored at once. A CPU gains nothing from more than one."""
    if device.type != "cuda":
        return 1
    window = spec.activations * dtype.itemsize * size[0] * size[1]
    return min(_LARGEST_BATCH, max(1, int(free * _USABLE / window)))


def choose_length(spec: Spec, size: tuple[int, int], free: int) -> int:
    """Frames (height, width) that may be restored together."""
    match spec.strategy:
        case Bidirectional(length=longest, features=features):
            numbers = features  # a state of each frame is held
        case _:
            longest, numbers = _LONGEST_CHUNK, 3 * max(spec.scales) ** 2  # tiles hold them enlarged
    frame = 4 * numbers * size[0] * size[1]
    return min(longest, max(1, int(free * _USABLE / 2 / frame)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a failed operation asked for more memory than there is, on whichever device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(error) or "out of memory" in str(error)


@contextlib.contextmanager
def telling_of_memory() -> Iterator[None]:
    """A block in which running out of memory ends in a DeviceError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or ["no more to be had"])[0]
        raise DeviceError(
            f"Out of memory ({reason}); free some, use a lower scale, or another device"
        ) from error
