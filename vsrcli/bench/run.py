"""One run of `vsr bench`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from vsrcli.bench.jobs import time_job
from vsrcli.bench.machine import clocks_of, look_at
from vsrcli.bench.models import How, Peaks, Size, time_model
from vsrcli.bench.probe import probe_copy, workload_for
from vsrcli.bench.result import Job, Result, Row
from vsrcli.bench.subjects import different_names
from vsrcli.bench.timing import Effort
from vsrcli.errors import DeviceError, UsageError, VsrError, WeightsError
from vsrcli.jobs.plan import usual_model
from vsrcli.media.images import probe_source
from vsrcli.restore.device import Backend, Precision, find_device

_SMALLEST = 16
"""Pixels a side of the input."""


@dataclass(frozen=True)
class Request:
    """What shall be timed."""

    models: tuple[str, ...] = ()
    """Empty: those of `different_names`; for a job the default model."""
    sizes: tuple[Size, ...] = ((320, 180),)
    clip: Path | None = None
    """A video to run whole jobs with; the models are then not timed at `sizes`."""
    device: str = "auto"
    precision: Precision = "auto"
    backend: Backend | None = None
    batch: int | None = None
    runs: int = 5

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise UsageError(f"--runs {self.runs} makes no sense; use 1 or more")
        for width, height in self.sizes:
            if min(width, height) < _SMALLEST:
                raise UsageError(
                    f"Frames of {width}x{height} are too small; use {_SMALLEST} pixels or more"
                )


def run(request: Request, report: Callable[[str], None]) -> Result:
    """Time what is requested; `report` is told in lines what comes next.

    A model that cannot be loaded, or does not fit the device, is told of and left out; if none is
    left, its VsrError is raised. Raises UsageError for unknown names.
    """
    device = find_device(request.device)
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    machine = look_at(device)
    how = How(device, request.precision, request.backend, request.batch, Effort(runs=request.runs))
    peaks = Peaks(device)
    rows: list[Row] = []
    jobs: list[Job] = []
    failure: VsrError | None = None
    with tempfile.TemporaryDirectory(prefix="vsr-bench-") as name:
        folder = Path(name)
        for model in request.models or _usual(request):
            try:
                if request.clip is None:
                    rows += time_model(model, request.sizes, how, peaks, folder, report)
                else:
                    report(f"{model} {request.clip}")
                    jobs.append(time_job(model, request.clip, how, folder))
            except (DeviceError, WeightsError) as error:
                report(f"{model} is left out: {error}")
                failure = error
    if failure is not None and not rows and not jobs:
        raise failure
    return Result(
        date=date,
        machine=machine,
        clocks=clocks_of(device),
        peaks=peaks.found,
        copy_rate=probe_copy(device, workload_for(device)) if rows else None,
        rows=tuple(rows),
        jobs=tuple(jobs),
    )


def _usual(request: Request) -> list[str]:
    if request.clip is None:
        return different_names()
    return [usual_model("upscale", probe_source(str(request.clip)).video)]
