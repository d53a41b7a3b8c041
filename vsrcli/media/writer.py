"""Writing a movie: frames in, encoded packets out, the other streams beside them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

import av
import numpy as np
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from vsrcli.errors import OutputError
from vsrcli.media.encoders import EncoderPlan, acceleration_of, is_bluray, open_encoder
from vsrcli.media.formats import frame_to_av, reformatted, tag_av
from vsrcli.media.frame import Frame, Samples
from vsrcli.media.info import VideoInfo
from vsrcli.media.matroska import set_sample_aspect_ratio
from vsrcli.media.output import write_failure
from vsrcli.media.streams import CarriedStreams
from vsrcli.media.tags import global_tags, muxer_options, video_tags

if TYPE_CHECKING:
    from av.video.frame import CudaContext
    from torch import Tensor


class FrameSink(Protocol):
    """Where restored frames go. A context manager: leaving it by an exception flushes nothing."""

    frames: int
    """Written so far."""

    def write(self, frame: Frame) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> FrameSink: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class MovieWriter:
    """Encodes frames into a movie file and muxes what is carried over beside them.

    Every frame keeps its instant: pts, less `shift`, is written in `time_base` where the container
    can (MP4, MOV, MPEG-TS in 1/90000), else rounded to its clock (1 ms in Matroska and WebM).
    """

    def __init__(
        self,
        path: Path,
        container: str,
        plan: EncoderPlan,
        *,
        time_base: Fraction,
        sample_aspect_ratio: Fraction | None = None,
        shift: Fraction = Fraction(0),
        video: VideoInfo | None = None,
        metadata: Mapping[str, str] | None = None,
        carried: CarriedStreams | None = None,
        target: Path | None = None,
    ) -> None:
        """`time_base` is that of the frames, `shift` seconds taken from every time: a whole number
        of ticks. `video` and `metadata` are the source's, whose tags are kept. `target` is the
        name that errors tell, where `path` is a temporary one.

        Raises OutputError when the encoder or the container refuses."""
        self.frames = 0
        self.notes: list[str] = []
        """What could not be written as asked, a line each; complete once closed."""
        self._closed = False
        self._context: CudaContext | None = None
        self._aspect = sample_aspect_ratio
        self._plan = plan
        self._path = path
        self._target = target or path
        self._time_base = time_base
        ticks = shift / time_base
        assert ticks.denominator == 1, f"a shift of {shift} s is no whole number of {time_base}"
        self._shift = ticks.numerator
        self._carried = carried
        self._packets = 0
        cover = carried is not None and carried.has_cover
        self._stale = {"timecode"} if carried is not None and carried.drops_timecode else set()
        tags = self._fresh(global_tags(metadata or {}))
        self._output = av.open(
            os.fspath(path),
            "w",
            format=container,
            container_options=muxer_options(container, tags, cover, is_bluray(self._target)),
        )
        try:
            self._stream = self._add_video(sample_aspect_ratio, video)
            self._output.metadata.update(tags)
            if carried is not None:
                carried.add_to(self._output)
            self._output.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self._abort()
            raise write_failure(self._target, error) from error
        except BaseException:
            self._abort()
            raise

    def _add_video(self, aspect: Fraction | None, video: VideoInfo | None) -> VideoStream:
        plan = self._plan
        stream = self._output.add_stream(
            plan.encoder, rate=plan.rate, hwaccel=acceleration_of(plan)
        )
        assert isinstance(stream, VideoStream)
        stream.time_base = self._time_base
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if plan.encoder in ("libx265", "hevc_nvenc") and self._output.format.name in ("mp4", "mov"):
            # Apple's players take no other tag.
            stream.codec_context.codec_tag = "hvc1"
        open_encoder(stream.codec_context, plan, self._time_base)
        source_tags = video.metadata if video else {}
        tags = video_tags(source_tags, self._output.format.name, plan.encoder)
        if plan.encoder == "libvpx-vp9" and plan.format.alpha:
            tags["alpha_mode"] = "1"
        stream.metadata.update(self._fresh(tags))
        if video:
            names = (name for name in video.disposition if name in Disposition.__members__)
            stream.disposition = Disposition(sum(Disposition[name] for name in names))
        return stream

    def _fresh(self, tags: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in tags.items() if key.lower() not in self._stale}

    def write(self, frame: Frame) -> None:
        """Encode a frame. Frames come in the order in which they are shown."""
        plan = self._plan
        if (frame.width, frame.height) != (plan.width, plan.height):
            raise ValueError(f"a frame of {frame.width}x{frame.height}, not the planned size")
        if frame.time_base != self._time_base:
            raise ValueError(f"a frame in {frame.time_base}, not in {self._time_base}")
        picture = self._picture(frame)
        tag_av(picture, plan.color)
        picture.pts = frame.pts - self._shift
        picture.time_base = self._time_base
        picture.duration = frame.duration
        try:
            for packet in self._stream.encode(picture):
                self._mux(packet)
        except (av.FFmpegError, ValueError) as error:
            raise write_failure(self._target, error) from error
        self.frames += 1

    def _picture(self, frame: Frame) -> av.VideoFrame:
        """The frame in the format that the encoder takes, where it takes it."""
        plan = self._plan
        if plan.card is not None:
            from vsrcli.media.card import picture_of, shared_context  # and torch

            self._context = self._context or shared_context(plan.card)
            return picture_of(cast("tuple[Tensor, ...]", frame.planes), plan.pix_fmt, self._context)
        picture = frame_to_av(_padded(frame, *plan.padding))
        if picture.format.name != plan.pix_fmt:
            picture = reformatted(picture, plan.pix_fmt)
        return picture

    def close(self) -> None:
        """Flush everything and finish the file; again it does nothing.

        OutputError when a frame got lost on the way or the disk is full."""
        if self._closed:
            return
        self._closed = True
        try:
            for packet in self._stream.encode(None):
                if self.frames <= 2:
                    # Too few for x265 to know its delay: its decoding times are random then.
                    packet.dts = packet.pts
                self._mux(packet)
            if self._carried is not None:
                self._carried.finish()
            self._output.close()
            self._finish_matroska()
        except (av.FFmpegError, ValueError, OSError) as error:
            self._abort()
            raise write_failure(self._target, error) from error
        if self._packets != self.frames:
            raise OutputError(
                f"{self._plan.encoder} returned {self._packets} of {self.frames} frames: "
                "please report this with the command line"
            )

    def _finish_matroska(self) -> None:
        if self._aspect in (None, 1):
            return
        assert self._aspect is not None
        if self._output.format.name not in ("matroska", "webm"):
            return
        if not set_sample_aspect_ratio(self._path, self._aspect):
            self.notes.append(
                f"{self._target} does not say that samples are {self._aspect} as wide as high"
            )

    def _mux(self, packet: Packet[VideoStream]) -> None:
        if self._carried is not None and packet.dts is not None:
            self._carried.advance(packet.dts * packet.time_base)
        self._output.mux(packet)
        self._packets += 1

    def _abort(self) -> None:
        """Let go of the file, whose content no longer matters."""
        self._closed = True
        # Emptied first: otherwise closing an MP4 would copy it once more to move its index.
        with contextlib.suppress(OSError):
            os.truncate(self._path, 0)
        with contextlib.suppress(av.FFmpegError, ValueError):
            self._output.close()

    def __enter__(self) -> MovieWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        elif not self._closed:
            self._abort()


def _padded(frame: Frame, right: int, bottom: int) -> Frame:
    """The frame with its last column and row repeated."""
    if not right and not bottom:
        return frame
    planes: list[Samples] = []
    for index, plane in enumerate(frame.planes):
        height, width = frame.format.plane_size(index, frame.width + right, frame.height + bottom)
        rows = np.arange(height).clip(max=plane.shape[0] - 1)
        columns = np.arange(width).clip(max=plane.shape[1] - 1)
        planes.append(np.asarray(plane)[rows][:, columns])
    return Frame(tuple(planes), frame.format, frame.pts, frame.time_base, frame.duration)
