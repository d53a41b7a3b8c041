"""The chunk strategy: a scene in a stream, as if it were restored all at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from vsrcli.networks.spec import ChunkNetwork
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import run_tiled


class ChunkRunner:
    """Runs a network of the chunk strategy over scenes.

    Whole pictures go through one stream, which holds what it needs of earlier frames and computes
    every frame once. Tiles would need such a memory each, so they restore `length` frames at a
    time instead, with `radius` frames of context on both sides. The results are the same.
    """

    def __init__(self, network: ChunkNetwork, radius: int, length: int, ration: Ration) -> None:
        self._network = network
        self._radius = radius
        self._length = length
        self._ration = ration

    def run(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The (3, H, W) frames of a scene -> (3, s*H, s*W) frames, one for each."""
        scene = _Scene(frames, self._radius)
        if self._ration.tile is None:
            yield from self._stream(scene)
        while scene.fill(self._length):
            restored = self._ration.attempt(lambda: self._restore_tiled(scene), scene.size)
            yield from scene.done(restored)

    def _stream(self, scene: _Scene) -> Iterator[Tensor]:
        """Ends early, with the rest of the scene not yet done, when memory runs out."""
        stream = self._network.open()
        while not scene.ended:
            new = scene.take(self._ration.batch)
            try:
                with torch.no_grad():
                    restored = stream.push(torch.stack(new)) if new else stream.finish()
            except (RuntimeError, MemoryError) as error:
                while self._ration.tile is None:  # a stream that failed cannot be gone on with
                    self._ration.shrink(error, scene.size)
                return
            yield from scene.done(restored)

    def _restore_tiled(self, scene: _Scene) -> Tensor:
        clip = torch.stack(scene.frames)
        wanted = slice(scene.context, scene.context + scene.due)

        def restore(rows: slice, columns: slice) -> Tensor:
            stream = self._network.open()
            parts = [stream.push(frame[None, :, rows, columns]) for frame in clip]
            return torch.cat([*parts, stream.finish()])[wanted]

        tile = self._ration.tile
        assert tile is not None, "whole pictures go through a stream"
        return run_tiled(restore, self._network.spec, scene.size, tile)


class _Scene:
    """The frames of a scene that are still of use: those to be restored, and their context."""

    def __init__(self, source: Iterator[Tensor], radius: int) -> None:
        self._source = source
        self._radius = radius
        self.frames: list[Tensor] = []
        self.context = 0
        """How many of `frames`, at their beginning, are restored already."""
        self.ended = False
        """Whether the source has no more."""

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.frames[0].shape[-2:]
        return height, width

    @property
    def due(self) -> int:
        """How many of `frames` can be restored with the context that is there."""
        waiting = len(self.frames) - self.context
        return waiting if self.ended else max(0, waiting - self._radius)

    def take(self, count: int) -> list[Tensor]:
        """Up to `count` new frames, which join `frames`; none when the source has ended."""
        new = list(islice(self._source, count))
        self.ended = not new
        self.frames.extend(new)
        return new

    def fill(self, count: int) -> bool:
        """See that `count` frames can be restored, or all that are left; whether there are any."""
        while not self.ended and self.due < count:
            self.take(1)
        return self.due > 0

    def done(self, restored: Tensor) -> Tensor:
        """`restored` itself; the frames that no later one needs as context are dropped."""
        self.context += len(restored)
        del self.frames[: max(0, self.context - self._radius)]
        self.context = min(self.context, self._radius)
        return restored
