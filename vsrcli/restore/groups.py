"""The groups strategy: frames and the moments between them, from short groups of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from vsrcli.networks.spec import GroupNetwork, Maps
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import run_tiled


@dataclass
class _Entry:
    """A frame of the scene, and what groups share of it once that is known."""

    frame: Tensor
    """(3, H, W)"""
    features: Maps | None = None
    pair: Maps | None = None
    """Of this frame and the next one."""


class GroupRunner:
    """Runs a network of the groups strategy over scenes.

    A group slides on by one frame and keeps the two outputs in its middle, so that every output
    is made in the same place of its group; the first and the last group of a scene keep their
    outer outputs as well.
    """

    def __init__(self, network: GroupNetwork, size: int, ration: Ration, *, between: bool) -> None:
        """`between`: whether the moments between frames are wanted."""
        self._network = network
        self._size = size
        self._ration = ration
        self._between = between

    def run(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The n frames (3, H, W) of a scene -> 2n - 1 frames (3, s*H, s*W), or n of them."""
        group: list[_Entry] = []
        begun = 0  # the first output wanted of the group
        for frame in frames:
            if len(group) == self._size:
                yield from self._restore(group, range(begun, self._size))
                del group[0]
                begun = self._size - 2
            group.append(_Entry(frame))
        if len(group) == 1:  # the network needs a neighbour
            yield from self._restore([group[0], _Entry(group[0].frame)], range(1))
        elif group:
            yield from self._restore(group, range(begun, 2 * len(group) - 1))

    def _restore(self, group: Sequence[_Entry], outputs: range) -> Tensor:
        wanted = [output for output in outputs if self._between or output % 2 == 0]

        def work() -> Tensor:
            tile = self._ration.tile
            return self._whole(group, wanted) if tile is None else self._tiled(group, wanted, tile)

        def forget() -> None:
            for entry in group:
                entry.features = entry.pair = None

        height, width = group[0].frame.shape[-2:]
        return self._ration.attempt(work, (height, width), forget)

    def _whole(self, group: Sequence[_Entry], wanted: Sequence[int]) -> Tensor:
        features = [self._features(entry) for entry in group]
        pairs = []
        for index, entry in enumerate(group[:-1]):
            if entry.pair is None:
                entry.pair = self._network.pair_features(features[index], features[index + 1])
            pairs.append(entry.pair)
        return self._network.from_features(features, pairs, wanted)

    def _features(self, entry: _Entry) -> Maps:
        if entry.features is None:
            entry.features = self._network.frame_features(entry.frame[None])
        return entry.features

    def _tiled(self, group: Sequence[_Entry], wanted: Sequence[int], tile: int) -> Tensor:
        """Each tile makes its own features and drops them."""

        def restore(rows: slice, columns: slice) -> Tensor:
            return self._whole([_Entry(e.frame[:, rows, columns]) for e in group], wanted)

        height, width = group[0].frame.shape[-2:]
        return run_tiled(restore, self._network.spec, (height, width), tile)
