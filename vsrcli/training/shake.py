"""Photographs seen by a camera that shakes but neither turns nor zooms: a frame is smeared alike
everywhere, along a way that is known, and costs a seventh of one of `blur`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vsrcli.degradation.blur import GAMMA
from vsrcli.training.blur import Motion, exposures, frame_times, photographed
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.motion import photographs
from vsrcli.training.synthesis import varied

_UNIT = 4.0
"""Pixels in which smears are described: one of the features that STFAN filters."""
_REACH = 16
"""Pixels that a smear stays within, each way from where the sharp frame is."""
_MARGIN = 40
"""Pixels that a camera moves within, each way from where it was drawn."""
_SUB_FRAMES = 25
_TRIES = 3
"""Clips that are made for each one that is kept."""
_TELLING = 4 / 255, 30 / 255
"""Root mean square of what blur changes in a clip that tells something. In most there is hardly
anything to be blurred, and little is to be restored where it changed more."""
_ANY_SHARE = 0.25
"""Share of the batches that keep any clips: what is sharp already must be left as it is."""


class Shaken(NamedTuple):
    """A batch of clips, on the training set's device."""

    blurred: Tensor
    """(N, T, 3, S, S), noisy and rounded to 8 bits."""
    sharp: Tensor
    """The same clips as seen in the middle of each exposure."""
    smears: Tensor
    """(N, T, 5), as of `described`."""


@dataclass(frozen=True)
class ShakeSource:
    """Draws clips from the photographs of a training set."""

    data: TrainingSet
    size: int
    """Height and width of the clips."""
    frames: int

    def batch(self, count: int, generator: torch.Generator) -> Shaken:
        """`count` clips."""
        if float(torch.rand((), generator=generator)) < _ANY_SHARE:
            return self._drawn(count, generator)
        clips = self._drawn(_TRIES * count, generator)
        change = (clips.blurred - clips.sharp).square().mean((1, 2, 3, 4)).sqrt()
        least, most = _TELLING
        kept = ((change < least) | (change > most)).int().argsort(stable=True)[:count]
        return Shaken(*(part[kept.to(part.device)] for part in clips))

    def _drawn(self, count: int, generator: torch.Generator) -> Shaken:
        side = self.size + 2 * _REACH
        # Turned before they move: all directions are as likely, so that is as good as after it.
        pictures = varied(
            photographs(self.data.stills, count, side + 2 * _MARGIN, generator)[:, None], generator
        )[:, 0]
        motion = Motion.draw(count, self.size, generator)
        exposure = exposures(count, generator)
        times = frame_times(self.frames)
        places = motion.shifts(times.expand(count, -1))
        instants = times[:, None] + torch.linspace(-0.5, 0.5, _SUB_FRAMES) * exposure[..., None]
        passed = motion.shifts(instants.flatten(1)).unflatten(1, instants.shape[1:])
        ways = (passed - places[:, :, None]).clamp(1 - _REACH, _REACH - 1)
        places = places.clamp(1 - _MARGIN, _MARGIN - 1)
        whole = places.round()
        light = torch.fft.rfft2(_cut(pictures, whole.int().tolist(), side) ** GAMMA)
        rest = (places - whole)[:, :, None]
        blurred, sharp = (
            _seen(light * transfer(rest + way, side).to(light.device)[:, :, None], self.size)
            for way in (ways, torch.zeros(1, 1, 1, 2))
        )
        return Shaken(photographed(blurred, generator), sharp, described(ways).to(sharp.device))


def transfer(ways: Tensor, side: int) -> Tensor:
    """Ways of a camera (..., K, 2), x first, in pixels -> what they make of the spectrum (`rfft2`)
    of a square picture of that side, (..., side, side // 2 + 1): the mean of its K shifts."""
    right, down = (2 * math.pi * ways).unbind(-1)
    rows = _turned(down[..., None] * torch.fft.fftfreq(side))
    columns = _turned(right[..., None] * torch.fft.rfftfreq(side))
    moved: Tensor = torch.einsum("...kh,...kw->...hw", rows, columns) / ways.shape[-2]
    return moved


def _turned(angles: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(angles), angles)


def described(ways: Tensor) -> Tensor:
    """Ways of a camera about the place of the sharp frame (..., K, 2), x first, in pixels ->
    (..., 5), in units of 4 pixels: how far the ends are apart; that times the cosine and the
    sine of twice the angle, since no one can tell the beginning from the end; and twice the mean
    of the way, which is not where the sharp frame is if the way bends or its speed changes."""
    right, down = (ways[..., -1, :] - ways[..., 0, :]).unbind(-1)
    length = torch.hypot(right, down).clamp(min=1e-3)
    along = torch.stack((length, (right**2 - down**2) / length, 2 * right * down / length), -1)
    return torch.cat((along, 2 * ways.mean(-2)), -1) / _UNIT


def _cut(pictures: Tensor, places: list[list[list[int]]], side: int) -> Tensor:
    """(N, 3, R, R) and N x T places about their middles, x first -> (N, T, 3, side, side)."""
    first = (pictures.shape[-1] - side) // 2
    cut = [
        picture[:, first + y : first + y + side, first + x : first + x + side]
        for picture, clip in zip(pictures, places, strict=True)
        for x, y in clip
    ]
    clips: Tensor = torch.stack(cut).clamp(0, 1).unflatten(0, (len(places), -1))
    return clips


def _seen(spectrum: Tensor, size: int) -> Tensor:
    """The middle of the picture of linear light that has this spectrum; its borders, where it is
    taken to repeat, are cut off."""
    side = size + 2 * _REACH
    light: Tensor = torch.fft.irfft2(spectrum, s=(side, side))
    inside = slice(_REACH, -_REACH)
    return torch.pow(light[..., inside, inside].clamp(0, 1), 1 / GAMMA)
