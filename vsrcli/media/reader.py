"""Reading the frames of a video in order, whatever state the file is in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from av.codec.hwaccel import HWAccel
from av.video.frame import VideoFrame

from vsrcli.errors import InputError, UsageError
from vsrcli.media.decoder import Decoder
from vsrcli.media.deinterlace import Deinterlace, deinterlaced
from vsrcli.media.formats import (
    pixel_format,
    planar_format,
    planes_from_av,
    reformatted,
    stored_format,
)
from vsrcli.media.frame import Frame, PixelFormat, Samples
from vsrcli.media.geometry import Cropping
from vsrcli.media.info import MediaInfo
from vsrcli.media.probe import probe
from vsrcli.media.splices import Splices, find_splices, may_have_splices
from vsrcli.media.timing import TimedPicture, TimingRepairs, ticks, timed
from vsrcli.media.truncation import missing_bytes

if TYPE_CHECKING:
    from torch import Tensor

Seconds = Fraction | float

SHORT = Fraction(1, 2)
"""Seconds that may be missing at the end without a word."""


class FrameSource(Protocol):
    """Frames in presentation order, once: a video file or a sequence of images."""

    info: MediaInfo
    time_base: Fraction
    lost: int
    """Packets that could not be decoded; complete when the iteration is done."""
    notes: list[str]
    """How it was read, where that is not as usual; complete when the iteration is done."""
    warnings: list[str]
    """What was repaired on the way, in sentences; complete when the iteration is done."""
    splices: Splices
    """What was done to make one clock of several."""
    losses: list[str]
    """What is missing or damaged, in sentences; complete when the iteration is done."""

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> FrameSource: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...


class VideoReader:
    """The frames of a video file, as stored (unrotated), with their own times.

    Broken packets are passed over and counted in `lost`. Times are integers in `time_base` on the
    file's own clock, strictly growing; a frame's duration reaches to the next frame. When size or
    pixel format change on the way, frames are made like the first one. Memory does not grow with
    the length of the file.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        info: MediaInfo | None = None,
        allow_protocols: Sequence[str] = (),
        start: Seconds | None = None,
        end: Seconds | None = None,
        deinterlace: Deinterlace = "auto",
        card: int | None = None,
        strict: bool = False,
    ) -> None:
        """Open `source`; `info` is the answer of `probe` where it is known already.

        `start` and `end` are seconds from `info.start_time`, the beginning of the file's clock.
        The frame that is shown at `start` is the first one, and the first frame at or after `end`
        is the first one left out. `card` is the number of a CUDA device that decodes if it can;
        the planes of its frames are tensors there. With `strict` the first loss ends the reading.
        InputError when the file cannot be read, UsageError when `start` and `end` make no sense.
        """
        path = os.fspath(source)
        check_cut(start, end)
        self.info = info or probe(path, allow_protocols)
        self.time_base = self.info.video.time_base
        self.lost = 0
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.losses: list[str] = []
        self._strict = strict
        self._damaged = 0
        self._deinterlace = deinterlace
        origin = self.info.start_time
        self._start = None if start is None else ticks(_exact(start) + origin, self.time_base)
        self._end = None if end is None else ticks(_exact(end) + origin, self.time_base)
        self._cut = start, end
        self.splices = Splices()
        if may_have_splices(self.info.format) and Path(path).is_file():  # no address
            self.splices = find_splices(path, allow_protocols)
        if self.splices:
            self.warnings.append("its clock starts anew on the way; the parts were joined")
        self._decoder = Decoder(
            path, allow_protocols, hwaccel=self._acceleration(card), splices=self.splices
        )

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._decoder.close()

    def __iter__(self) -> Iterator[Frame]:
        repairs = TimingRepairs()
        step = self._step()
        first = self.info.video.start or 0
        decoded = self._decoder.frames(self._seek_target(step))
        alike = self._alike(self._counted(decoded))
        pictures = timed(alike, step, first, repairs)
        whole = deinterlaced(pictures, self._deinterlace, self.time_base)
        count = 0
        form = None
        for picture in cut(whole, self._start, self._end):
            if form is None:
                form = pixel_format(planar_format(stored_format(picture.image)))
                if picture.image.sw_format is not None:
                    self.notes.append("decoding on the graphics card")
            count += 1
            yield Frame(
                _cropped(_planes(picture.image), form, self.info.video.cropping),
                form,
                picture.pts,
                self.time_base,
                picture.duration,
            )
        self.warnings += repairs.words()
        self.losses += self._lost_words()
        if (absent := repairs.absent() - self.lost) > 0:
            self.losses.append(
                f"about {absent} frames are missing in the file; those before stay on"
            )
        if not count:
            raise InputError(self._nothing())
        if self._end is None:
            self._check_length(picture)

    def _acceleration(self, card: int | None) -> HWAccel | None:
        if card is None or self._deinterlace == "on":
            return None
        from vsrcli.media.card import acceleration, can_decode  # and torch, for which most wait

        return acceleration(card) if can_decode(self.info.video) else None

    def _counted(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames, with `lost` kept up to date and damaged ones counted."""
        for frame in frames:
            self._damaged += frame.is_corrupt
            self._count_lost()
            yield frame
        self._count_lost()

    def _count_lost(self) -> None:
        self.lost = self._decoder.lost
        if self._strict and (words := self._lost_words()):
            raise InputError(f"{self.info.path}: {words[0]}; --strict refuses that")

    def _lost_words(self) -> list[str]:
        words = []
        if self._damaged:
            words.append(f"{self._damaged} frames are damaged; they were kept")
        if self.lost:
            words.append(f"{self.lost} packets could not be decoded; their frames are lost")
        return words

    def _alike(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames in the size and format of the first."""
        like: VideoFrame | None = None
        changed = False
        for frame in frames:
            like = like or frame
            same_size = (frame.width, frame.height) == (like.width, like.height)
            if same_size and stored_format(frame) == stored_format(like):
                yield frame
                continue
            if not changed:
                changed = True
                self.warnings.append(
                    f"from {_clock(frame, self.time_base)} on the video is {frame.width}x"
                    f"{frame.height} {stored_format(frame)}; made {like.width}x{like.height}"
                    f" {planar_format(stored_format(like))} like its beginning"
                )
            yield reformatted(
                frame,
                planar_format(stored_format(like)),
                width=like.width,
                height=like.height,
                interpolation="BICUBIC",
            )

    def _check_length(self, last: TimedPicture) -> None:
        """Say so when the file is shorter, in seconds or in bytes, than it claims to be."""
        video = self.info.video
        claims = [video.duration]
        if not self.info.audio:  # sound may go on after the picture
            claims.append(self.info.duration)
        # What libav says of the length of joined recordings is wrong.
        known = [claim for claim in claims if claim is not None and not self.splices]
        end = (last.pts + last.duration) * self.time_base
        length = end - (video.start or 0) * self.time_base
        # Matroska counts its length from zero, others from the first frame.
        if known and min(known) - max(end, length) > SHORT:
            self.losses.append(
                f"the video ends after {float(length):.3f} s, but the file claims"
                f" {float(min(known)):.3f} s: it was cut short"
            )
        elif missing := missing_bytes(self.info.path):
            self.losses.append(f"the file was cut short: {missing:,} bytes of it are missing")

    def _step(self) -> int:
        """Ticks of an average frame."""
        rate = self.info.video.average_rate or Fraction(25)
        return max(1, round(1 / (rate * self.time_base)))

    def _seek_target(self, step: int) -> int | None:
        """The time to begin decoding at; early enough for a deinterlacer to know the past."""
        return None if self._start is None else floor(self._start) - 2 * step

    def _nothing(self) -> str:
        start, end = self._cut
        if start is None and end is None:
            return f"{self.info.path}: none of its video frames can be decoded"
        span = " ".join(
            f"{word} {float(value):g} s"
            for word, value in (("from", start), ("to", end))
            if value is not None
        )
        length = self.info.duration
        known = "" if length is None else f"; it lasts {float(length):.3f} s"
        return f"{self.info.path}: no frame {span}{known}"


def _planes(image: VideoFrame) -> tuple[Samples, ...] | tuple[Tensor, ...]:
    if image.sw_format is None:
        return planes_from_av(image)
    from vsrcli.media.card import planes_on_card

    return planes_on_card(image)


def _cropped(
    planes: tuple[Samples, ...] | tuple[Tensor, ...], form: PixelFormat, cropping: Cropping
) -> tuple[Samples, ...] | tuple[Tensor, ...]:
    if cropping == Cropping():
        return planes
    width, height = cropping.size(planes[0].shape[1], planes[0].shape[0])
    shown = []
    for index, plane in enumerate(planes):
        rows, columns = form.plane_size(index, width, height)
        shift_x, shift_y = form.chroma_shift if index in (1, 2) else (0, 0)
        top, left = cropping.top >> shift_y, cropping.left >> shift_x
        shown.append(plane[top : top + rows, left : left + columns])
    return cast("tuple[Samples, ...] | tuple[Tensor, ...]", tuple(shown))


def cut(
    pictures: Iterable[TimedPicture], start: Fraction | None, end: Fraction | None
) -> Iterator[TimedPicture]:
    """The pictures from the one shown at `start` to the last that begins before `end`, in ticks.

    The last one's duration ends no later than `end`.
    """
    for picture in pictures:
        if start is not None and picture.pts + picture.duration <= start:
            continue
        if end is not None:
            if picture.pts >= end:
                return
            left = max(1, floor(end - picture.pts))
            if picture.duration > left:
                yield TimedPicture(picture.image, picture.pts, left)
                return
        yield picture


def check_cut(start: Seconds | None, end: Seconds | None) -> None:
    """Pass when a cut from `start` to `end` seconds makes sense; UsageError otherwise."""
    if start is not None and start < 0:
        raise UsageError(f"--start {float(start):g}: must not be negative")
    if end is not None and end <= (start or 0):
        raise UsageError(f"--end {float(end):g}: must be later than the start")


def _exact(seconds: Seconds) -> Fraction:
    return ticks(seconds, Fraction(1))


def _clock(frame: VideoFrame, time_base: Fraction) -> str:
    return "somewhere" if frame.pts is None else f"{float(frame.pts * time_base):.3f} s"
