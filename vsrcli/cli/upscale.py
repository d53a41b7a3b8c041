"""`vsr upscale INPUT OUTPUT`."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vsrcli.cli.options import (
    AllowProtocol,
    Debug,
    Json,
    parse_encoder_option,
    parse_ratio,
    parse_size,
    parse_tile,
    parse_time,
)
from vsrcli.cli.progress import clock, shown_progress

if TYPE_CHECKING:
    from vsrcli.jobs.report import Report


def _option(panel: str, text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


def upscale(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="Video, folder or pattern of images, or image.")
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="Video, pattern such as out/%06d.png, or image."),
    ],
    model: Annotated[
        str | None,
        _option("Model", "A name of `vsr weights list`, bicubic, lanczos, or a weights file."),
    ] = None,
    weights: Annotated[
        Path | None, _option("Model", "Weights to use instead of the model's own.")
    ] = None,
    scale: Annotated[
        Fraction | None,
        _option("Model", "Enlargement, such as 4 or 2.5.", parser=parse_ratio, metavar="N"),
    ] = None,
    height: Annotated[int | None, _option("Model", "Output height instead of a scale.")] = None,
    size: Annotated[
        Any, _option("Model", "Output size instead.", parser=parse_size, metavar="WxH")
    ] = None,
    scene_detection: Annotated[
        Literal["on", "off"], _option("Model", "Never mix frames of two scenes.")
    ] = "on",
    codec: Annotated[
        str | None,
        _option("Output", "h264 (the default), hevc, av1, vp9, prores, ffv1, or h264_nvenc ..."),
    ] = None,
    crf: Annotated[
        float | None, _option("Output", "Quality, lower is better; each codec has its default.")
    ] = None,
    preset: Annotated[str | None, _option("Output", "The encoder's speed preset.")] = None,
    pix_fmt: Annotated[str | None, _option("Output", "Pixel format, such as yuv420p10le.")] = None,
    encoder_option: Annotated[
        list[str] | None,
        _option("Output", "Handed to the encoder; repeatable.", metavar="KEY=VALUE"),
    ] = None,
    audio: Annotated[str, _option("Output", "copy, none, or a codec to convert to.")] = "copy",
    subtitles: Annotated[
        Literal["copy", "none"], _option("Output", "Carry subtitles over or not.")
    ] = "copy",
    overwrite: Annotated[
        bool, _option("Output", "Replace an output that exists.", "--overwrite")
    ] = False,
    start: Annotated[
        Fraction | None,
        _option("Input", "Begin at this time.", parser=parse_time, metavar="TIME"),
    ] = None,
    end: Annotated[
        Fraction | None, _option("Input", "Stop at this time.", parser=parse_time, metavar="TIME")
    ] = None,
    fps: Annotated[
        Fraction | None,
        _option("Input", "Rate of an image sequence.", parser=parse_ratio, metavar="N"),
    ] = None,
    deinterlace: Annotated[
        Literal["auto", "on", "off"], _option("Input", "auto: when frames are flagged interlaced.")
    ] = "auto",
    allow_protocol: AllowProtocol = None,
    device: Annotated[str, _option("Speed", "auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "fp16", "bf16"],
        _option("Speed", "auto: fp16 on CUDA, on a CPU what is faster there."),
    ] = "auto",
    tile: Annotated[
        Any,
        _option("Speed", "Side in input pixels, auto or off.", parser=parse_tile, metavar="N"),
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what fails.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Enlarge a video together with its sound, subtitles, timing and colours."""
    from vsrcli.jobs.options import TargetSize, UpscaleOptions
    from vsrcli.jobs.upscale import plan_upscale
    from vsrcli.jobs.upscale import upscale as run
    from vsrcli.media.encoders import EncodeOptions

    encode = EncodeOptions(
        codec=codec,
        crf=crf,
        preset=preset,
        pix_fmt=pix_fmt,
        encoder_options=tuple(parse_encoder_option(text) for text in encoder_option or ()),
        hardware="auto",
    )
    options = UpscaleOptions(
        model=model,
        weights=weights,
        target=TargetSize(scale, height, size),
        device=device,
        precision=precision,
        tile=tile,
        scene_detection=scene_detection == "on",
        encode=encode,
        audio=audio,
        subtitles=subtitles,
        deinterlace=deinterlace,
        start=start,
        end=end,
        fps=fps,
        overwrite=overwrite,
        allow_protocols=tuple(allow_protocol or ()),
    )
    if dry_run:
        report = plan_upscale(source, target, options).report
    else:
        with shown_progress(quiet) as progress:
            report = run(source, target, options, progress)
    if as_json:
        print(json.dumps(report.as_json()))
    if not quiet:
        for line in _told(report, dry_run):
            print(line, file=sys.stderr)


def _told(report: Report, dry_run: bool) -> list[str]:
    """The report as lines for people: what was guessed, kept, lost and done."""
    said = [*report.guesses, *report.notes, *report.warnings]
    lines = [line[:1].upper() + line[1:] for line in said]
    size = "{}x{} -> {}x{}".format(*report.input_size, *report.output_size)
    how = f"{report.model} on {report.device} in {report.precision}, {report.codec}"
    if dry_run:
        return [*lines, f"Would write {report.output}: {size}, {how} {report.pix_fmt}"]
    time = f"{report.frames} frames in {clock(report.seconds)}, {report.fps:.3g} fps"
    return [*lines, f"{report.output}: {size}, {how}, {time}"]
