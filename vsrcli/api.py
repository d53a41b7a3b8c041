"""The functions that `import vsrcli` offers."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from vsrcli.jobs.job import run_job
from vsrcli.jobs.options import JobOptions, TargetSize, deblurred_name
from vsrcli.jobs.report import ProgressCallback, Report
from vsrcli.restore.restorer import load
from vsrcli.zoo.catalogue import model_names

__all__ = ["available_models", "deblur", "load", "upscale"]


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
    without them. `options` are the other fields of `jobs.options.JobOptions`, such as
    `encode=EncodeOptions(codec="hevc", crf=20)` or `overwrite=True`.
    Raises a VsrError with one line to show; the target is then as it was.
    """
    factor = None if scale is None else Fraction(scale).limit_denominator(10**6)
    wanted = JobOptions(model=model, target=TargetSize(factor, height, size), **options)
    return run_job(os.fspath(source), Path(target), wanted, progress)


def deblur(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    model: str | None = None,
    *,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Report:
    """Take the motion blur out of a video or image sequence; returns what was done.

    Without a `target` it is put beside the source as `<stem>.deblurred<ext>`. `options` and
    errors are those of `upscale`.
    """
    out = deblurred_name(os.fspath(source)) if target is None else Path(target)
    return run_job(
        os.fspath(source), out, JobOptions(verb="deblur", model=model, **options), progress
    )


def available_models() -> list[str]:
    """The names that `load`, `upscale` and `deblur` take."""
    return model_names()
