"""Scores of a model while it is trained: PSNR and SSIM beside what there is without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from vsrcli.quality.measure import BORDER, FrameScore, score_pictures
from vsrcli.quality.trials import Restore, Trial


@dataclass(frozen=True)
class ClipScore:
    """Means over the scored frames of a clip: luma PSNR in dB and luma SSIM."""

    name: str
    psnr: float
    ssim: float
    plain_psnr: float
    """Of what there is without the model, see `Trial.plain`."""
    plain_ssim: float

    @property
    def gain(self) -> float:
        """dB that the model adds."""
        return self.psnr - self.plain_psnr


def evaluate(
    restore: Restore,
    trials: Sequence[Trial],
    *,
    border: int = BORDER,
    device: torch.device | None = None,
) -> list[ClipScore]:
    """Scores of `restore`; of a space-time model the given and the new frames apart.

    `border` pixels on each side of a frame are not scored.
    """
    scores = []
    for tried in trials:
        own = score_pictures(restore, tried, border=border, device=device)
        plain = score_pictures(tried.plain, tried, border=border, device=device)
        for part in dict.fromkeys(score.part for score in own):
            name = tried.name if part == "all" else f"{tried.name} {part}"
            scores.append(ClipScore(name, *_means(own, part), *_means(plain, part)))
    return scores


def _means(scores: Sequence[FrameScore], part: str) -> tuple[float, float]:
    chosen = [score for score in scores if score.part == part]
    return fmean(score.psnr_y for score in chosen), fmean(score.ssim_y for score in chosen)
