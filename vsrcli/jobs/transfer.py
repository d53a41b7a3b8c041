"""Samples on their way to a card and back, while this program does something else.

Only page-locked memory is copied in the background; torch keeps what was used and hands it out
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def uploaded(samples: Tensor, device: torch.device) -> Tensor:
    """`samples`, which lie in this program's memory, on `device`; a card may still be copying."""
    if device.type != "cuda":
        return samples.to(device)
    locked = torch.empty(samples.shape, dtype=samples.dtype, pin_memory=True)
    return locked.copy_(samples).to(device, non_blocking=True)


def downloading(planes: Sequence[Tensor]) -> Callable[[], list[Tensor]]:
    """Begins to copy tensors of one device into this program's memory; what waits for them."""
    device = planes[0].device
    if device.type != "cuda":
        copies = [plane.cpu() for plane in planes]
        return lambda: copies
    copies = [
        torch.empty(plane.shape, dtype=plane.dtype, pin_memory=True).copy_(plane, non_blocking=True)
        for plane in planes
    ]
    copied = torch.cuda.Event(blocking=True)
    copied.record(torch.cuda.current_stream(device))

    def wait() -> list[Tensor]:
        copied.synchronize()
        return copies

    return wait
