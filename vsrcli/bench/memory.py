"""The most memory that a stretch of work takes."""

from __future__ import annotations

from pathlib import Path

import torch

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def forget_peak(device: torch.device) -> None:
    """Begin anew: `peak` tells of what comes after this."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif _CLEAR.exists():
        _CLEAR.write_text("5")  # proc(5): resets the peak of the resident set size


def peak(device: torch.device) -> int | None:
    """Bytes since `forget_peak`: of a card what torch held for tensors, else what the whole process
    had in memory, torch itself included. None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not _CLEAR.exists():
        return None
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return int(values["VmHWM"].split()[0]) * 1024
