"""Photographs seen by a camera whose motion is known, to teach flow estimation with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vsrcli.training.data.cut import FRAMES
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.motion import camera_path, region_side, regions, render

_LONGEST_STRIDE = 3
"""Frames are up to three apart, so that there is motion enough to be seen."""


@dataclass(frozen=True)
class CameraSource:
    """Draws clips of three frames, with their motion, from the photographs of a training set."""

    data: TrainingSet
    size: int
    """Height and width of the clips."""
    slow_share: float
    """Share of the cameras that pan slowly."""

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Clips (count, 3, 3, size, size), float32 in [0, 1], and their cameras' paths, (count, 3,
        3, 3) as of `render`; on the set's device."""
        stride = torch.randint(1, _LONGEST_STRIDE + 1, (count, 1), generator=generator)
        frames = FRAMES // 2 + stride * torch.tensor([-1, 0, 1])
        paths = camera_path(count, self.size, generator, self.slow_share)
        path = paths[torch.arange(count)[:, None], frames]
        pictures = regions(self.data.stills, count, region_side(self.size), generator)
        clips = render(pictures, path, self.size).clamp(0, 1)
        return clips, path.to(clips.device)


def flows_to_middle(path: Tensor, size: int, scale: int) -> Tensor:
    """Cameras' paths (N, T, 3, 3) in clips of size x size pixels -> flows (N, T, 2, size/scale,
    size/scale): what is at p in a frame is at p + flow(p) in the middle frame; x first, in pixels
    of the clip made `scale` times smaller (on the half-pixel grid)."""
    count, length = path.shape[:2]
    side = size // scale
    line = scale * (torch.arange(side, device=path.device) + 0.5 - side / 2)
    y, x = torch.meshgrid(line, line, indexing="ij")
    points = torch.stack((x, y, torch.ones_like(x)), -1).reshape(-1, 3)
    middle = path[:, length // 2 : length // 2 + 1]
    moved = points @ (torch.linalg.inv(middle) @ path).transpose(-1, -2)  # (N, T, side^2, 3)
    flows: Tensor = (moved[..., :2] / moved[..., 2:] - points[:, :2]) / scale
    return flows.transpose(-1, -2).reshape(count, length, 2, side, side)
