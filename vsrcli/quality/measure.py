"""The scores of single frames."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from vsrcli.degradation.kernels import to_eight_bits
from vsrcli.quality.metrics import psnr, psnr_y, ssim_y
from vsrcli.quality.temporal import flicker, flow_error
from vsrcli.quality.trials import Part, Restore, Trial
from vsrcli.quality.vmaf import SMALLEST, Vmaf, vmaf_is_available

BORDER = 8
"""Pixels on each side of a frame that are usually not scored."""


@dataclass(frozen=True)
class FrameScore:
    """How near a restored frame, rounded to 8 bits, is to the true one."""

    frame: int
    """Its number in the clip, from 1."""
    part: Part
    psnr_y: float
    """dB, as `psnr_rgb`; see `quality.metrics`."""
    psnr_rgb: float
    ssim_y: float
    vmaf: float | None = None
    """Of the whole picture, 0 to 100; None without libvmaf."""
    tof: float | None = None
    """In pixels, against the frame before; see `quality.temporal`."""
    flicker: float | None = None
    """In code values, against the frame before."""


@torch.no_grad()
def score_pictures(
    restore: Restore, trial: Trial, *, border: int = BORDER, device: torch.device | None = None
) -> list[FrameScore]:
    """PSNR and SSIM of the frames that count, each by itself, without `border` pixels on each side.

    `restore` runs on `device`, and no further than the last of them.
    """
    outputs = islice(restore(trial.given.to(device)), trial.scored.stop)
    return [
        _picture_score(trial, index, _beside_truth(restored, trial.truth[index]), border)
        for index, restored in enumerate(outputs)
        if index in trial.scored
    ]


@torch.no_grad()
def score_video(
    restore: Restore, trial: Trial, *, border: int = BORDER, device: torch.device | None = None
) -> list[FrameScore]:
    """The same with VMAF, tOF and flicker. All of the clip is restored, for VMAF looks ahead."""
    scores: list[FrameScore] = []
    height, width = trial.truth.shape[-2:]
    with ExitStack() as stack:
        measures_vmaf = min(height, width) >= SMALLEST and vmaf_is_available()
        vmaf = stack.enter_context(Vmaf(width, height)) if measures_vmaf else None
        before: Tensor | None = None
        for index, restored in enumerate(restore(trial.given.to(device))):
            pair = _beside_truth(restored, trial.truth[index])
            if vmaf is not None:
                vmaf.add(*pair)
            if index in trial.scored:
                score = _picture_score(trial, index, pair, border)
                if before is not None:
                    score = replace(
                        score,
                        tof=float(flow_error(before, pair, border)),
                        flicker=float(flicker(before, pair, border)),
                    )
                scores.append(score)
            before = pair
        if vmaf is None:
            return scores
        found = vmaf.scores()
        return [replace(score, vmaf=found[score.frame - 1]) for score in scores]


def _beside_truth(restored: Tensor, truth: Tensor) -> Tensor:
    """(2, 3, H, W): the restored frame as a file would hold it, and the true one."""
    if restored.device.type == "mps":  # which has no float64
        restored = restored.cpu()
    return torch.stack((to_eight_bits(restored.float()), truth.to(restored.device)))


def _picture_score(trial: Trial, index: int, pair: Tensor, border: int) -> FrameScore:
    restored, truth = pair
    return FrameScore(
        index + 1,
        trial.part(index),
        psnr_y=float(psnr_y(restored, truth, border)),
        psnr_rgb=float(psnr(restored, truth, border)),
        ssim_y=float(ssim_y(restored, truth, border)),
    )
