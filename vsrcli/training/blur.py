"""Blurred clips and what they would be with a fast shutter: photographs, seen by a shaking camera
and crossed by things that move by themselves.

A shutter adds up light, so sub-frames are averaged in linear light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vsrcli.degradation.blur import GAMMA
from vsrcli.degradation.kernels import to_eight_bits
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.motion import covered, homographies, photographs, render
from vsrcli.training.synthesis import LAYER_SHARE, layer, varied

_EXPOSURE = (0.5, 0.9)
"""Share of the time between two frames for which the shutter is open."""
_SUB_FRAMES = (7, 25)
"""An odd number between these is averaged: about one for each pixel of the longest blur, so that
it is a smear and not a row of ghosts."""
_LARGEST_NOISE = 2 / 255
_ZOOM = (0.9, 1.3)
"""Photograph pixels per output pixel."""
_MARGIN = 140
"""Photograph pixels around the patch for the camera to move over."""
_WAVES = 4
"""Sine waves that a hand's shake is made of."""


@dataclass(frozen=True)
class BlurSource:
    """Draws pairs of blurred and sharp clips from the photographs of a training set."""

    data: TrainingSet
    size: int
    """Height and width of the clips."""
    frames: int

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Blurred and sharp (count, frames, 3, size, size), float32 in [0, 1], on the set's device;
        the blurred ones are noisy and rounded to 8 bits."""
        region = round(_ZOOM[1] * self.size) + _MARGIN
        back = Moving(
            torch.arange(count),
            photographs(self.data.stills, count, region, generator),
            Motion.draw(count, self.size, generator),
        )
        layers = [back]
        which = (torch.rand(count, generator=generator) < LAYER_SHARE).nonzero()[:, 0]
        if len(which):
            pictures = layer(self.data, len(which), region, generator)
            layers.append(Moving(which, pictures, Motion.draw(len(which), self.size, generator)))
        exposure = exposures(count, generator)
        blurred, sharp = exposed(layers, frame_times(self.frames), exposure, self.size)
        pairs = varied(torch.stack((photographed(blurred, generator), sharp), 1), generator)
        return pairs[:, 0], pairs[:, 1]


def frame_times(frames: int) -> Tensor:
    """(T,): when the frames of a clip are exposed, in frames from its middle."""
    return torch.arange(frames) - (frames - 1) / 2


def exposures(count: int, generator: torch.Generator) -> Tensor:
    """(count, 1): for how long, in frames."""
    low, high = _EXPOSURE
    return low + (high - low) * torch.rand(count, 1, generator=generator)


def photographed(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Clips (N, T, 3, H, W) in [0, 1] with noise, each with its own strength, and rounded to 8
    bits."""
    sigma = _LARGEST_NOISE * torch.rand(len(clips), 1, 1, 1, 1, generator=generator)
    # Many numbers, so drawn where they are needed.
    seed = int(torch.randint(2**62, (), generator=generator))
    there = torch.Generator(clips.device).manual_seed(seed)
    noise = torch.randn(clips.shape, generator=there, device=clips.device)
    return to_eight_bits(clips + sigma.to(clips.device) * noise)


@dataclass(frozen=True)
class Motion:
    """How cameras, or things, move over time; for each of N clips."""

    speed: Tensor
    """(N, 4): of x and y in pixels, of the angle in radians, of the zoom's logarithm, a frame."""
    start: Tensor
    """(N, 4): the same at time 0."""
    amplitude: Tensor
    """(N, 4, _WAVES): of the shake, in the same units."""
    frequency: Tensor
    """(N, 4, _WAVES): in radians a frame."""
    phase: Tensor
    """(N, 4, _WAVES)"""

    @classmethod
    def draw(cls, count: int, size: int, generator: torch.Generator) -> Motion:
        """Motions at random, from nearly at rest to some ten pixels a frame."""

        def normal(*shape: int) -> Tensor:
            return torch.randn(count, *shape, generator=generator)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=generator)

        # A turn or a zoom that moves the patch's corners about as far as the shifts do.
        units = torch.tensor([1, 1, 0.5 / size, 0.5 / size])
        # In pixels. Few are slow: little is to be learnt of frames that are hardly blurred.
        vigor = 0.7 + 7.3 * uniform(1)
        start = torch.zeros(count, 4)
        start[:, 2] = 0.2 * normal()
        least, most = _ZOOM
        start[:, 3] = math.log(least) + math.log(most / least) * uniform()
        return cls(
            speed=vigor * units * normal(4),
            start=start,
            amplitude=(vigor * units)[..., None] * normal(4, _WAVES) / math.sqrt(_WAVES),
            frequency=2 * math.pi * (0.05 + 0.45 * uniform(4, _WAVES)),
            phase=2 * math.pi * uniform(4, _WAVES),
        )

    def at(self, times: Tensor) -> Tensor:
        """Times (N, T), in frames -> homographies (N, T, 3, 3) for `render`."""
        x, y, angle, zoom = self._positions(times).unbind(-1)
        level = torch.zeros_like(x)
        return homographies(zoom.exp(), angle, x, y, level, level)

    def shifts(self, times: Tensor) -> Tensor:
        """Times (N, T), in frames -> how far right and down, in pixels, (N, T, 2)."""
        return self._positions(times)[..., :2]

    def travel(self, times: Tensor, exposure: Tensor) -> float:
        """The longest way, in pixels, during exposures (N, 1) about times (T,)."""
        way = self.shifts(times + exposure / 2) - self.shifts(times - exposure / 2)
        return float(way.norm(dim=-1).max())

    def _positions(self, times: Tensor) -> Tensor:
        """(N, T) -> (N, T, 4)"""
        t = times[:, :, None]
        steady = self.start[:, None] + self.speed[:, None] * t
        angles = self.frequency[:, None] * t[..., None] + self.phase[:, None]
        return steady + (self.amplitude[:, None] * angles.sin()).sum(-1)


class Moving(NamedTuple):
    """Pictures that move, one for each of some clips."""

    clips: Tensor
    """(M,): which clips they are in."""
    pictures: Tensor
    """(M, 3, R, R), or (M, 4, R, R) with how much they cover of what is behind."""
    motion: Motion
    """Of M pictures."""


def exposed(
    layers: Sequence[Moving], times: Tensor, exposure: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """N clips of pictures, and perhaps others before some of them, photographed at `times` (T,)
    for `exposure` (N, 1), in frames: blurred and sharp (N, T, 3, size, size).

    An exposure is the mean of an odd number of sub-frames in linear light; sharp is the one in the
    middle.
    """
    count = _sub_frames(layers, times, exposure)
    light = sharp = torch.empty(0)
    for index in range(count):
        moments = times + (index / (count - 1) - 0.5) * exposure
        seen = _seen(layers, moments, size)
        lit = seen**GAMMA / count
        light = light + lit if index else lit
        if index == count // 2:
            sharp = seen
    return light ** (1 / GAMMA), sharp


def _seen(layers: Sequence[Moving], moments: Tensor, size: int) -> Tensor:
    """The clips at moments (N, T): (N, T, 3, size, size) in [0, 1]."""
    back, *fronts = layers
    seen = render(back.pictures, back.motion.at(moments), size)
    for front in fronts:
        drawn = render(front.pictures, front.motion.at(moments[front.clips]), size)
        index = front.clips.to(seen.device)
        seen[index] = covered(seen[index], drawn)
    return seen.clamp(0, 1)


def _sub_frames(layers: Sequence[Moving], times: Tensor, exposure: Tensor) -> int:
    """How many the longest blur needs."""
    least, most = _SUB_FRAMES
    longest = max(layer.motion.travel(times, exposure[layer.clips]) for layer in layers)
    return min(max(2 * round(longest / 2) + 1, least), most)
