"""Options that all jobs share, and how a job is run from the command line."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vsrcli.cli.interrupted import Interrupted, ignore_signals
from vsrcli.cli.options import (
    parse_encoder_option,
    parse_ratio,
    parse_size,
    parse_tile,
    parse_time,
)
from vsrcli.cli.printing import printable
from vsrcli.cli.progress import clock, shown_progress
from vsrcli.cli.weights_fetch import fetch_at_first_use
from vsrcli.errors import LateInterrupt

if TYPE_CHECKING:
    from vsrcli.jobs.options import JobOptions
    from vsrcli.jobs.report import Report
    from vsrcli.media.sandbox import Sandbox


Verb = Literal["upscale", "deblur"]


def option(panel: str, text: str, *names: str, **more: Any) -> Any:
    """An option under a heading of the help."""
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


Source = Annotated[
    str, typer.Argument(metavar="INPUT", help="Video, folder or pattern of images, or image.")
]
Weights = Annotated[Path | None, option("Model", "Weights to use instead of the model's own.")]
Scale = Annotated[
    Fraction | None,
    option("Model", "Enlargement, such as 4 or 2.5.", parser=parse_ratio, metavar="N"),
]
Height = Annotated[int | None, option("Model", "Output height instead of a scale.")]
Size = Annotated[Any, option("Model", "Output size instead.", parser=parse_size, metavar="WxH")]
SceneDetection = Annotated[Literal["on", "off"], option("Model", "Never mix frames of two scenes.")]
Codec = Annotated[
    str | None,
    option("Output", "h264 (the default), hevc, av1, vp9, prores, ffv1, or h264_nvenc ..."),
]
Crf = Annotated[
    float | None, option("Output", "Quality, lower is better; each codec has its default.")
]
Preset = Annotated[str | None, option("Output", "The encoder's speed preset.")]
PixFmt = Annotated[str | None, option("Output", "Pixel format, such as yuv420p10le.")]
EncoderOption = Annotated[
    list[str] | None,
    option("Output", "Handed to the encoder; repeatable.", metavar="KEY=VALUE"),
]
Audio = Annotated[str, option("Output", "copy, none, or a codec to convert to.")]
Subtitles = Annotated[Literal["copy", "none"], option("Output", "Carry subtitles over or not.")]
Overwrite = Annotated[bool, option("Output", "Replace an output that exists.", "--overwrite")]
Start = Annotated[
    Fraction | None, option("Input", "Begin at this time.", parser=parse_time, metavar="TIME")
]
End = Annotated[
    Fraction | None, option("Input", "Stop at this time.", parser=parse_time, metavar="TIME")
]
Fps = Annotated[
    Fraction | None,
    option("Input", "Rate of an image sequence.", parser=parse_ratio, metavar="N"),
]
Deinterlace = Annotated[
    Literal["auto", "on", "off"], option("Input", "auto: when frames are flagged interlaced.")
]
Strict = Annotated[bool, option("Input", "Fail when anything of the input is lost.", "--strict")]
SandboxDecode = Annotated[
    Literal["on", "off"], option("Input", "Decode in a process of its own, which may crash alone.")
]
Device = Annotated[str, option("Speed", "auto, cpu, cuda, cuda:1 or mps.")]
Precision = Annotated[
    Literal["auto", "fp32", "fp16", "bf16"],
    option("Speed", "auto: fp16 on CUDA, on a CPU what is faster there."),
]
Backend = Annotated[
    Literal["torch", "onnx"] | None,
    option("Speed", "torch, or onnx: ONNX Runtime, which also runs a model that is an ONNX file."),
]
Tile = Annotated[
    Any, option("Speed", "Side in input pixels, auto or off.", parser=parse_tile, metavar="N")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say only what fails.")]


def run(verb: Verb, given: Mapping[str, Any]) -> None:
    """Do the job that a command was given in its parameters, by their names, and say what was
    done; with `dry_run` only plan it."""
    if given["sandbox_decode"] == "off" or sys.platform != "linux":
        _run(verb, given, None)
        return
    from vsrcli.media.sandbox import Sandbox

    with Sandbox() as sandbox:  # which starts while this process loads torch
        _run(verb, given, sandbox)


def _run(verb: Verb, given: Mapping[str, Any], sandbox: Sandbox | None) -> None:
    # Looking for garbage among the objects that torch makes at its import takes a fifth as long.
    gc.disable()
    from vsrcli.jobs.job import run_job
    from vsrcli.jobs.options import deblurred_name
    from vsrcli.jobs.plan import plan_job

    gc.freeze()
    gc.enable()
    options, source, quiet = _options(verb, given), given["source"], given["quiet"]
    target = given["target"] or deblurred_name(source)
    if given["dry_run"]:
        report = plan_job(source, target, options, sandbox).report
    else:
        fetch_at_first_use(options.model, options.weights)
        try:
            with shown_progress(quiet) as progress:
                report = run_job(source, target, options, progress, sandbox)
                ignore_signals()
        except LateInterrupt:
            raise Interrupted(f"Interrupted, but {target} was whole already and is kept") from None
    if given["as_json"]:
        print(json.dumps(report.as_json()))
    if not quiet:
        for line in _told(report, given["dry_run"]):
            print(printable(line), file=sys.stderr)


def _options(verb: Verb, given: Mapping[str, Any]) -> JobOptions:
    from vsrcli.jobs.options import JobOptions, TargetSize
    from vsrcli.media.encoders import EncodeOptions

    fps_factor = given.get("fps_factor")
    return JobOptions(
        verb=verb,
        model=given["model"],
        weights=given["weights"],
        target=TargetSize(given["scale"], given["height"], given["size"]),
        device=given["device"],
        precision=given["precision"],
        backend=given["backend"],
        tile=given["tile"],
        scene_detection=given["scene_detection"] == "on",
        fps_factor=None if fps_factor is None else 2 if fps_factor == "2" else 1,
        reset_every=given.get("reset_every"),
        encode=EncodeOptions(
            codec=given["codec"],
            crf=given["crf"],
            preset=given["preset"],
            pix_fmt=given["pix_fmt"],
            encoder_options=tuple(map(parse_encoder_option, given["encoder_option"] or ())),
            hardware="auto",
        ),
        audio=given["audio"],
        subtitles=given["subtitles"],
        deinterlace=given["deinterlace"],
        start=given["start"],
        end=given["end"],
        fps=given["fps"],
        strict=given["strict"],
        overwrite=given["overwrite"],
        allow_protocols=tuple(given["allow_protocol"] or ()),
    )


def _told(report: Report, dry_run: bool) -> list[str]:
    """The report as lines for people: what was guessed, kept, lost and done."""
    said = [*report.guesses, *report.notes, *report.warnings, *report.losses]
    lines = [line[:1].upper() + line[1:] for line in said]
    size = "{}x{} -> {}x{}".format(*report.input_size, *report.output_size)
    how = f"{report.model} on {report.device} in {report.precision}, {report.codec}"
    if report.backend == "onnx":
        how = how.replace(",", " by ONNX Runtime,", 1)
    if dry_run:
        return [*lines, f"Would write {report.output}: {size}, {how} {report.pix_fmt}"]
    time = f"{report.frames} frames in {clock(report.seconds)}, {report.fps:.3g} fps"
    return [*lines, f"{report.output}: {size}, {how}, {time}"]
