"""The recurrent strategy: frame by frame, with a state."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from vsrcli.networks.spec import RecurrentNetwork
from vsrcli.restore.ration import Ration
from vsrcli.restore.tiles import run_all_tiled

State = Any
"""A NamedTuple of tensors (1, F, h, w) that each network has of its own."""


class RecurrentRunner:
    """Runs a network of the recurrent strategy over scenes."""

    def __init__(self, network: RecurrentNetwork[State], ration: Ration) -> None:
        self._network = network
        self._ration = ration

    def run(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The (3, H, W) frames of a scene -> (3, s*H, s*W) frames, one for each."""
        state: State | None = None
        while ahead := list(islice(frames, self._ration.batch)):
            size = (ahead[0].shape[-2], ahead[0].shape[-1])
            encoded = self._ration.attempt(partial(self._encode, ahead), size)
            for frame, code in zip(ahead, encoded, strict=True):
                step = partial(self._step, frame, code, state)
                restored, state = self._ration.attempt(step, size)
                yield restored

    def _encode(self, frames: list[Tensor]) -> list[Tensor | None]:
        """What can be known of frames ahead of their turn; nothing in tiles, which do it in
        theirs."""
        if self._ration.tile is not None:
            return [None] * len(frames)
        if len(frames) > self._ration.batch:
            return [code for frame in frames for code in self._encode([frame])]
        return list(self._network.encode(torch.stack(frames)).split(1))

    def _step(
        self, frame: Tensor, encoded: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        tile = self._ration.tile
        if tile is None:
            code = self._network.encode(frame[None]) if encoded is None else encoded
            whole, new_state = self._network.step(frame[None], code, state)
            return whole[0], new_state
        height, width = frame.shape[-2:]
        kinds: list[type] = []

        def restore(rows: slice, columns: slice) -> tuple[Tensor, ...]:
            part = frame[None, :, rows, columns]
            before = None if state is None else _part(state, frame, rows, columns)
            restored, after = self._network.step(part, self._network.encode(part), before)
            kinds.append(type(after))
            return restored, *after

        made = run_all_tiled(restore, self._network.spec, (height, width), tile)
        return made[0][0], kinds[0](*made[1:])


def _part(state: State, frame: Tensor, rows: slice, columns: slice) -> State:
    """The state of a tile of `frame`; its tensors may be coarser than the frame."""

    def scaled(part: slice, length: int, frame_length: int) -> slice:
        return slice(part.start * length // frame_length, part.stop * length // frame_length)

    (height, width), kind = frame.shape[-2:], type(state)
    return kind(
        *(
            x[..., scaled(rows, x.shape[-2], height), scaled(columns, x.shape[-1], width)]
            for x in state
        )
    )
