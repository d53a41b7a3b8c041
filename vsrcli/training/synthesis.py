"""Training clips: real runs of film, photographs set in motion, and text before both.

The random choices are all drawn on the CPU from one generator, so that a run can be resumed
exactly; the pixels are moved and mixed on the device that holds the film.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.motion import (
    SLOW_SHARE,
    camera_path,
    choices,
    covered,
    photographs,
    region_side,
    render,
    times,
)
from vsrcli.training.text import written

LAYER_SHARE = 0.4
"""Share of moved photographs with a second layer before the first."""


@dataclass(frozen=True)
class ClipSource:
    """Draws batches of ground-truth clips from a training set."""

    data: TrainingSet
    size: int
    """Height and width of the clips, at most SIZE."""
    moved_share: float
    """Share of moved photographs; the rest is film."""
    text_share: float = 0.1
    """Share of these, of both kinds, that get text; none if the set has none."""
    slow_share: float = SLOW_SHARE
    """Share of the photographs, and of what is before them, that move slowly."""
    frames: int = FRAMES
    """Of a clip, its first ones."""

    def batch(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, frames, 3, size, size) float32 in [0, 1], on the set's device."""
        moved = int((torch.rand(count, generator=generator) < self.moved_share).sum())
        clips = []
        if moved < count:
            clips.append(self._film(count - moved, generator))
        if moved:
            clips.append(self._moved(moved, generator))
        made = varied(torch.cat(clips), generator)
        if self.data.text:
            # After `varied`, since no text is read in a mirror.
            lettered = (torch.rand(count, generator=generator) < self.text_share).nonzero()[:, 0]
            if len(lettered):
                index = lettered.to(made.device)
                made[index] = written(made[index], self.data.text, generator)
        return made

    def _film(self, count: int, generator: torch.Generator) -> Tensor:
        which = choices(len(self.data.film), count, generator)
        tops = choices(SIZE - self.size + 1, count, generator)
        lefts = choices(SIZE - self.size + 1, count, generator)
        crops = [
            self.data.film[clip, : self.frames, :, top : top + self.size, left : left + self.size]
            for clip, top, left in zip(which, tops, lefts, strict=True)
        ]
        return torch.stack(crops).float() / 255

    def _moved(self, count: int, generator: torch.Generator) -> Tensor:
        region = region_side(self.size)
        clips = render(
            photographs(self.data.stills, count, region, generator),
            self._paths(count, generator),
            self.size,
        )
        layered = (torch.rand(count, generator=generator) < LAYER_SHARE).nonzero()[:, 0]
        if len(layered):
            front = layer(self.data, len(layered), region, generator)
            drawn = render(front, self._paths(len(layered), generator), self.size)
            index = layered.to(clips.device)
            clips[index] = covered(clips[index], drawn)
        drift = 0.01 * torch.randn(count, 1, generator=generator) * times()[: self.frames]
        gain = (1 + drift).to(clips.device)
        return (clips * gain[:, :, None, None, None]).clamp(0, 1)

    def _paths(self, count: int, generator: torch.Generator) -> Tensor:
        return camera_path(count, self.size, generator, self.slow_share)[:, : self.frames]


def layer(data: TrainingSet, count: int, side: int, generator: torch.Generator) -> Tensor:
    """(count, 4, side, side): photographs and how much they cover, for `covered`."""
    front = photographs(data.stills, count, side, generator)
    return torch.cat((front, _blobs(count, side, generator).to(front.device)), 1)


def _blobs(count: int, side: int, generator: torch.Generator) -> Tensor:
    """(count, 1, side, side) masks in [0, 1] of smooth shapes with soft edges."""
    noise = torch.randn(count, 1, 7, 7, generator=generator)
    field = F.interpolate(noise, (side, side), mode="bicubic", align_corners=True)
    hardness = 10 ** (0.5 + torch.rand(count, 1, 1, 1, generator=generator))
    return torch.sigmoid((field - 0.3) * hardness * math.sqrt(side) / 8)


def varied(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Clips (N, ..., T, C, H, W) mirrored, transposed and reversed in time at random, each its own
    way."""
    made = []
    for clip, flags in zip(
        clips, torch.rand(len(clips), 4, generator=generator) < 0.5, strict=True
    ):
        mirror_x, mirror_y, transpose, reverse = flags.tolist()
        dims = [-1] * mirror_x + [-2] * mirror_y + [-4] * reverse
        clip = clip.flip(dims) if dims else clip
        made.append(clip.transpose(-1, -2) if transpose else clip)
    return torch.stack(made)
