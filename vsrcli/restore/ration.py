"""How much is worked on at once, and less of it when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from vsrcli.errors import DeviceError
from vsrcli.restore.memory import is_out_of_memory
from vsrcli.restore.tiles import SMALLEST

Result = TypeVar("Result")


@dataclass
class Ration:
    """The most that a strategy may take at once; shrinks as the job goes on, never grows."""

    tile: int | None
    """Side of a tile in input pixels; None for whole pictures."""
    batch: int
    """Whole pictures at once."""
    shrunk: bool = False
    """Whether memory ran out on the way."""

    def attempt(
        self,
        work: Callable[[], Result],
        size: tuple[int, int],
        forget: Callable[[], None] = lambda: None,
    ) -> Result:
        """What `work` gives, which obeys `tile` and `batch`; done again with less on failure.

        `forget` drops what the failed attempt holds or has spoiled. `size` is the picture's.
        Raises DeviceError when the smallest tiles do not fit.
        """
        while True:
            try:
                with torch.no_grad():
                    return work()
            except (RuntimeError, MemoryError) as error:
                self.shrink(error, size)
            forget()

    def shrink(self, error: BaseException, size: tuple[int, int]) -> None:
        """After `error`: single pictures first, then ever smaller tiles.

        Raises it again if it does not speak of memory.
        """
        if not is_out_of_memory(error):
            raise error
        self.shrunk = True
        if self.tile is None and self.batch > 1:
            self.batch = 1
            return
        tile = (self.tile or max(size)) // 2
        if tile < SMALLEST:
            reason = str(error).splitlines()[0]
            raise DeviceError(
                f"Out of memory even with tiles of {2 * tile} pixels ({reason}); "
                "free some, or use another device"
            ) from None
        self.tile = tile
