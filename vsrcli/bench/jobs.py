"""Timing whole jobs, from file to file, beside the model alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path

from torch import Tensor

from vsrcli.bench.models import How
from vsrcli.bench.result import Job
from vsrcli.bench.subjects import find_subject
from vsrcli.bench.timing import marks_for, time_stream
from vsrcli.jobs.job import run_job
from vsrcli.jobs.options import JobOptions
from vsrcli.jobs.picture_route import PictureRoute
from vsrcli.jobs.plan import Plan, plan_job
from vsrcli.jobs.route import Segment
from vsrcli.media.images import open_source
from vsrcli.restore.scenes import mark_cuts

_FRAMES = 12
"""Of the clip's beginning that the model alone is timed on."""


def time_job(name: str, clip: Path, how: How, folder: Path) -> Job:
    """Run the job that `vsr upscale` or `vsr deblur` does with `clip`, and the model alone.

    `folder` takes temporary files, the output among them. Raises the VsrError of the job.
    """
    subject = find_subject(name, folder)
    deblurs = subject.network is not None and subject.network.spec.task == "deblur"
    options = JobOptions(
        verb="deblur" if deblurs else "upscale",
        model=name,
        weights=subject.weights,
        device=str(how.device),
        precision=how.precision,
        backend=how.backend,
    )
    # Matroska, which takes any sound and subtitles as they are.
    target = folder / f"{Path(name).stem}.mkv"
    plan = plan_job(str(clip), target, options)
    # Before the job, whose time is then not that of loading the device's libraries.
    alone = time_stream(plan.restorer.stream, _beginning(plan), how.effort, marks_for(how.device))
    report = run_job(str(clip), target, options)
    target.unlink()
    return Job(
        model=subject.name,
        trained=subject.trained,
        backend=report.backend,
        precision=report.precision,
        clip=clip.name,
        input_size=report.input_size,
        output_size=report.output_size,
        codec=report.codec,
        frames=report.frames,
        seconds=report.seconds,
        alone=alone.seconds,
        work=report.work,
        notes=report.warnings,
    )


def _beginning(plan: Plan) -> Sequence[Tensor]:
    """The pictures of the first scene of the clip, some of them, as the job hands them to the
    model."""
    route = PictureRoute(plan.restorer, plan.picturing, Segment())

    def pictures() -> Iterator[Tensor]:
        with open_source(plan.source, info=plan.info) as frames:
            for frame in islice(frames, _FRAMES):
                yield route.prepare(frame)[0]

    marked = list(mark_cuts(pictures()))
    rest = takewhile(lambda item: not item[1], marked[1:])
    return [picture for picture, _ in (*marked[:1], *rest)]
