"""The window strategy: one restored frame from a frame and its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vsrcli.errors import DeviceError
from vsrcli.networks.spec import WindowNetwork
from vsrcli.restore.memory import is_out_of_memory
from vsrcli.restore.tiles import SMALLEST, run_tiled


@dataclass
class _Entry:
    """A frame of the current scene, and what windows share of it once that is known."""

    frame: Tensor
    """(3, H, W)"""
    features: Tensor | None = None
    """(1, F, H, W); stays None while tiles are in use, which make their own."""


Window = Sequence[_Entry]


class WindowRunner:
    """Runs a network over frames; shrinks its tiles when memory runs out, and goes on.

    `tile` is the side of a tile in input pixels, None for whole pictures.
    """

    def __init__(self, network: WindowNetwork, scale: int, *, tile: int | None, batch: int) -> None:
        self.network = network
        self.scale = scale
        self.tile = tile
        self.batch = batch
        self.shrunk = False
        """Whether memory ran out on the way."""
        self.radius = network.spec.strategy.radius

    def stream(self, frames: Iterable[tuple[Tensor, bool]]) -> Iterator[Tensor]:
        """(3, H, W) frames with "a scene starts here" -> (3, s*H, s*W) frames, one for each.

        A window never reaches into another scene: the scene's end frame is repeated instead.
        """
        waiting: list[Window] = []
        for window in self._windows(frames):
            waiting.append(window)
            if len(waiting) == self.batch:
                yield from self._restore(waiting)
                waiting = []
        if waiting:
            yield from self._restore(waiting)

    def _windows(self, frames: Iterable[tuple[Tensor, bool]]) -> Iterator[Window]:
        scene: list[_Entry] = []
        center = 0
        for frame, starts_scene in frames:
            if starts_scene:
                yield from self._last_windows(scene, center)
                scene, center = [], 0
            scene.append(_Entry(frame))
            if len(scene) - center > self.radius:
                yield self._window(scene, center)
                center += 1
            if center > self.radius:
                del scene[0]
                center -= 1
        yield from self._last_windows(scene, center)

    def _last_windows(self, scene: list[_Entry], center: int) -> Iterator[Window]:
        for index in range(center, len(scene)):
            yield self._window(scene, index)

    def _window(self, scene: list[_Entry], center: int) -> Window:
        last = len(scene) - 1
        wanted = range(center - self.radius, center + self.radius + 1)
        return [scene[min(max(i, 0), last)] for i in wanted]

    def _restore(self, windows: list[Window]) -> list[Tensor]:
        while True:
            try:
                with torch.no_grad():
                    return self._run(windows)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).splitlines()[0]
            self._shrink(windows, reason)

    def _run(self, windows: list[Window]) -> list[Tensor]:
        if self.tile is not None:
            return [self._restore_tiled(window, self.tile) for window in windows]
        return self._restore_whole(windows)

    def _shrink(self, windows: list[Window], reason: str) -> None:
        """Ask for less memory from now on: single windows first, then ever smaller tiles."""
        self.shrunk = True
        for window in windows:
            for entry in window:
                entry.features = None
        if self.tile is None and self.batch > 1:
            self.batch = 1
            return
        tile = (self.tile or max(windows[0][0].frame.shape[-2:])) // 2
        if tile < SMALLEST:
            raise DeviceError(
                f"Out of memory even with tiles of {2 * tile} pixels ({reason}); "
                "free some, or use another device"
            )
        self.tile = tile

    def _restore_whole(self, windows: list[Window]) -> list[Tensor]:
        restored: list[Tensor] = []
        for first in range(0, len(windows), self.batch):
            batch = windows[first : first + self.batch]
            slots = [
                _joined([self._features(entry) for entry in slot])
                for slot in zip(*batch, strict=True)
            ]
            centers = _joined([window[self.radius].frame[None] for window in batch])
            restored.extend(self.network.from_features(slots, centers).unbind(0))
        return restored

    def _features(self, entry: _Entry) -> Tensor:
        if entry.features is None:
            entry.features = self.network.frame_features(entry.frame[None])
        return entry.features

    def _restore_tiled(self, window: Window, tile: int) -> Tensor:
        """Each tile makes its own features and drops them: the features of whole frames are what
        does not fit."""
        frames = [entry.frame for entry in window]

        def restore(rows: slice, columns: slice) -> Tensor:
            parts = torch.stack([frame[:, rows, columns] for frame in frames])
            features = self.network.frame_features(parts)
            center = parts[self.radius][None]
            return self.network.from_features(features.split(1), center)[0]

        height, width = frames[0].shape[-2:]
        return run_tiled(restore, self.network.spec, self.scale, (height, width), tile)


def _joined(parts: list[Tensor]) -> Tensor:
    """Along the batch; one part, the common case on a CPU, is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)
