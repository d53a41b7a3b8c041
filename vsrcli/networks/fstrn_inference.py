"""FSTRN for inference: a clip in a stream, each layer's work on each frame done once.

A layer with three taps in time keeps its last two input frames and puts out frame t - 1 when
frame t arrives; what bypasses it waits as long. At the clip's end each layer in turn is given the
zero frame that it sees beyond the end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vsrcli.networks.fstrn import FSTRN, residual, restore
from vsrcli.ops.ycbcr import rgb_to_luma

_PIXELS_AT_ONCE = {"cpu": 2**14, "cuda": 2**18}
"""Frames are pushed through the layers in groups of about so many pixels: small groups stay in a
CPU's cache, large ones fill a card."""


class FSTRNInference(nn.Module):
    """(B, T, 3, H, W) RGB in [0, 1] -> (B, T, 3, s*H, s*W) float32, not clamped; any T >= 1.

    Computes in `dtype`, apart from the first layer and the last sums: bf16 would round the luma
    itself to 1/256, and both are less than 1 % of the work.
    """

    def __init__(self, network: FSTRN, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = network.config
        self.spec = network.spec
        for name, value in network.kernels().items():
            exact = name.startswith("first") or name == "last_bias"
            value = value.detach().to(torch.float32 if exact else dtype, copy=True)
            if value.dim() == 4:
                value = value.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, value)

    def forward(self, frames: Tensor) -> Tensor:
        clips = []
        for clip in frames:
            stream = self.open()
            clips.append(torch.cat((stream.push(clip), stream.finish())))
        return torch.stack(clips)

    def open(self) -> FSTRNStream:
        return FSTRNStream(self)


class FSTRNStream:
    """One clip on its way through an FSTRN; `copy.deepcopy` makes one that goes on by itself."""

    def __init__(self, network: FSTRNInference) -> None:
        self._network = network
        self._kernels = dict(network.named_buffers())
        self._layers = _Layers()

    def push(self, frames: Tensor) -> Tensor:
        """The next frames (n, 3, H, W) -> those that are ready, (m, 3, s*H, s*W) float32."""
        pixels = _PIXELS_AT_ONCE["cuda" if frames.is_cuda else "cpu"]
        group = max(1, pixels // (frames.shape[-2] * frames.shape[-1]))
        frames = frames.to(torch.float32, copy=True)  # they wait here, and are the caller's
        return torch.cat([self._step(part) for part in frames.split(group)])

    def finish(self) -> Tensor:
        """The clip has ended -> its remaining frames (m, 3, s*H, s*W) float32."""
        waiting = self._layers.waiting.get("network")
        if not waiting:
            return torch.empty(0, 3, 0, 0)
        nothing = waiting[0][0, :0]
        return torch.cat([self._step(nothing, closing=layer) for layer in self._layers.past])

    def _step(self, frames: Tensor, closing: str | None = None) -> Tensor:
        config, layers = self._network.config, self._layers
        layers.closing = closing
        made = residual(config, self._kernels, rgb_to_luma(frames)[None], layers)[0]
        ready = layers.wait("network", frames[None], len(made))[0]
        return restore(config, ready, made) if len(made) else made.expand(-1, 3, -1, -1)

    def __deepcopy__(self, memo: dict[int, Any]) -> FSTRNStream:
        twin = FSTRNStream(self._network)
        twin._layers = self._layers.copy()
        return twin


class _Layers:
    """The stream's `Time`: what each layer has seen and not yet used up, in single frames
    (B, 1, ...). Tensors in here are never written to."""

    def __init__(self) -> None:
        self.past: dict[str, list[Tensor]] = {}
        """The last two input frames of each layer with three taps in time, in the layers' order."""
        self.waiting: dict[str, list[Tensor]] = {}
        """What bypasses a layer and is not wanted yet."""
        self.closing: str | None = None
        """The layer whose input ends with these frames."""

    def copy(self) -> _Layers:
        twin = _Layers()
        twin.past, twin.waiting = dict(self.past), dict(self.waiting)
        return twin

    def around(self, layer: str, x: Tensor) -> Tensor:
        past = self.past[layer] if layer in self.past else [_beyond(x)]
        self.past[layer] = [*past, *_single(x)][-2:]
        end = [_beyond(x)] if layer == self.closing else []
        return torch.cat([*past, x, *end], 1)

    def wait(self, layer: str, x: Tensor, frames: int) -> Tensor:
        queue = [*self.waiting.get(layer, []), *_single(x)]
        self.waiting[layer] = queue[frames:]
        ready = queue[:frames] or [x[:, :0]]
        return ready[0] if len(ready) == 1 else torch.cat(ready, 1)


def _single(x: Tensor) -> list[Tensor]:
    return [x[:, index : index + 1] for index in range(x.shape[1])]


def _beyond(x: Tensor) -> Tensor:
    """What a layer sees before the clip and after it: a frame of zeros (B, 1, ...)."""
    return x.new_zeros(len(x), 1, *x.shape[2:])
