"""Scores of a network on clips whose ground truth is the clip itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import av
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.ops.resize import resize
from vsrcli.quality.metrics import psnr_y, ssim_y

Restore = Callable[[Tensor], Tensor]
"""(B, T, 3, H, W) -> (B, 1, 3, s*H, s*W), the middle frame."""
Degrade = Callable[[Tensor], Tensor]
"""(N, 3, s*H, s*W) in [0, 1] -> (N, 3, H, W), what the network gets to see."""


@dataclass(frozen=True)
class Clip:
    """Ground truth to score on."""

    name: str
    frames: Tensor
    """(N, 3, H, W) in [0, 1], H and W multiples of the scale."""


@dataclass(frozen=True)
class ClipScore:
    """Means over the scored frames of a clip: luma PSNR in dB and luma SSIM."""

    name: str
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float

    @property
    def gain(self) -> float:
        """dB above bicubic."""
        return self.psnr - self.bicubic_psnr


def read_clips(paths: Sequence[Path], scale: int, frames: int = 9) -> list[Clip]:
    """The first `frames` frames of each video, cropped to multiples of `scale`.

    Raises InputError if one is missing or too short.
    """
    return [Clip(path.stem, _frames(path, frames, scale)) for path in paths]


def _frames(path: Path, count: int, scale: int) -> Tensor:
    pictures: list[Tensor] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                rgb = frame.reformat(format="rgb24").to_ndarray()
                pictures.append(torch.from_numpy(rgb).permute(2, 0, 1))
                if len(pictures) == count:
                    break
    except (OSError, av.FFmpegError) as error:
        raise InputError(f"{path}: cannot be read as a validation clip ({error})") from error
    if len(pictures) < count:
        raise InputError(f"{path}: has {len(pictures)} frames, validation needs {count}")
    stacked = torch.stack(pictures).float() / 255
    height, width = stacked.shape[-2:]
    return stacked[..., : height // scale * scale, : width // scale * scale].contiguous()


@torch.no_grad()
def evaluate(
    restore: Restore,
    clips: Sequence[Clip],
    degrade: Degrade,
    *,
    radius: int,
    border: int = 8,
    device: torch.device | None = None,
) -> list[ClipScore]:
    """Scores of `restore` on the frames whose windows of 2 * radius + 1 lie wholly in the clip.

    `border` pixels on each side are not scored. The bicubic beside it is MATLAB's (a = -0.5).
    """
    return [_score(restore, clip, degrade, radius, border, device) for clip in clips]


def _score(
    restore: Restore,
    clip: Clip,
    degrade: Degrade,
    radius: int,
    border: int,
    device: torch.device | None,
) -> ClipScore:
    truth = clip.frames.to(device)
    low = degrade(truth)
    size = (truth.shape[-2], truth.shape[-1])
    rows: list[tuple[float, float, float, float]] = []
    for center in range(radius, len(truth) - radius):
        window = low[center - radius : center + radius + 1]
        restored = restore(window[None])[0, 0].float()
        bicubic = resize(low[center], size)
        rows.append(
            (
                float(psnr_y(restored, truth[center], border)),
                float(ssim_y(restored, truth[center], border)),
                float(psnr_y(bicubic, truth[center], border)),
                float(ssim_y(bicubic, truth[center], border)),
            )
        )
    return ClipScore(clip.name, *(fmean(column) for column in zip(*rows, strict=True)))
