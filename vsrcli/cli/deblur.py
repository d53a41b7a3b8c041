"""`vsr deblur INPUT [OUTPUT]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vsrcli.cli import job
from vsrcli.cli.options import AllowProtocol, Debug, Json


def deblur(
    source: job.Source,
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUTPUT",
            help="Video, pattern or image; without it, INPUT's name with .deblurred before the "
            "extension.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, job.option("Model", "stfan-lite (the default), or a weights or ONNX file.")
    ] = None,
    weights: job.Weights = None,
    scale: job.Scale = None,
    height: job.Height = None,
    size: job.Size = None,
    reset_every: Annotated[
        int | None,
        job.option("Model", "Begin anew after so many frames, as the authors do after 20."),
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
    strict: job.Strict = False,
    sandbox_decode: job.SandboxDecode = "on",
    allow_protocol: AllowProtocol = None,
    device: job.Device = "auto",
    precision: job.Precision = "auto",
    backend: job.Backend = None,
    tile: job.Tile = "auto",
    dry_run: job.DryRun = False,
    quiet: job.Quiet = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Take the motion blur out of a video; everything else of it stays."""
    job.run("deblur", locals())  # all of the parameters above
