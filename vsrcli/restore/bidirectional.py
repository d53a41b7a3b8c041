"""The bidirectional strategy: a scene a chunk at a time, with a look at what comes after it.

In the backward direction a chunk does not know the whole rest of its scene. What that changes was
measured with BasicVSR's published weights (BI) on 88x112 pixels of a slow flight over a city, the
direction begun at the 30th frame instead of the 47th. Single frames, by how many they still had to
look ahead to:

| ahead | mean difference | largest | luma PSNR |
|---|---|---|---|
| 0 | 0.77/255 | 28/255 | -0.045 dB |
| 6 | 0.46/255 | 20/255 | +0.022 dB |
| 12 | 0.35/255 | 15/255 | +0.021 dB |
| 15 | 0.32/255 | 14/255 | +0.016 dB |
| 18 | 0.27/255 | 12/255 | -0.011 dB |

The forward direction is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from vsrcli.networks.spec import BidirectionalNetwork
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import run_all_tiled


@dataclass
class _Entry:
    """A frame of the scene, and what is known of it."""

    frame: Tensor
    """(1, 3, H, W)"""
    to_next: Tensor | None = None
    """The flow (1, 2, H, W) from this frame to the one after it."""
    to_previous: Tensor | None = None
    """The flow from the one after it to this frame."""
    behind: Tensor | None = None
    """What the backward direction leaves here."""


class BidirectionalRunner:
    """Runs a network of the bidirectional strategy over scenes.

    A chunk of `length` frames is gone through backward, beginning `ahead` (1 or more) frames after
    it, then forward, beginning with the state that the chunk before it left. Flows and states are
    of whole pictures; when memory asks, each step is made of tiles.
    """

    def __init__(
        self, network: BidirectionalNetwork, length: int, ahead: int, ration: Ration
    ) -> None:
        self._network = network
        self._length = length
        self._ahead = ahead
        self._ration = ration

    def run(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The (3, H, W) frames of a scene -> (3, s*H, s*W) frames, one for each."""
        scene: list[_Entry] = []
        state: Tensor | None = None
        flow: Tensor | None = None
        while True:
            wanted = self._length + self._ahead - len(scene)
            scene += [_Entry(frame[None]) for frame in islice(frames, wanted)]
            if not scene:
                return
            self._find_flows(scene)
            self._go_backward(scene)
            for entry in scene[: self._length]:
                restored, state = self._forward(entry, state, flow)
                flow, entry.behind = entry.to_previous, None
                yield restored[0]
            del scene[: self._length]

    def _find_flows(self, scene: Sequence[_Entry]) -> None:
        pairs = zip(scene[:-1], scene[1:], strict=True)
        unknown = [pair for pair in pairs if pair[0].to_next is None]
        while unknown:
            done = self._ration.attempt(partial(self._flows, unknown), _size(scene[0]))
            del unknown[:done]

    def _flows(self, pairs: Sequence[tuple[_Entry, _Entry]]) -> int:
        """Finds the flows of the first pairs; how many they were."""
        batch = pairs[: self._ration.batch]
        frames, following = (
            torch.cat([entry.frame for entry in entries]) for entries in zip(*batch, strict=True)
        )
        both = self._network.flows(frames, following)
        for (entry, _), *flows in zip(batch, *(flow.split(1) for flow in both), strict=True):
            entry.to_next, entry.to_previous = flows
        return len(batch)

    def _go_backward(self, scene: Sequence[_Entry]) -> None:
        state: Tensor | None = None
        for index in reversed(range(len(scene))):
            state = self._backward(scene[index], state)
            if index < self._length:
                scene[index].behind = state

    def _backward(self, entry: _Entry, state: Tensor | None) -> Tensor:
        def step(frame: Tensor, aligned: Tensor | None) -> tuple[Tensor]:
            return (self._network.step_backward(frame, aligned),)

        def work() -> Sequence[Tensor]:
            return self._made(step, entry.frame, self._aligned(state, entry.to_next))

        (made,) = self._ration.attempt(work, _size(entry))
        return made

    def _forward(
        self, entry: _Entry, state: Tensor | None, flow: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`flow` leads from the entry's frame to the one before it, whose state is `state`."""

        def work() -> Sequence[Tensor]:
            aligned = self._aligned(state, flow)
            return self._made(self._network.step_forward, entry.frame, entry.behind, aligned)

        restored, own = self._ration.attempt(work, _size(entry))
        return restored, own

    def _aligned(self, state: Tensor | None, flow: Tensor | None) -> Tensor | None:
        if state is None:
            return None
        assert flow is not None, "a frame with a neighbour has the flow to it"
        return self._network.align(state, flow)

    def _made(
        self, step: Callable[..., Sequence[Tensor]], *maps: Tensor | None
    ) -> Sequence[Tensor]:
        """What `step` makes of maps of the frame's size, of which it can do without some."""
        tile = self._ration.tile
        if tile is None:
            return step(*maps)

        def restore(rows: slice, columns: slice) -> Sequence[Tensor]:
            return step(*(None if x is None else x[..., rows, columns] for x in maps))

        assert maps[0] is not None
        height, width = maps[0].shape[-2:]
        return run_all_tiled(restore, self._network.spec, (height, width), tile)


def _size(entry: _Entry) -> tuple[int, int]:
    height, width = entry.frame.shape[-2:]
    return height, width
