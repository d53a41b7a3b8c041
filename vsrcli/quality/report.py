"""The JSON of a comparison, which also stands beside a model's card in `weights/`.

    {
      "conventions": {...},         what a reader of the figures must know, in words
      "versions": {...},            of what computed them
      "models": {"tga": {"network": "tga", "weights": file, "sha256": ..., "device": ...,
                         "precision": ..., "warnings": [...]}},
      "mean": [ROW, ...],           over the clips; "clip" is "mean"
      "clips": [{"name": ..., "file": ..., "sha256": ..., "width": ..., "height": ...,
                 "frames": ..., "rows": [ROW, ...],
                 "scores": {"tga": [{"frame": 4, "psnr_y": ..., ...}, ...]}}]
    }

A ROW is {"clip", "model", "part", "psnr_y", "psnr_rgb", "ssim_y", "vmaf", "tof", "flicker", "gain",
"temporal_gain"}: means over the frames of the part, "all", "given" or "new". What was not measured
is null, and so is the PSNR of equal pictures, which is infinite.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import torch

import vsrcli
from vsrcli.quality.comparison import ScoredClip, name_of
from vsrcli.quality.conventions import Conventions
from vsrcli.quality.measure import FrameScore
from vsrcli.quality.summary import COLUMNS, METRICS, Row, means_over_clips, rows_of
from vsrcli.quality.vmaf import vmaf_is_available
from vsrcli.restore.restorer import NAMES, Restorer
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.catalogue import find_entry

_DIGITS = 6


def as_json(
    models: Sequence[Restorer], clips: Sequence[ScoredClip], conventions: Conventions
) -> dict[str, Any]:
    """All that is known of a comparison; see the module."""
    rows = [rows_of(clip) for clip in clips]
    return {
        "conventions": conventions.in_words(),
        "versions": _versions(),
        "models": {name_of(model): _model(model, conventions.scale) for model in models},
        "mean": [_row(row) for row in means_over_clips([row for each in rows for row in each])],
        "clips": [
            {
                "name": clip.files.name,
                "file": clip.files.truth.name,
                "sha256": None if clip.files.truth.is_dir() else _hash(clip.files.truth),
                "width": clip.width,
                "height": clip.height,
                "frames": clip.frames,
                "rows": [_row(row) for row in each],
                "scores": {s.model: [_frame(score) for score in s.frames] for s in clip.scores},
            }
            for clip, each in zip(clips, rows, strict=True)
        ],
    }


def _versions() -> dict[str, str | None]:
    return {
        "vsrcli": vsrcli.__version__,
        "torch": torch.__version__,
        "av": av.__version__,
        "ffmpeg": imageio_ffmpeg.get_ffmpeg_version() if vmaf_is_available() else None,
    }


def _model(model: Restorer, scale: int) -> dict[str, Any]:
    path = _weights(model.name, scale)
    device = model.device
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "network": model.spec.network,
        "weights": path.name,
        "sha256": _hash(path),
        "device": str(device) if card is None else f"{device}, {card}",
        "precision": NAMES[model.dtype],
        "warnings": sorted(set(model.warnings)),
    }


def _weights(name: str, scale: int) -> Path:
    """The file that `restore.load` takes for a name."""
    if Path(name).suffix in (".safetensors", ".onnx"):
        return Path(name)
    return cached_weights().get(name) or find_entry(name, Fraction(scale)).path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _row(row: Row) -> dict[str, Any]:
    values = {key: _number(row.values.get(key)) for key in COLUMNS}
    return {"clip": row.clip, "model": row.model, "part": row.part, **values}


def _frame(score: FrameScore) -> dict[str, Any]:
    values = {metric: _number(getattr(score, metric)) for metric in METRICS}
    return {"frame": score.frame, "part": score.part, **values}


def _number(value: float | None) -> float | None:
    """JSON knows no infinity."""
    return None if value is None or not math.isfinite(value) else round(value, _DIGITS)
