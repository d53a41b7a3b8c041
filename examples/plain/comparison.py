"""What a side-by-side timing of a network needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Comparison:
    """The same network written plainly and as vsr runs it, on the same frames."""

    plain: Callable[[], Tensor]
    """Does the work once, as published -> (plain_frames, 3, s*H, s*W)."""
    ours: Callable[[], Tensor]
    """Does the work once, as a long stream would -> (our_frames, 3, s*H, s*W)."""
    plain_frames: int
    """Output frames of one `plain()` that the user gets."""
    our_frames: int
    """Output frames of one `ours()`."""
    difference: Callable[[], float]
    """The largest difference between the two writings' results on the same task, in fp32 or as
    run; not timed."""
