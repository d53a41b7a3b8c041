"""Writing frames as images: a numbered sequence, or one file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from vsrcli.errors import OutputError, UsageError
from vsrcli.media.encoders import EncodeOptions, EncoderPlan, Picture, open_encoder, try_encoder
from vsrcli.media.formats import frame_to_av, pixel_format, reformatted, tag_av
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, PixelFormat, Range
from vsrcli.media.icc import with_profile
from vsrcli.media.output import write_failure


@dataclass(frozen=True)
class _Image:
    """An image format: libav's encoder and the samples that it stores."""

    encoder: str
    deep: bool
    """Whether it stores 16 bits."""
    alpha: bool
    options: tuple[tuple[str, str], ...] = ()


_IMAGES = {
    ".png": _Image("png", deep=True, alpha=True),
    ".tif": _Image("tiff", deep=True, alpha=True, options=(("compression_algo", "deflate"),)),
    ".tiff": _Image("tiff", deep=True, alpha=True, options=(("compression_algo", "deflate"),)),
    ".jpg": _Image("mjpeg", deep=False, alpha=False),
    ".jpeg": _Image("mjpeg", deep=False, alpha=False),
    ".webp": _Image("libwebp", deep=False, alpha=True, options=(("lossless", "1"),)),
}
"""By suffix. WebP is lossless unless `--encoder-option lossless=0` says otherwise."""

_JPEG_QUALITY = 2.0
"""libav's scale, 1 the best and 31 the worst."""

_PATTERN = re.compile(r"[^%]*%(0\d+)?d[^%]*")


def is_image_target(target: Path) -> bool:
    """Whether `target` is an image or a pattern for a sequence of them: `out/%06d.png`."""
    return target.suffix.lower() in _IMAGES


def image_plan(target: Path, picture: Picture, options: EncodeOptions) -> EncoderPlan:
    """The plan for writing `picture` as the images that `target` names.

    Sources of more than 8 bits become 16-bit PNG and TIFF. UsageError for a pattern without a
    number or options of video codecs, OutputError when the format cannot do what was asked.
    """
    name, suffix = target.name, target.suffix.lower()
    if "%" in name and not _PATTERN.fullmatch(name):
        raise UsageError(f"{name}: write the number as one %d or %06d, as in frame-%06d{suffix}")
    image = _IMAGES[suffix]
    for option, value in (("--codec", options.codec), ("--preset", options.preset)):
        if value is not None:
            raise UsageError(f"{option} {value} is for videos: leave it out for {suffix} images")
    if options.crf is not None and image.encoder != "mjpeg":
        raise UsageError(f"--crf {options.crf:g}: {suffix} images are lossless, leave it out")
    form, pix_fmt, color = _stored(image, picture)
    if options.pix_fmt not in (None, pix_fmt):
        raise OutputError(f"--pix-fmt {options.pix_fmt}: {suffix} images are written as {pix_fmt}")
    settings = dict(image.options)
    if image.encoder == "mjpeg":
        quality = _JPEG_QUALITY if options.crf is None else options.crf
        if not 1 <= quality <= 31:
            raise UsageError(f"--crf {quality:g} for {suffix}: it goes from 1 (best) to 31")
        settings |= {"qmin": f"{quality:g}", "qmax": f"{quality:g}"}
    settings |= dict(options.encoder_options)
    notes = []
    if picture.format.bits > form.bits:
        notes.append(f"{picture.format.bits}-bit source: {suffix} stores 8 bits; .png stores 16")
    plan = EncoderPlan(
        codec=image.encoder,
        encoder=image.encoder,
        format=form,
        pix_fmt=pix_fmt,
        color=color,
        width=picture.width,
        height=picture.height,
        padding=(0, 0),
        options=tuple(settings.items()),
        rate=Fraction(25),
        notes=tuple(notes),
    )
    try_encoder(plan, dict(options.encoder_options))
    return plan


def _stored(image: _Image, picture: Picture) -> tuple[PixelFormat, str, ColorSpec]:
    """Format of the frames, that of the encoder, and the colours of both."""
    source = picture.format
    if image.encoder == "mjpeg":
        # JFIF: BT.601, full range, chroma in the middle.
        color = replace(
            picture.color,
            matrix=Matrix.BT470BG,
            range=Range.FULL,
            chroma_location=ChromaLocation.CENTER,
        )
        return pixel_format("yuv444p"), "yuvj444p", color
    deep = image.deep and source.bits > 8
    alpha = image.alpha and source.alpha
    color = replace(picture.color, matrix=Matrix.RGB, range=Range.FULL)
    if not (color.is_hdr or color.primaries == 9):
        # Viewers show an untagged image as video players show BT.709; a tag makes some of them
        # apply the camera's curve instead, and the image brighter than the video.
        color = replace(color, primaries=2, transfer=2)
    if image.encoder == "libwebp":
        return pixel_format("gbrap" if alpha else "gbrp"), "bgra", color
    planar = {(False, False): "gbrp", (False, True): "gbrap"}
    planar |= {(True, False): "gbrp16le", (True, True): "gbrap16le"}
    packed = ("rgba64" if alpha else "rgb48") if deep else ("rgba" if alpha else "rgb24")
    order = {"png": "be", "tiff": "le"}[image.encoder] if deep else ""
    return pixel_format(planar[deep, alpha]), packed + order, color


class ImageWriter:
    """Writes each frame as an image; a FrameSink.

    `path` is a pattern such as `folder/%06d.png`, or one file for one frame, whose suffix does not
    matter: the plan says what is written. `target` is the name that errors tell, where `path` is a
    temporary one. PNG files get the `icc_profile`.
    """

    def __init__(
        self,
        path: Path,
        plan: EncoderPlan,
        *,
        first_number: int = 1,
        target: Path | None = None,
        icc_profile: bytes = b"",
    ) -> None:
        self.frames = 0
        self._path = path
        self._target = target or path
        self._plan = plan
        self._profile = icc_profile if plan.encoder == "png" else b""
        self._first = first_number
        context = av.CodecContext.create(plan.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        self._context = context
        context.thread_count = 1  # others would hold images back
        open_encoder(context, plan, 1 / plan.rate)

    def write(self, frame: Frame) -> None:
        """Write a frame under the next number. OutputError when the disk is full, or when a
        second frame comes for a single file."""
        path = self._path
        if "%" in path.name:
            path = path.with_name(path.name % (self._first + self.frames))
        elif self.frames:
            raise OutputError("more than one frame for one image: name the output out/%06d.png")
        picture = _packed(frame, self._plan.pix_fmt)
        tag_av(picture, self._plan.color)
        picture.pts = self.frames
        picture.time_base = 1 / self._plan.rate
        try:
            data = b"".join(bytes(packet) for packet in self._context.encode(picture))
            path.write_bytes(with_profile(data, self._profile) if self._profile else data)
        except (av.FFmpegError, OSError) as error:
            raise write_failure(self._target, error) from error
        self.frames += 1

    def close(self) -> None:
        """Nothing is held back: every image is whole as soon as it is written."""

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _packed(frame: Frame, pix_fmt: str) -> av.VideoFrame:
    """The frame as the image encoders take it: components side by side in a pixel."""
    if frame.format.family == "yuv":
        picture = frame_to_av(frame)
        return reformatted(picture, pix_fmt, src_color_range=2, dst_color_range=2)
    given = [np.asarray(plane) for plane in frame.planes]
    planes = [given[index] for index in ((2, 1, 0) if pix_fmt == "bgra" else (0, 1, 2))]
    if frame.format.alpha:
        planes.append(given[3])
    elif pix_fmt == "bgra":
        planes.append(np.full_like(given[0], 255))
    pixels = np.empty((*planes[0].shape, len(planes)), planes[0].dtype)
    for component, plane in enumerate(planes):
        pixels[..., component] = plane
    return av.VideoFrame.from_ndarray(pixels, format=pix_fmt)
