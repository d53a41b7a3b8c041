"""Training clips: real runs of film, and photographs set in motion.

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

_ZOOM = (0.9, 1.4)
"""Photograph pixels per ground-truth pixel. About 1, so that drawing by bicubic interpolation
neither blurs what a x4 network could restore nor aliases much."""
_MARGIN = 72
"""Photograph pixels around the patch for the camera to move over."""
_TRIES = 3
"""Random places looked at for each patch of a photograph; the one with most texture is taken,
since a sharp picture of something out of focus teaches little."""
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

    def batch(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, FRAMES, 3, size, size) float32 in [0, 1], on the set's device."""
        moved = int((torch.rand(count, generator=generator) < self.moved_share).sum())
        clips = []
        if moved < count:
            clips.append(self._film(count - moved, generator))
        if moved:
            clips.append(self._moved(moved, generator))
        return varied(torch.cat(clips), generator)

    def _film(self, count: int, generator: torch.Generator) -> Tensor:
        which = _choices(len(self.data.film), count, generator)
        tops = _choices(SIZE - self.size + 1, count, generator)
        lefts = _choices(SIZE - self.size + 1, count, generator)
        crops = [
            self.data.film[clip, :, :, top : top + self.size, left : left + self.size]
            for clip, top, left in zip(which, tops, lefts, strict=True)
        ]
        return torch.stack(crops).float() / 255

    def _moved(self, count: int, generator: torch.Generator) -> Tensor:
        region = region_side(self.size)
        clips = render(
            regions(self.data, count, region, generator),
            camera_path(count, self.size, generator),
            self.size,
        )
        layered = (torch.rand(count, generator=generator) < LAYER_SHARE).nonzero()[:, 0]
        if len(layered):
            front = layer(self.data, len(layered), region, generator)
            drawn = render(front, camera_path(len(layered), self.size, generator), self.size)
            index = layered.to(clips.device)
            clips[index] = covered(clips[index], drawn)
        drift = 0.01 * torch.randn(count, 1, generator=generator) * _times()
        gain = (1 + drift).to(clips.device)
        return (clips * gain[:, :, None, None, None]).clamp(0, 1)


def region_side(size: int) -> int:
    """Side of a photograph's region that has room for `camera_path` to move over."""
    return round(_ZOOM[1] * size) + _MARGIN


def regions(data: TrainingSet, count: int, side: int, generator: torch.Generator) -> Tensor:
    """(count, 3, side, side) of photographs, each picked by its area; float32 in [0, 1], on the
    set's device."""
    areas = torch.tensor([float(image.shape[1] * image.shape[2]) for image in data.stills])
    which = torch.multinomial(areas, count, replacement=True, generator=generator).tolist()
    tried = []
    for image in (data.stills[index] for index in which):
        tops = _choices(image.shape[1] - side + 1, _TRIES, generator)
        lefts = _choices(image.shape[2] - side + 1, _TRIES, generator)
        tried += [
            image[:, top : top + side, left : left + side]
            for top, left in zip(tops, lefts, strict=True)
        ]
    places = torch.stack(tried).unflatten(0, (count, _TRIES))
    best = _texture(places).argmax(1)
    chosen: Tensor = places[torch.arange(count, device=best.device), best]
    return chosen.float() / 255


def _texture(pictures: Tensor) -> Tensor:
    """Mean change between neighbors in every eighth row of the green channel; uint8 (..., 3, H, W)
    -> (...)."""
    green = pictures[..., 1, ::8, :].short()
    return green.diff().abs().float().mean((-2, -1))


def layer(data: TrainingSet, count: int, side: int, generator: torch.Generator) -> Tensor:
    """(count, 4, side, side): photographs and how much they cover, for `covered`."""
    front = regions(data, count, side, generator)
    return torch.cat((front, _blobs(count, side, generator).to(front.device)), 1)


def covered(back: Tensor, front: Tensor) -> Tensor:
    """(..., 3, H, W) behind (..., 4, H, W)."""
    color, alpha = front.split((3, 1), -3)
    return torch.lerp(back, color, alpha.clamp(0, 1))


def render(pictures: Tensor, path: Tensor, size: int) -> Tensor:
    """Pictures seen by a moving camera: (N, C, R, R), (N, T, 3, 3) -> (N, T, C, size, size).

    `path` holds homographies from (x, y, 1), in output pixels from the output's center, to picture
    pixels from the picture's center. Beyond the picture's border it is mirrored.
    """
    count, steps = path.shape[:2]
    channels, region = pictures.shape[1:3]
    line = torch.arange(size, dtype=torch.float32) + 0.5 - size / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack((x, y, torch.ones_like(x)), -1).reshape(-1, 3).to(pictures.device)
    seen = points @ path.to(pictures.device).flatten(0, 1).transpose(1, 2)  # (N*T, size^2, 3)
    grid = (seen[..., :2] / seen[..., 2:] * (2 / region)).view(count * steps, size, size, 2)
    repeated = pictures[:, None].expand(-1, steps, -1, -1, -1).flatten(0, 1)
    drawn = F.grid_sample(
        repeated, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    return drawn.view(count, steps, channels, size, size)


def camera_path(count: int, size: int, generator: torch.Generator) -> Tensor:
    """(count, FRAMES, 3, 3) homographies for `render`: pan, zoom, turn, tilt and hand shake, each
    smooth over time but for the shake."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def smooth(speed: Tensor, bend: Tensor) -> Tensor:
        """(count, FRAMES) from per-clip speed and acceleration."""
        time = _times()
        return speed[:, None] * time + bend[:, None] * time**2

    # One half pans slowly, by fractions of a low-resolution pixel, one half faster.
    pace = torch.where(torch.rand(count, generator=generator) < 0.5, 1.0, 4.0)
    shake = 0.4 * torch.rand(count, 1, generator=generator)
    shift_x = smooth(pace * normal(count), 0.1 * pace * normal(count))
    shift_y = smooth(pace * normal(count), 0.1 * pace * normal(count))
    shift_x = shift_x + shake * normal(count, FRAMES)
    shift_y = shift_y + shake * normal(count, FRAMES)
    angle = smooth(0.004 * normal(count), 0.0005 * normal(count))
    angle = angle + 0.2 * normal(count)[:, None]
    tilt_x = smooth(0.01 / size * normal(count), torch.zeros(count))
    tilt_y = smooth(0.01 / size * normal(count), torch.zeros(count))
    least, most = _ZOOM
    zoom = least * (most / least) ** torch.rand(count, 1, generator=generator)
    zoom = zoom * (1 + smooth(0.004 * normal(count), torch.zeros(count)))
    return homographies(zoom, angle, shift_x, shift_y, tilt_x, tilt_y)


def homographies(
    zoom: Tensor, angle: Tensor, shift_x: Tensor, shift_y: Tensor, tilt_x: Tensor, tilt_y: Tensor
) -> Tensor:
    """(...) each -> (..., 3, 3), for `render`; shifts in output pixels."""
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = (
        torch.stack((cosine, -sine, zoom * shift_x), -1),
        torch.stack((sine, cosine, zoom * shift_y), -1),
        torch.stack((tilt_x, tilt_y, torch.ones_like(tilt_x)), -1),
    )
    return torch.stack(rows, -2)


def _times() -> Tensor:
    """(FRAMES,) time of each frame, 0 for the middle one."""
    return torch.arange(FRAMES, dtype=torch.float32) - FRAMES // 2


def _blobs(count: int, side: int, generator: torch.Generator) -> Tensor:
    """(count, 1, side, side) masks in [0, 1] of smooth shapes with soft edges."""
    noise = torch.randn(count, 1, 7, 7, generator=generator)
    field = F.interpolate(noise, (side, side), mode="bicubic", align_corners=True)
    hardness = 10 ** (0.5 + torch.rand(count, 1, 1, 1, generator=generator))
    return torch.sigmoid((field - 0.3) * hardness * math.sqrt(side) / 8)


def _choices(options: int, count: int, generator: torch.Generator) -> list[int]:
    return torch.randint(options, (count,), generator=generator).tolist()


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
