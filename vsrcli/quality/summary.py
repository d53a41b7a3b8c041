"""Means of scores over frames and over clips, and what is gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from vsrcli.quality.comparison import ModelScores, ScoredClip, repeated
from vsrcli.quality.measure import FrameScore
from vsrcli.quality.trials import Part

METRICS = ("psnr_y", "psnr_rgb", "ssim_y", "vmaf", "tof", "flicker")
"""The scores that a `FrameScore` holds."""
GAIN, TEMPORAL_GAIN = "gain", "temporal_gain"
COLUMNS = (*METRICS, GAIN, TEMPORAL_GAIN)
MEAN = "mean"
"""Stands for the clip in means over clips."""


@dataclass(frozen=True)
class Row:
    """Means over the scored frames of a clip that are of one part, see `FrameScore`."""

    clip: str
    model: str
    part: Part
    values: Mapping[str, float]
    """By `METRICS`, of what was measured; `GAIN`: `psnr_y` over that of bicubic, when deblurring of
    the input; `TEMPORAL_GAIN`: over that of the model shown one frame only."""


def rows_of(clip: ScoredClip) -> list[Row]:
    """Of each model in the clip's order, given and new frames apart."""
    by_model = {scores.model: scores for scores in clip.scores}
    baseline = clip.scores[0]
    rows = []
    for scores in clip.scores:
        alone = by_model.get(repeated(scores.model))
        for part in sorted({frame.part for frame in scores.frames}):
            frames = [frame for frame in scores.frames if frame.part == part]
            values = {metric: [getattr(frame, metric) for frame in frames] for metric in METRICS}
            values[GAIN] = [] if scores is baseline else _gains(frames, baseline)
            values[TEMPORAL_GAIN] = [] if alone is None else _gains(frames, alone)
            rows.append(Row(clip.files.name, scores.model, part, _means(values)))
    return rows


def means_over_clips(rows: Sequence[Row]) -> list[Row]:
    """Means of the rows that are of one model and part: every clip counts alike."""
    together: dict[tuple[str, Part], list[Row]] = {}
    for row in rows:
        together.setdefault((row.model, row.part), []).append(row)
    return [
        Row(MEAN, model, part, _means({key: [r.values.get(key) for r in same] for key in COLUMNS}))
        for (model, part), same in together.items()
    ]


def _gains(frames: Iterable[FrameScore], other: ModelScores) -> list[float]:
    """dB over the same frames of another model, as far as it has them."""
    others = {frame.frame: frame.psnr_y for frame in other.frames}
    return [f.psnr_y - others[f.frame] for f in frames if f.frame in others]


def _means(values: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    measured = {key: [x for x in column if x is not None] for key, column in values.items()}
    return {key: fmean(column) for key, column in measured.items() if column}
