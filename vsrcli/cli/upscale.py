"""`vsr upscale INPUT OUTPUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vsrcli.cli import job
from vsrcli.cli.options import AllowProtocol, Debug, Json


def upscale(
    source: job.Source,
    target: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="Video, pattern such as out/%06d.png, or image."),
    ],
    model: Annotated[
        str | None, job.option("Model", "A name of `vsr models`, or a weights or ONNX file.")
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
    """Enlarge a video together with its sound, subtitles, timing and colours."""
    job.run("upscale", locals())  # all of the parameters above
