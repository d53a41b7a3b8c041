"""Pictures seen by moving cameras, and one before another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.degradation.kernels import degrade
from vsrcli.training.data.cut import FRAMES

SLOW_SHARE = 0.5
"""Of the cameras, where nothing else is asked for."""
_ZOOM = (0.9, 1.4)
"""Photograph pixels per ground-truth pixel. About 1, so that drawing by bicubic interpolation
neither blurs what a x4 network could restore nor aliases much."""
_MARGIN = 72
"""Photograph pixels around the patch for the camera to move over."""
_SLOW, _FAST = 0.7, 4.0
"""Standard deviation of a pan's speed each way, in ground-truth pixels a frame: slow ones by
fractions of a low-resolution pixel."""
_HALVED_SHARE = 0.5
"""Share of the photographs that are made smaller by 2 first. Few have details of a pixel's size by
themselves, as fine leaves and far cities do; but there a shake does most harm, and other frames
show most that one does not."""
_TRIES = 3
"""Random places looked at for each patch of a photograph."""


def region_side(size: int) -> int:
    """Side of a photograph's region that has room for `camera_path` to move over."""
    return round(_ZOOM[1] * size) + _MARGIN


def photographs(
    stills: Sequence[Tensor], count: int, side: int, generator: torch.Generator
) -> Tensor:
    """(count, 3, side, side) of stills (3, H, W) uint8, some of them made smaller by 2; float32 in
    [0, 1], on the stills' device."""
    large = [still for still in stills if min(still.shape[1:]) >= 2 * side]
    halved = int((torch.rand(count, generator=generator) < _HALVED_SHARE).sum()) if large else 0
    drawn = []
    if halved < count:
        drawn.append(regions(stills, count - halved, side, generator))
    if halved:
        drawn.append(degrade(regions(large, halved, 2 * side, generator), "bi", 2))
    return torch.cat(drawn)


def regions(
    pictures: Sequence[Tensor],
    count: int,
    side: int,
    generator: torch.Generator,
    tries: int = _TRIES,
) -> Tensor:
    """(count, C, side, side) of pictures (C, H, W) uint8, each picked by its area; float32 in
    [0, 1], on the pictures' device.

    Of `tries` random places in a picture the one with most texture is taken, since a sharp picture
    of something out of focus teaches little.
    """
    areas = torch.tensor([float(image.shape[1] * image.shape[2]) for image in pictures])
    which = torch.multinomial(areas, count, replacement=True, generator=generator).tolist()
    tried = []
    for image in (pictures[index] for index in which):
        tops = choices(image.shape[1] - side + 1, tries, generator)
        lefts = choices(image.shape[2] - side + 1, tries, generator)
        tried += [
            image[:, top : top + side, left : left + side]
            for top, left in zip(tops, lefts, strict=True)
        ]
    places = torch.stack(tried).unflatten(0, (count, tries))
    best = _texture(places).argmax(1)
    chosen: Tensor = places[torch.arange(count, device=best.device), best]
    return chosen.float() / 255


def _texture(pictures: Tensor) -> Tensor:
    """Mean change between neighbors in every eighth row of the middle channel; uint8
    (..., C, H, W) -> (...)."""
    rows = pictures[..., pictures.shape[-3] // 2, ::8, :].short()
    return rows.diff().abs().float().mean((-2, -1))


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


def camera_path(
    count: int, size: int, generator: torch.Generator, slow_share: float = SLOW_SHARE
) -> Tensor:
    """(count, FRAMES, 3, 3) homographies for `render`: pan, zoom, turn, tilt and hand shake, each
    smooth over time but for the shake. `slow_share` of them pan slowly."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def smooth(speed: Tensor, bend: Tensor) -> Tensor:
        """(count, FRAMES) from per-clip speed and acceleration."""
        time = times()
        return speed[:, None] * time + bend[:, None] * time**2

    pace = torch.where(torch.rand(count, generator=generator) < slow_share, _SLOW, _FAST)
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


def times() -> Tensor:
    """(FRAMES,) time of each frame, 0 for the middle one."""
    return torch.arange(FRAMES, dtype=torch.float32) - FRAMES // 2


def choices(options: int, count: int, generator: torch.Generator) -> list[int]:
    """`count` numbers below `options`, by chance."""
    return torch.randint(options, (count,), generator=generator).tolist()
