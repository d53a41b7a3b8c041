"""`vsr upscale INPUT OUTPUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vsrcli.cli import job
from vsrcli.cli.options import AllowProtocol, Debug, Json, parse_encoder_option


def upscale(
    source: job.Source,
    target: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="Video, pattern such as out/%06d.png, or image."),
    ],
    model: Annotated[
        str | None, job.option("Model", "A name of `vsr models`, or a weights file.")
    ] = None,
    weights: job.Weights = None,
    scale: job.Scale = None,
    height: job.Height = None,
    size: job.Size = None,
    fps_factor: Annotated[
        Literal["1", "2"] | None,
        job.option("Model", "1: only the moments of the input, from a model that makes more."),
    ] = None,
    scene_detection: job.SceneDetection = "on",
    codec: job.Codec = None,
    crf: job.Crf = None,
    preset: job.Preset = None,
    pix_fmt: job.PixFmt = None,
    encoder_option: job.EncoderOption = None,
    audio: job.Audio = "copy",
    subtitles: job.Subtitles = "copy",
    overwrite: job.Overwrite = False,
    start: job.Start = None,
    end: job.End = None,
    fps: job.Fps = None,
    deinterlace: job.Deinterlace = "auto",
    allow_protocol: AllowProtocol = None,
    device: job.Device = "auto",
    precision: job.Precision = "auto",
    tile: job.Tile = "auto",
    dry_run: job.DryRun = False,
    quiet: job.Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Enlarge a video together with its sound, subtitles, timing and colours."""
    from vsrcli.jobs.options import JobOptions, TargetSize
    from vsrcli.media.encoders import EncodeOptions

    options = JobOptions(
        model=model,
        weights=weights,
        target=TargetSize(scale, height, size),
        device=device,
        precision=precision,
        tile=tile,
        scene_detection=scene_detection == "on",
        fps_factor=None if fps_factor is None else 2 if fps_factor == "2" else 1,
        encode=EncodeOptions(
            codec=codec,
            crf=crf,
            preset=preset,
            pix_fmt=pix_fmt,
            encoder_options=tuple(parse_encoder_option(text) for text in encoder_option or ()),
            hardware="auto",
        ),
        audio=audio,
        subtitles=subtitles,
        deinterlace=deinterlace,
        start=start,
        end=end,
        fps=fps,
        overwrite=overwrite,
        allow_protocols=tuple(allow_protocol or ()),
    )
    job.run(source, target, options, dry_run=dry_run, quiet=quiet, as_json=as_json)
