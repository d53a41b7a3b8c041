"""What a job will do: decided before the first frame is decoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vsrcli.errors import UsageError
from vsrcli.jobs.options import JobOptions, Verb
from vsrcli.jobs.report import Report
from vsrcli.jobs.route import Picturing
from vsrcli.media.access import MAX_DIMENSION, MAX_PIXELS
from vsrcli.media.codecs import leaves_marks
from vsrcli.media.encoders import Picture, choose, container_of, written_as
from vsrcli.media.geometry import oriented_size
from vsrcli.media.image_writer import image_plan, is_image_target
from vsrcli.media.images import find_images, is_image_source, probe_source
from vsrcli.media.info import MediaInfo, VideoInfo
from vsrcli.media.output import check_output, resolved
from vsrcli.media.output_folder import check_output_folder
from vsrcli.media.sandbox import Sandbox
from vsrcli.networks.spec import Recurrent
from vsrcli.restore.device import card_of
from vsrcli.restore.restorer import NAMES, Restorer, load
from vsrcli.zoo.catalogue import default_deblurring_model, default_model

DEFAULT_SCALE = 4
"""Enlargement when neither the user nor the model names one."""


@dataclass(frozen=True)
class Plan:
    """Everything decided before the first frame is decoded."""

    source: str
    target: Path
    options: JobOptions
    info: MediaInfo
    restorer: Restorer
    picturing: Picturing
    container: str
    """libav's name, or `images`."""

    @property
    def report(self) -> Report:
        """The report of a job of which nothing is done yet."""
        video, plan = self.info.video, self.picturing.plan
        return Report(
            input=self.source,
            output=str(self.target),
            model=self.restorer.name,
            device=str(self.restorer.device),
            precision=NAMES[self.restorer.dtype],
            backend=self.restorer.backend,
            input_size=oriented_size((video.width, video.height), video.orientation),
            output_size=(plan.width, plan.height),
            codec=plan.codec,
            pix_fmt=plan.pix_fmt,
            container=self.container,
            guesses=video.guesses,
            notes=plan.notes,
            warnings=self.info.warnings,
        )


def plan_job(
    source: str, target: Path, options: JobOptions, sandbox: Sandbox | None = None
) -> Plan:
    """Look at the input, load the model and choose the encoder; writes nothing.

    `sandbox` is where it is looked at; without it in this process. Raises the VsrError that the
    job itself would raise as early.
    """
    target, asked = written_as(target), target
    _check_target(source, target, options)
    probe = probe_source if sandbox is None else sandbox.probe
    info = probe(source, allow_protocols=options.allow_protocols, fps=options.fps)
    video = info.video
    restorer = _restorer(options, video)
    width, height = oriented_size((video.width, video.height), video.orientation)
    out_width, out_height = options.target.of(width, height, restorer.scale or DEFAULT_SCALE)
    if max(out_width, out_height) > MAX_DIMENSION or out_width * out_height > MAX_PIXELS:
        raise UsageError(f"An output of {out_width}x{out_height} is too large; use a lower scale")
    picture = Picture(
        out_width,
        out_height,
        video.format,
        video.color,
        (video.average_rate or Fraction(25)) * restorer.rate,
        video.mastering_display,
        video.content_light,
    )
    if is_image_target(target):
        container, plan = "images", image_plan(target, picture, options.encode)
    else:
        container = container_of(target)
        card = card_of(restorer.device)
        # Without a card there is no encoder on it to look for, nor to report missing.
        encode = replace(options.encode, hardware="off") if card is None else options.encode
        plan = choose(encode, picture, container, card)
        if target != asked:
            note = f"{asked.suffix} cannot hold the result: it is written as Matroska, {target}"
            plan = replace(plan, notes=(note, *plan.notes))
    if video.icc_profile and plan.encoder != "png":
        note = "its ICC colour profile is left out: only .png images keep it"
        plan = replace(plan, notes=(*plan.notes, note))
    picturing = Picturing(video.format, video.color, video.orientation, plan)
    return Plan(source, target, options, info, restorer, picturing, container)


def usual_model(verb: Verb, video: VideoInfo) -> str:
    """What restores `video` when no model is named."""
    if verb == "deblur":
        return default_deblurring_model()
    return default_model(compressed=leaves_marks(video.codec))


def _restorer(options: JobOptions, video: VideoInfo) -> Restorer:
    """The model for this video; raises UsageError when it does not do what is asked.

    A size that the options leave to the model is not known before it is loaded.
    """
    model, scale = options.model, None
    if model is None and options.weights is None:
        model = usual_model(options.verb, video)
    if options.target.given:
        width, height = oriented_size((video.width, video.height), video.orientation)
        out_width, out_height = options.target.of(width, height, DEFAULT_SCALE)
        scale = (Fraction(out_height, height), Fraction(out_width, width))
    restorer = load(
        model,
        options.weights,
        options.device,
        options.precision,
        scale=scale,
        tile=options.tile,
        scene_detection=options.scene_detection,
        between=options.fps_factor != 1,
        reset_every=options.reset_every,
        backend=options.backend,
    )
    name, spec = restorer.name, restorer.spec
    if (spec.task == "deblur") != (options.verb == "deblur"):
        right = "deblurs; use vsr deblur" if spec.task == "deblur" else "enlarges; use vsr upscale"
        raise UsageError(f"{name} {right}")
    if options.fps_factor == 2 and restorer.rate != 2:
        raise UsageError(f"{name} makes no frames between others; use --model stdan-lite")
    if options.reset_every is not None and not isinstance(spec.strategy, Recurrent):
        raise UsageError(f"{name} carries nothing from frame to frame that could be reset")
    return restorer


def _check_target(source: str, target: Path, options: JobOptions) -> None:
    inputs = inputs_of(source, target)
    if is_pattern(target):
        check_output_folder(target.parent, overwrite=options.overwrite, inputs=inputs)
    else:
        check_output(target, overwrite=options.overwrite, inputs=inputs)


def inputs_of(source: str, target: Path) -> list[Path]:
    """What a job from `source` to `target` must not write to: files, or for a sequence folders."""
    path = Path(source)
    if not is_image_source(source):
        return [path]
    if is_pattern(target):
        return [path if path.is_dir() else path.parent]
    # A new file is none of them.
    return find_images(source) if resolved(target).exists() else []


def is_pattern(target: Path) -> bool:
    """Whether `target` names a file for each frame, such as out/%06d.png."""
    return is_image_target(target) and "%" in target.name
