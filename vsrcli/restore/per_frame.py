"""ONNX models that enlarge each frame by itself, as networks of the window strategy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.networks.spec import Spec, Window, forward_window
from vsrcli.onnx.plain import PlainModel
from vsrcli.restore.tiles import Span, join_spans

_CONTEXT = 32
"""Pixels around a tile, as nobody knows how far the network sees: its receptive field may be
larger, but what lies there hardly counts."""
_ACTIVATIONS = 3000
"""Numbers for each input pixel, as nobody counted them: those of networks with 64 channels that
enlarge four times."""
_BORDER = 16
"""Pixels on each side of a picture of fixed size that its neighbours in the frame cover as well."""


class PerFrame:
    """A plain model as a network; any pictures, also where the model takes those of one size."""

    def __init__(self, model: PlainModel) -> None:
        self._model = model
        self.spec = Spec(
            network="onnx",
            task="deblur" if model.scale == 1 else "upscale",
            scales=(model.scale,),
            strategy=Window(radius=0),
            multiple=model.multiple,
            reach=_CONTEXT,
            halo=_CONTEXT,
            # A model of fixed size is in pieces already.
            activations=12 * model.scale**2 if model.size else _ACTIVATIONS,
            paper="",
        )

    def __call__(self, frames: Tensor) -> Tensor:
        return forward_window(self, frames, 0)

    def frame_features(self, frames: Tensor) -> Tensor:
        """The frames themselves."""
        return frames

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, s*H, s*W) float32; what video has beyond [0, 1] is clamped."""
        pictures = center.float().clamp(0, 1)
        if self._model.size is not None:
            return torch.cat([self._covered(x, self._model.size) for x in pictures.split(1)])
        if self._model.batches:
            return self._enlarged(pictures)
        return torch.cat([self._enlarged(x) for x in pictures.split(1)])

    def _enlarged(self, pictures: Tensor) -> Tensor:
        (made,) = self._model.graph(pictures)
        return made.float()

    def _covered(self, picture: Tensor, size: tuple[int, int]) -> Tensor:
        """A picture (1, 3, H, W) out of overlapping ones of the model's size."""
        height, width = picture.shape[-2:]
        bottom, right = max(0, size[0] - height), max(0, size[1] - width)
        padded = F.pad(picture, (0, right, 0, bottom), mode="replicate")
        rows, columns = (
            windows(length, side) for length, side in zip(padded.shape[-2:], size, strict=True)
        )
        (made,) = join_spans(lambda r, c: (self._enlarged(padded[..., r, c]),), rows, columns)
        return made[..., : self._model.scale * height, : self._model.scale * width]


def windows(length: int, side: int) -> list[Span]:
    """A line of `length` >= `side` samples covered by windows of exactly `side`, evenly spread;
    where two meet they cross-fade, away from their ends."""
    border = min(_BORDER, side // 4)
    blend = border // 4
    count = 1 - (side - length) // (side - 2 * border)
    starts = [round(i * (length - side) / max(1, count - 1)) for i in range(count)]
    # The middle of what two neighbours share.
    seams = [(start + end + side) // 2 for start, end in zip(starts[1:], starts[:-1], strict=True)]
    covered = []
    for start, low, high in zip(starts, [None, *seams], [*seams, None], strict=True):
        covered.append(
            Span(
                source=slice(start, start + side),
                picked=slice(
                    0 if low is None else low - blend, length if high is None else high + blend
                ),
                fade_in=0 if low is None else 2 * blend,
                fade_out=0 if high is None else 2 * blend,
            )
        )
    return covered
