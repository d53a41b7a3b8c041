"""A job: one input, one output."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from vsrcli.errors import InputError, LateInterrupt, OutputError
from vsrcli.jobs.options import JobOptions
from vsrcli.jobs.picture_route import PictureRoute
from vsrcli.jobs.pipeline import run_segment
from vsrcli.jobs.plan import Plan, inputs_of, is_pattern, plan_job
from vsrcli.jobs.plane_route import PlaneRoute, resampling_of_planes
from vsrcli.jobs.report import Meter, ProgressCallback, Report, expected_frames
from vsrcli.jobs.route import Picturing, Route, Segment
from vsrcli.media.encoders import is_bluray, written_as
from vsrcli.media.frame import Frame
from vsrcli.media.geometry import oriented_sar
from vsrcli.media.image_writer import ImageWriter
from vsrcli.media.images import open_source
from vsrcli.media.output import AtomicOutput
from vsrcli.media.output_folder import AtomicFolder
from vsrcli.media.reader import FrameSource
from vsrcli.media.sandbox import Sandbox
from vsrcli.media.streams import CarriedStreams, Cut, output_shift
from vsrcli.media.writer import FrameSink, MovieWriter
from vsrcli.restore.device import card_of
from vsrcli.restore.memory import telling_of_memory
from vsrcli.restore.restorer import NAMES, Restorer


def run_job(
    source: str,
    target: Path,
    options: JobOptions,
    progress: ProgressCallback | None = None,
    sandbox: Sandbox | None = None,
) -> Report:
    """Restore `source` into `target`, which appears only when it is whole.

    Audio, subtitles and everything else of the file is carried over. `sandbox` is where the source
    is decoded, unless a card does that; without it in this process. Raises a VsrError, after
    which, as after any exception but LateInterrupt, `target` is as it was; `source` always is.
    """
    # First of all, so that a second job to one target is refused before it loads a model.
    place = _place(source, target, options)
    try:
        with telling_of_memory(), place as path:
            return _run(plan_job(source, target, options, sandbox), path, progress, sandbox)
    except KeyboardInterrupt:
        if place.is_done:
            raise LateInterrupt from None
        raise


def _run(
    plan: Plan, path: Path, progress: ProgressCallback | None, sandbox: Sandbox | None
) -> Report:
    """Write to `path` what is meant for the plan's target."""
    options, info, video = plan.options, plan.info, plan.info.video
    expected = expected_frames(video, info.duration, options.start, options.end)
    rate = plan.restorer.rate
    meter = Meter(expected and _restored_frames(expected, rate), progress)
    with contextlib.ExitStack() as stack:
        frames = stack.enter_context(_open(plan, sandbox))
        notes: list[str] = []
        losses: list[str] = []
        sink = stack.enter_context(_sink(plan, path, frames, notes, losses))
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
    losses = [*frames.losses, *losses]
    if options.strict and losses:
        raise InputError(f"{plan.source}: {losses[0]}; --strict refuses that")
    planned = plan.report
    return replace(
        planned,
        precision=NAMES[plan.restorer.dtype],
        notes=(*planned.notes, *frames.notes, *notes),
        warnings=(*planned.warnings, *frames.warnings, *plan.restorer.warnings),
        losses=tuple(losses),
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


def _open(plan: Plan, sandbox: Sandbox | None) -> FrameSource:
    options, device = plan.options, plan.restorer.device
    if sandbox is not None and device.type != "cuda":
        return sandbox.open(
            plan.info,
            start=options.start,
            end=options.end,
            deinterlace=options.deinterlace,
            strict=options.strict,
        )
    return open_source(
        plan.source,
        info=plan.info,
        allow_protocols=options.allow_protocols,
        start=options.start,
        end=options.end,
        deinterlace=options.deinterlace,
        strict=options.strict,
        fps=options.fps,
        card=card_of(device),
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


def _place(source: str, target: Path, options: JobOptions) -> AtomicOutput | AtomicFolder:
    """What gives the path to write to, and moves what is there to the target in the end."""
    target = written_as(target)
    inputs = inputs_of(source, target)
    if is_pattern(target):
        return AtomicFolder(target.parent, overwrite=options.overwrite, inputs=inputs)
    return AtomicOutput(target, overwrite=options.overwrite, inputs=inputs)


def _sink(
    plan: Plan, path: Path, frames: FrameSource, notes: list[str], losses: list[str]
) -> AbstractContextManager[FrameSink]:
    """Where the frames go: to a file at `path`, or into a folder there.

    `notes` and `losses` get what there is to say of the streams carried over, by the end.
    """
    if plan.container != "images":
        return _movie(plan, path, frames, notes, losses)
    name = path / plan.target.name if is_pattern(plan.target) else path
    return ImageWriter(
        name, plan.picturing.plan, target=plan.target, icc_profile=plan.info.video.icc_profile
    )


@contextlib.contextmanager
def _movie(
    plan: Plan, path: Path, frames: FrameSource, notes: list[str], losses: list[str]
) -> Iterator[FrameSink]:
    options, info, video = plan.options, plan.info, plan.info.video
    time_base = frames.time_base
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
                    splices=frames.splices,
                    bluray=is_bluray(plan.target),
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
            losses.extend(carried.losses)
