"""Which encoder writes a picture, in which pixel format, with which options."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import av.logging
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags, ThreadType
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext

from vsrcli.errors import OutputError, UsageError
from vsrcli.media.codecs import CODECS, Codec
from vsrcli.media.encoded_format import best_format, losses, planar, stored_color
from vsrcli.media.encoder_options import carries_light, encoder_options
from vsrcli.media.frame import ColorSpec, PixelFormat
from vsrcli.media.info import ContentLight, MasteringDisplay

_CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
}


_NOT_WRITTEN = frozenset((
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2v", ".mpeg", ".mpg", ".mxf",
    ".nut", ".ogm", ".ogv", ".rm", ".rmvb", ".vob", ".wmv", ".wtv",
))  # fmt: skip
"""Containers that have no place for the codecs written, for uneven times, or for other streams."""

_ON_CARD = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
"""In which format NVENC takes samples of these where they lie."""
_NO_CARD = "libcuda"
"""Part of what libav says on a machine without NVIDIA's driver."""


@dataclass(frozen=True)
class EncodeOptions:
    """What the user asked of the encoder; None leaves the choice to `choose`."""

    codec: str | None = None
    """One of CODECS; None: h264, or vp9 for WebM."""
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    encoder_options: tuple[tuple[str, str], ...] = ()
    """libav's own, handed through."""
    hardware: Literal["auto", "off"] = "off"
    """auto: NVENC of the same codec where a card has it."""


@dataclass(frozen=True)
class Picture:
    """What is to be encoded."""

    width: int
    height: int
    """Of the output, in samples."""
    format: PixelFormat
    """Of the source."""
    color: ColorSpec
    """Of the source, guesses made."""
    rate: Fraction
    """Average frames a second, for rate control only: times come from the frames."""
    mastering: MasteringDisplay | None = None
    light: ContentLight | None = None


@dataclass(frozen=True)
class EncoderPlan:
    """An encoder that was opened once with these settings and took them."""

    codec: str
    """One of CODECS."""
    encoder: str
    """libav's name."""
    format: PixelFormat
    """Of the frames to hand to the writer."""
    pix_fmt: str
    """Of the frames the encoder takes: `format`, or the same samples packed."""
    color: ColorSpec
    """What the samples mean, and what the file says."""
    width: int
    height: int
    """Of the frames to hand to the writer."""
    padding: tuple[int, int]
    """Columns at the right and rows at the bottom that the writer adds by repeating the edge."""
    options: tuple[tuple[str, str], ...]
    rate: Fraction
    notes: tuple[str, ...]
    """What the user should know, to be said once."""
    card: int | None = None
    """The card whose memory the frames to hand to the writer lie in; None: the program's own."""


def written_as(target: Path) -> Path:
    """The name under which a file meant for `target` is written: Matroska's where the suffix is
    that of a container which only is read."""
    return target.with_suffix(".mkv") if target.suffix.lower() in _NOT_WRITTEN else target


def is_bluray(target: Path) -> bool:
    """Whether `target` is MPEG-TS as Blu-ray discs and AVCHD cameras have it."""
    return target.suffix.lower() in (".m2ts", ".mts")


def container_of(target: Path) -> str:
    """libav's name of the container that the suffix of `target` stands for."""
    try:
        return _CONTAINERS[target.suffix.lower()]
    except KeyError:
        raise OutputError(
            f"{target}: no container is known by the suffix {target.suffix or 'it lacks'}; "
            f"use one of {', '.join(_CONTAINERS)}"
        ) from None


def choose(
    options: EncodeOptions, picture: Picture, container: str, card: int | None = None
) -> EncoderPlan:
    """The plan for encoding `picture` into `container` ("mp4", "matroska" ...). `card` is the
    number of the CUDA device on which the pictures are made.

    Raises UsageError for names and numbers that no codec takes, OutputError when this codec or
    this container cannot do what was asked.
    """
    name = options.codec or ("vp9" if container == "webm" else "h264")
    if name not in CODECS:
        raise UsageError(f"unknown codec {name!r}: choose one of {', '.join(CODECS)}")
    if container not in CODECS[name].containers:
        good = [codec for codec in CODECS if container in CODECS[codec].containers]
        raise OutputError(f"{container} does not hold {name}: choose one of {', '.join(good)}")
    software = CODECS[name].software
    if software:
        try:
            return _staying(_plan(name, options, picture, container), card)
        except OutputError as error:
            note = f"{name} does not work here, {software} is used instead ({error})"
            # Presets, qualities and options of the one mean nothing to the other.
            options = EncodeOptions(software, pix_fmt=options.pix_fmt)
            plan = _plan(software, options, picture, container)
            return replace(plan, notes=(note, *plan.notes))
    hardware = f"{name}_nvenc"
    plain = options.preset is None and options.crf is None and not options.encoder_options
    if options.hardware == "auto" and plain and hardware in CODECS:
        try:
            plan = _staying(_plan(hardware, options, picture, container), card)
            return replace(plan, notes=(f"encoding on the graphics card ({hardware})", *plan.notes))
        except OutputError as error:
            plan = _plan(name, options, picture, container)
            if _NO_CARD in str(error):
                return plan
            return replace(plan, notes=(f"{name} is encoded on the CPU ({error})", *plan.notes))
    return _plan(name, options, picture, container)


def _plan(name: str, options: EncodeOptions, picture: Picture, container: str) -> EncoderPlan:
    codec = CODECS[name]
    if picture.width < codec.narrowest:
        raise OutputError(
            f"{name} is for pictures of {codec.narrowest} pixels' width or more, this one has "
            f"{picture.width}; use --codec h264"
        )
    try:
        formats = av.Codec(codec.encoder, "w").video_formats or []
    except UnknownCodecError:
        raise OutputError(
            f"{name} needs {codec.encoder}, which this build of libav lacks"
        ) from None
    offered = [item.name for item in formats if item.name != "cuda"]
    pix_fmt = options.pix_fmt or best_format(
        codec, offered, picture.format, picture.color, container
    )
    if pix_fmt not in offered:
        raise OutputError(f"{name} cannot encode {pix_fmt}: choose one of {', '.join(offered)}")
    form = planar(pix_fmt)
    color = stored_color(codec, form, picture.format, picture.color)
    padding = (0, 0)
    if codec.even:
        shift_x, shift_y = form.chroma_shift
        padding = (-picture.width % (1 << shift_x), -picture.height % (1 << shift_y))
    plan = EncoderPlan(
        codec=name,
        encoder=codec.encoder,
        format=form,
        pix_fmt=pix_fmt,
        color=color,
        width=picture.width,
        height=picture.height,
        padding=padding,
        options=encoder_options(
            name,
            codec,
            crf=options.crf,
            preset=options.preset,
            extra=(*_slices(codec, picture), *options.encoder_options),
            form=form,
            color=color,
            mastering=picture.mastering,
            light=picture.light,
        ),
        rate=picture.rate,
        notes=_notes(name, codec, form, padding, picture),
    )
    try_encoder(plan, dict(options.encoder_options))
    return plan


def _staying(plan: EncoderPlan, card: int | None) -> EncoderPlan:
    """The plan of an encoder on a card for frames that do not leave it, if it takes such."""
    packed = _ON_CARD.get(plan.format.name)
    if card is None or packed is None or any(plan.padding):
        return plan
    staying = replace(plan, pix_fmt=packed, card=card)
    try:
        try_encoder(staying, {})
    except OutputError:
        return plan
    return staying


def _slices(codec: Codec, picture: Picture) -> tuple[tuple[str, str], ...]:
    """One slice for pictures that FFV1 cannot part into more."""
    small = codec.archival and min(picture.width, picture.height) < 8
    return (("slices", "1"),) if small else ()


def _notes(
    name: str, codec: Codec, form: PixelFormat, padding: tuple[int, int], picture: Picture
) -> tuple[str, ...]:
    notes = losses(name, form, picture.format, picture.color)
    if any(padding):
        added = [
            f"one {what}" for what, count in zip(("column", "row"), padding, strict=True) if count
        ]
        notes.append(
            f"{picture.width}x{picture.height} has an odd side, which {name} does not take in "
            f"{form.name}: {' and '.join(added)} is repeated at the edge"
        )
    if (picture.mastering or picture.light) and not carries_light(codec.encoder):
        notes.append(f"HDR mastering data is left out: {name} does not write it; hevc and av1 do")
    return tuple(notes)


def open_encoder(context: VideoCodecContext, plan: EncoderPlan, time_base: Fraction) -> None:
    """Set up and open an encoder's context as planned; av.FFmpegError when it refuses.

    Afterwards `context.options` holds the options that it did not know.
    """
    # SVT-AV1 would write its settings to standard error.
    os.environ.setdefault("SVT_LOG", "1")
    context.width = plan.width + plan.padding[0]
    context.height = plan.height + plan.padding[1]
    context.pix_fmt = plan.pix_fmt
    context.time_base = time_base
    context.framerate = plan.rate
    # Without it libav aims at 200 kbit/s.
    context.bit_rate = 0
    context.color_range = plan.color.range
    context.colorspace = plan.color.matrix
    context.color_primaries = plan.color.primaries
    context.color_trc = plan.color.transfer
    context.flags |= Flags.frame_duration
    # PyAV asks for slices alone, whose threads wait for each other in every picture; several
    # pictures at once keep more cores busy, and x264 loses nothing at the edges of slices.
    context.thread_type = ThreadType.AUTO
    context.options = dict(plan.options)
    context.open()


def acceleration_of(plan: EncoderPlan) -> HWAccel | None:
    """What the plan's encoder is to be made with; for this thread."""
    if plan.card is None:
        return None
    from vsrcli.media.card import acceleration  # and torch, for which most wait

    return acceleration(plan.card)


def _blank(plan: EncoderPlan) -> av.VideoFrame:
    """A picture as the plan's encoder gets them."""
    width, height = plan.width + plan.padding[0], plan.height + plan.padding[1]
    if plan.card is None:
        return av.VideoFrame(width, height, plan.pix_fmt)
    import torch

    from vsrcli.media.card import picture_of, shared_context

    device = torch.device("cuda", plan.card)
    dtype = torch.uint8 if plan.format.bits == 8 else torch.uint16
    sizes = [plan.format.plane_size(index, width, height) for index in range(3)]
    planes = [torch.zeros(size, dtype=dtype, device=device) for size in sizes]
    return picture_of(planes, plan.pix_fmt, shared_context(plan.card))


def try_encoder(plan: EncoderPlan, asked: dict[str, str]) -> None:
    """Open the encoder once, NVENC with a frame, and close it; OutputError when it complains."""
    with _libav_log() as log:
        try:
            context = av.CodecContext.create(plan.encoder, "w", hwaccel=acceleration_of(plan))
            assert isinstance(context, VideoCodecContext)
            open_encoder(context, plan, 1 / plan.rate)
            if plan.encoder.endswith("_nvenc"):
                blank = _blank(plan)
                blank.pts = 0
                blank.time_base = 1 / plan.rate
                context.encode(blank)
                context.encode(None)
        except (av.FFmpegError, ValueError) as error:
            reason = log[-1][2].strip().rstrip(".") if log else str(error).splitlines()[0]
            raise OutputError(f"{plan.encoder} cannot be opened: {reason}") from error
    unknown = [key for key in context.options if key in asked]
    if unknown:
        raise OutputError(f"--encoder-option {unknown[0]}: {plan.encoder} has no such option")
    # Parameters inside x264-params and the like that the encoder ignored with a warning.
    for _, _, text in log:
        if text.startswith(("Error parsing option", "Unknown option")):
            raise OutputError(f"--encoder-option: {plan.encoder} says {text.strip()}")


@contextlib.contextmanager
def _libav_log() -> Iterator[list[tuple[int, str, str]]]:
    """What libav says on this thread from warnings upwards: (level, who, text), as it comes."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as captured:
            yield captured
    finally:
        av.logging.set_level(level)
