"""The functions that `import vsrcli` offers."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from vsrcli.jobs.options import TargetSize, UpscaleOptions
from vsrcli.jobs.report import ProgressCallback, Report
from vsrcli.jobs.upscale import upscale as run_upscale
from vsrcli.restore.restorer import load
from vsrcli.zoo.catalogue import model_names

__all__ = ["available_models", "load", "upscale"]


def upscale(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    model: str | None = None,
    scale: float | Fraction | None = None,
    *,
    height: int | None = None,
    size: tuple[int, int] | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Report:
    """Enlarge a video or image sequence; returns what was done.

    `scale`, `height` or `size` (width, height) give the output's size; the model's own scale
    without them. `options` are the other fields of `jobs.options.UpscaleOptions`, such as
    `encode=EncodeOptions(codec="hevc", crf=20)` or `overwrite=True`.
    Raises a VsrError with one line to show; the target is then as it was.
    """
    factor = None if scale is None else Fraction(scale).limit_denominator(10**6)
    wanted = UpscaleOptions(model=model, target=TargetSize(factor, height, size), **options)
    return run_upscale(os.fspath(source), Path(target), wanted, progress)


def available_models() -> list[str]:
    """The names that `load` and `upscale` take."""
    return model_names()
