"""A job: one input, one output."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from vsrcli.errors import OutputError
from vsrcli.jobs.options import JobOptions
from vsrcli.jobs.picture_route import PictureRoute
from vsrcli.jobs.pipeline import run_segment
from vsrcli.jobs.plan import Plan, is_pattern, plan_job
from vsrcli.jobs.plane_route import PlaneRoute, resampling_of_planes
from vsrcli.jobs.report import Meter, ProgressCallback, Report, expected_frames
from vsrcli.jobs.route import Picturing, Route, Segment
from vsrcli.media.frame import Frame
from vsrcli.media.geometry import oriented_sar
from vsrcli.media.image_writer import ImageWriter
from vsrcli.media.images import open_source
from vsrcli.media.output import AtomicFolder, AtomicOutput
from vsrcli.media.reader import FrameSource
from vsrcli.media.streams import CarriedStreams, Cut, output_shift
from vsrcli.media.writer import FrameSink, MovieWriter
from vsrcli.restore.restorer import NAMES, Restorer


def run_job(
    source: str,
    target: Path,
    options: JobOptions,
    progress: ProgressCallback | None = None,
) -> Report:
    """Restore `source` into `target`, which appears only when it is whole.

    Audio, subtitles and everything else of the file is carried over. Raises a VsrError, after
    which, as after any exception, nothing is left at `target` and `source` is untouched.
    """
    plan = plan_job(source, target, options)
    info, video = plan.info, plan.info.video
    expected = expected_frames(video, info.duration, options.start, options.end)
    rate = plan.restorer.rate
    meter = Meter(expected and _restored_frames(expected, rate), progress)
    with contextlib.ExitStack() as stack:
        frames = stack.enter_context(_open(plan))
        notes: list[str] = []
        warnings: list[str] = []
        sink = stack.enter_context(_sink(plan, frames.time_base, notes, warnings))
        route = _route(plan.restorer, plan.picturing, Segment())
        stages = run_segment(
            _begun(frames, _first_tick(plan, frames.time_base)),
            route,
            sink,
            lambda stages: meter.update(stages.written, stages.shares),
        )
        with route.clocks["encode"]:  # encoders hold many frames back until the end
            sink.close()
        due = _restored_frames(stages.read, rate)
        if not due == stages.written == sink.frames:
            raise OutputError(
                f"{stages.read} frames were read but {sink.frames} of {due} written; "
                "this is a fault of vsr, nothing was kept"
            )
    planned = plan.report
    return replace(
        planned,
        precision=NAMES[plan.restorer.dtype],
        notes=(*planned.notes, *frames.notes, *notes),
        warnings=(*planned.warnings, *frames.warnings, *warnings, *plan.restorer.warnings),
        frames=stages.written,
        lost_packets=frames.lost,
        seconds=meter.seconds,
        fps=stages.written / meter.seconds,
        stages=stages.shares,
        work=stages.seconds,
    )


def _restored_frames(given: int, rate: int) -> int:
    """How many frames `given` ones become, `rate` for each but the last."""
    return rate * (given - 1) + 1


def _route(restorer: Restorer, picturing: Picturing, segment: Segment) -> Route[Any]:
    kernel = resampling_of_planes(restorer, picturing)
    if kernel is not None:
        return PlaneRoute(kernel, picturing, segment)
    return PictureRoute(restorer, picturing, segment)


def _open(plan: Plan) -> FrameSource:
    options, device = plan.options, plan.restorer.device
    return open_source(
        plan.source,
        info=plan.info,
        allow_protocols=options.allow_protocols,
        start=options.start,
        end=options.end,
        deinterlace=options.deinterlace,
        fps=options.fps,
        card=device.index or 0 if device.type == "cuda" else None,
    )


def _first_tick(plan: Plan, time_base: Fraction) -> int | None:
    """The beginning of the cut on the source's clock, in ticks; None without one."""
    start = plan.options.start
    return None if start is None else floor((plan.info.start_time + start) / time_base)


def _begun(frames: Iterable[Frame], first: int | None) -> Iterator[Frame]:
    """The frames, the one that is shown at `first` beginning there.

    Left where it was, it would lie before the beginning of the output, where MP4's players drop
    it.
    """
    for frame in frames:
        if first is not None and frame.pts < first:
            shown = max(1, frame.duration - (first - frame.pts))
            yield replace(frame, pts=first, duration=shown)
        else:
            yield frame


@contextlib.contextmanager
def _sink(
    plan: Plan, time_base: Fraction, notes: list[str], warnings: list[str]
) -> Iterator[FrameSink]:
    """Where the frames go; what they turn into is at the target once the block ends well.

    `notes` and `warnings` get what there is to say of the streams carried over, by then.
    """
    overwrite, inputs = plan.options.overwrite, [Path(plan.source)]
    encoding = plan.picturing.plan
    if plan.container != "images":
        with (
            AtomicOutput(plan.target, overwrite=overwrite, inputs=inputs) as path,
            _movie(plan, path, time_base, notes, warnings) as writer,
        ):
            yield writer
    elif is_pattern(plan.target):
        folder = plan.target.parent
        with (
            AtomicFolder(folder, overwrite=overwrite, inputs=inputs) as path,
            ImageWriter(path / plan.target.name, encoding) as images,
        ):
            yield images
    else:
        with (
            AtomicOutput(plan.target, overwrite=overwrite, inputs=inputs) as path,
            ImageWriter(path, encoding) as image,
        ):
            yield image


@contextlib.contextmanager
def _movie(
    plan: Plan, path: Path, time_base: Fraction, notes: list[str], warnings: list[str]
) -> Iterator[FrameSink]:
    options, info, video = plan.options, plan.info, plan.info.video
    first = _first_tick(plan, time_base)
    start = None if first is None else first * time_base
    end = None if options.end is None else info.start_time + options.end
    shift = output_shift(info.format, info.start_time, time_base, start)
    with contextlib.ExitStack() as stack:
        carried = None
        if info.format != "images":
            carried = stack.enter_context(
                CarriedStreams(
                    plan.source,
                    video.index,
                    plan.container,
                    audio=options.audio,
                    subtitles=options.subtitles,
                    cut=Cut(start, end, shift),
                    allow_protocols=options.allow_protocols,
                )
            )
        aspect = video.sample_aspect_ratio
        writer = MovieWriter(
            path,
            plan.container,
            plan.picturing.plan,
            # Moments between frames lie at half ticks.
            time_base=time_base / plan.restorer.rate,
            sample_aspect_ratio=oriented_sar(aspect, video.orientation) if aspect else None,
            shift=shift,
            video=video,
            metadata=info.metadata,
            carried=carried,
            target=plan.target,
        )
        yield stack.enter_context(writer)
        notes.extend(writer.notes)
        if carried is not None:
            notes.extend(carried.notes)
            warnings.extend(carried.warnings)
