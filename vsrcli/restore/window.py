"""The window strategy: one restored frame from a frame and its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vsrcli.networks.spec import WindowNetwork
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import run_tiled


@dataclass
class _Entry:
    """A frame of the scene, and what windows share of it once that is known."""

    frame: Tensor
    """(3, H, W)"""
    features: Tensor | None = None
    """(1, F, H, W); stays None while tiles are in use, which make their own."""


Window = Sequence[_Entry]


class WindowRunner:
    """Runs a network of the window strategy over scenes."""

    def __init__(self, network: WindowNetwork, radius: int, ration: Ration) -> None:
        self._network = network
        self._radius = radius
        self._ration = ration

    def run(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The (3, H, W) frames of a scene -> (3, s*H, s*W) frames, one for each.

        A window never reaches beyond the scene: its end frame is repeated instead.
        """
        waiting: list[Window] = []
        for window in self._windows(frames):
            waiting.append(window)
            if len(waiting) >= self._ration.batch:
                yield from self._restore(waiting)
                waiting = []
        if waiting:
            yield from self._restore(waiting)

    def _windows(self, frames: Iterator[Tensor]) -> Iterator[Window]:
        scene: list[_Entry] = []
        center = 0
        for frame in frames:
            scene.append(_Entry(frame))
            if len(scene) - center > self._radius:
                yield self._window(scene, center)
                center += 1
            if center > self._radius:
                del scene[0]
                center -= 1
        for index in range(center, len(scene)):
            yield self._window(scene, index)

    def _window(self, scene: list[_Entry], center: int) -> Window:
        last = len(scene) - 1
        wanted = range(center - self._radius, center + self._radius + 1)
        return [scene[min(max(i, 0), last)] for i in wanted]

    def _restore(self, windows: list[Window]) -> list[Tensor]:
        def work() -> list[Tensor]:
            tile = self._ration.tile
            if tile is not None:
                return [self._restore_tiled(window, tile) for window in windows]
            return self._restore_whole(windows)

        def forget() -> None:
            for window in windows:
                for entry in window:
                    entry.features = None

        height, width = windows[0][0].frame.shape[-2:]
        return self._ration.attempt(work, (height, width), forget)

    def _restore_whole(self, windows: list[Window]) -> list[Tensor]:
        restored: list[Tensor] = []
        size = self._ration.batch
        for first in range(0, len(windows), size):
            batch = windows[first : first + size]
            slots = [
                _joined([self._features(entry) for entry in slot])
                for slot in zip(*batch, strict=True)
            ]
            centers = _joined([window[self._radius].frame[None] for window in batch])
            restored.extend(self._network.from_features(slots, centers).unbind(0))
        return restored

    def _features(self, entry: _Entry) -> Tensor:
        if entry.features is None:
            entry.features = self._network.frame_features(entry.frame[None])
        return entry.features

    def _restore_tiled(self, window: Window, tile: int) -> Tensor:
        """Each tile makes its own features and drops them: the features of whole frames are what
        does not fit."""
        frames = [entry.frame for entry in window]

        def restore(rows: slice, columns: slice) -> Tensor:
            parts = torch.stack([frame[:, rows, columns] for frame in frames])
            features = self._network.frame_features(parts)
            center = parts[self._radius][None]
            return self._network.from_features(features.split(1), center)[0]

        height, width = frames[0].shape[-2:]
        return run_tiled(restore, self._network.spec, (height, width), tile)


def _joined(parts: list[Tensor]) -> Tensor:
    """Along the batch; one part, the common case on a CPU, is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)
