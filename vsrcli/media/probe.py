"""Looking at a media file: its streams, and the first frames of its video."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, cast

import av
from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.codec.context import Flags as CodecFlags
from av.container import InputContainer
from av.container.core import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vsrcli.errors import InputError
from vsrcli.media.access import MAX_PIXELS, check_size, open_input
from vsrcli.media.color_guess import guess
from vsrcli.media.demuxing import demuxed
from vsrcli.media.describe import describe, to_json
from vsrcli.media.formats import color_of_av, pixel_format, planar_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, Range
from vsrcli.media.info import MediaInfo, VideoInfo
from vsrcli.media.sidedata import (
    chroma_location_from,
    content_light_from,
    cropping_from,
    mastering_display_from,
    orientation_from,
    side_data_of,
    told_of,
)
from vsrcli.media.stream_info import chapters_of, common_fields, disposition_of, stream_info

__all__ = ["choose_video", "clock_origin", "describe", "is_variable", "probe", "to_json"]

RATE_PACKETS = 200
"""So many packets are looked at to tell a variable frame rate."""
REORDER_PACKETS = 16
"""The last ones of a run may be missing their neighbours, which are stored later."""
FIRST_FRAMES = 3
"""So many frames are decoded to read flags and tags."""
MAX_BYTES = 64 << 20
MAX_PACKETS = 2000
MAX_SECONDS = 10.0
"""What a look at the first frames may cost at most."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_FIELD_ORDERS: tuple[Literal["unknown", "progressive", "tt", "bb", "tb", "bt"], ...] = (
    "unknown", "progressive", "tt", "bb", "tb", "bt",
)  # fmt: skip


def probe(source: str | os.PathLike[str], allow_protocols: Sequence[str] = ()) -> MediaInfo:
    """What is known of a media file after a look at its header and first frames.

    InputError when it cannot be opened (see `open_input`), holds no video, is larger than any
    picture should be, or when none of its first frames can be decoded.
    """
    path = os.fspath(source)
    with open_input(path, allow_protocols=allow_protocols) as container:
        stream = choose_video(container, path)
        check_size(path, stream.codec_context.width, stream.codec_context.height)
        told = told_of(container, stream.index)
        start_time = clock_origin(container)
        others = {one.index: stream_info(one) for one in container.streams if one != stream}
        container.flags &= ~cast(int, Flags.gen_pts.value)  # only times that the file has
        crop_exactly(stream)
        opening = _look(container, stream, path)
        if not opening.frames:
            raise InputError(f"{path}: none of its first video frames can be decoded{_why(stream)}")
        video = _video_info(path, stream, opening, told)
        streams = [others.get(one.index, video) for one in container.streams]
        duration = container.duration
        return MediaInfo(
            path=path,
            format=container.format.name,
            duration=None if duration is None else Fraction(duration, av.time_base),
            start_time=start_time,
            size=container.size,
            bit_rate=container.bit_rate or None,
            metadata=dict(container.metadata),
            chapters=chapters_of(container),
            video=video,
            streams=tuple(streams),
            warnings=_warnings(video, opening, told),
        )


def choose_video(container: InputContainer, path: str) -> VideoStream:
    """The video stream to be read: the default one, else the largest, never a cover picture.

    InputError when there is none, or none that this FFmpeg can decode.
    """
    videos = [s for s in container.streams.video if "attached_pic" not in disposition_of(s)]
    if not videos:
        covers = " but a cover picture" if container.streams.video else ""
        held = sorted({s.type for s in container.streams if s.type != "video"})
        rest = f" (it holds {', '.join(held)})" if held else ""
        raise InputError(f"{path}: no video{covers}{rest}")
    decodable = [s for s in videos if s.codec_context is not None]
    if not decodable:
        raise InputError(f"{path}: this FFmpeg has no decoder for its video")
    return max(
        decodable,
        key=lambda s: (
            "default" in disposition_of(s),
            s.codec_context.width * s.codec_context.height,
            -s.index,
        ),
    )


def crop_exactly(stream: VideoStream) -> None:
    """Have the decoder cut off all that the stream says, at whatever place in memory that ends."""
    stream.codec_context.flags |= CodecFlags.unaligned


def decoder_of(stream: VideoStream) -> VideoCodecContext:
    """The stream's decoder, or for VP8 and VP9 with an alpha channel the one that decodes it."""
    own = stream.codec_context
    name = _ALPHA_DECODERS.get(own.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return own
    try:
        context = CodecContext.create(name, "r")
    except UnknownCodecError:  # an FFmpeg without libvpx
        return own
    assert isinstance(context, VideoCodecContext)
    context.extradata = own.extradata
    return context


def clock_origin(container: InputContainer) -> Fraction:
    """Seconds at which the file's clock begins: the least start of its streams, exactly.

    libavformat keeps this in microseconds; where a stream's own start is the same but for that
    rounding, it is taken instead, so that times counted from it hit frames exactly.
    """
    start = cast("int | None", container.start_time)
    if start is None:
        return Fraction(0)
    rounded = Fraction(start, av.time_base)
    starts = [
        s.start_time * s.time_base
        for s in container.streams
        if s.start_time is not None and s.time_base is not None
    ]
    near = [start for start in starts if abs(start - rounded) <= Fraction(1, av.time_base)]
    return min(near, key=lambda start: abs(start - rounded), default=rounded)


def is_variable(times: Sequence[int]) -> bool | None:
    """Whether presentation times, in order, are uneven beyond the rounding to whole ticks.

    None for fewer than three. Even frames lie on a line: each time, and both ends of the line, are
    off by half a tick at most where the writer rounded, by one where it cut.
    """
    if len(times) < 3:
        return None
    first, last, steps = times[0], times[-1], len(times) - 1
    return any(
        # 3/2 ticks, multiplied out so that it stays in integers.
        2 * abs((moment - first) * steps - index * (last - first)) > 3 * steps
        for index, moment in enumerate(times)
    )


@dataclass
class _Opening:
    """The first packets and frames of a video stream."""

    stamps: list[tuple[int | None, int | None]] = field(default_factory=list)
    """Presentation and decoding time of each packet."""
    frames: list[av.VideoFrame] = field(default_factory=list)
    complete: bool = False
    """Whether the file ended before the look did."""

    def times(self) -> list[int]:
        """Times in order, without those at the end that may lack neighbours stored later.

        They are decoding times where the file has presentation times for some packets only.
        """
        which = 1 if any(pts is None and dts is not None for pts, dts in self.stamps) else 0
        times = sorted(time for stamp in self.stamps if (time := stamp[which]) is not None)
        return times if self.complete else times[:-REORDER_PACKETS]


def _look(container: InputContainer, stream: VideoStream, path: str) -> _Opening:
    opening = _Opening()
    decoder = decoder_of(stream)
    stop = time.monotonic() + MAX_SECONDS
    taken = count = 0
    try:
        for packet in demuxed(container, [stream]):
            if packet.has_sidedata("encryption_info"):
                raise InputError(f"{path}: its video is encrypted; decrypt the file first")
            if not packet.is_discard:
                opening.stamps.append((packet.pts, packet.dts))
            if len(opening.frames) < FIRST_FRAMES:
                try:
                    opening.frames += decoder.decode(packet)
                except av.FFmpegError:  # a broken packet: the next one may do
                    continue
            taken += packet.size
            count += 1
            seen = len(opening.frames) >= FIRST_FRAMES and count >= RATE_PACKETS
            spent = taken > MAX_BYTES or count > MAX_PACKETS or time.monotonic() > stop
            if seen or spent:
                return opening
    except av.FFmpegError:  # the file breaks off here; what came before it counts
        pass
    opening.complete = True
    return opening


def _why(stream: VideoStream) -> str:
    # libavcodec forgets a size beyond the limit that `open_input` gave it.
    if stream.codec_context.width and stream.codec_context.height:
        return ""
    return f": no picture size, or one beyond {MAX_PIXELS // 1_000_000} megapixels"


def _video_info(path: str, stream: VideoStream, opening: _Opening, told: str) -> VideoInfo:
    context, frame = stream.codec_context, opening.frames[0]
    try:
        form = pixel_format(planar_format(frame.format.name))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    codec = context.codec.canonical_name
    side_data = side_data_of(codec, frame)
    # PyAV 17, the last for Python 3.10, does not tell; the frames' own flags are looked at anyway.
    number = getattr(context, "field_order", 0)
    order = _FIELD_ORDERS[number] if 0 <= number < len(_FIELD_ORDERS) else "unknown"
    tagged = _tags(stream, frame, chroma_location_from(told))
    cropping = cropping_from(told)
    width, height = cropping.size(frame.width, frame.height)
    if width < 1 or height < 1:
        raise InputError(f"{path}: nothing of its pictures is left by its cropping")
    color, guesses = guess(width, height, tagged, form)
    return VideoInfo(
        **common_fields(stream),
        profile=context.profile,
        width=width,
        height=height,
        cropping=cropping,
        format=form,
        stored_format=frame.format.name,
        average_rate=stream.average_rate or stream.base_rate or None,
        variable_rate=is_variable(opening.times()),
        frame_count=stream.frames or None,
        sample_aspect_ratio=_aspect(stream),
        orientation=orientation_from(frame, side_data),
        tagged=tagged,
        color=color,
        guesses=tuple(guesses),
        mastering_display=mastering_display_from(side_data.get("MASTERING_DISPLAY_METADATA")),
        content_light=content_light_from(side_data.get("CONTENT_LIGHT_LEVEL")),
        interlaced=order in ("tt", "bb", "tb", "bt")
        or any(one.interlaced_frame for one in opening.frames),
        field_order=order,
    )


def _aspect(stream: VideoStream) -> Fraction | None:
    """The container's, unless it only rounds that of the stream to a display size, as Matroska
    has to."""
    told, coded = stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio
    if told and coded and abs(told - coded) * stream.codec_context.width < 1:
        return coded
    return told or None


def _tags(stream: VideoStream, frame: av.VideoFrame, location: ChromaLocation) -> ColorSpec:
    """Colour tags of the codec parameters, those of the first frame where they say nothing."""
    context, seen = stream.codec_context, color_of_av(frame)
    return ColorSpec(
        matrix=_member(Matrix, context.colorspace, seen.matrix),
        range=_member(Range, context.color_range, seen.range),
        primaries=seen.primaries if context.color_primaries in (0, 2) else context.color_primaries,
        transfer=seen.transfer if context.color_trc in (0, 2) else context.color_trc,
        chroma_location=location or seen.chroma_location,
    )


def _member(kind: Any, code: int, otherwise: Any) -> Any:
    """The member of an enumeration with that code, or the other when it is unspecified."""
    if code == kind.UNSPECIFIED or code not in {int(member) for member in kind}:
        return otherwise
    return kind(code)


def _warnings(video: VideoInfo, opening: _Opening, told: str) -> tuple[str, ...]:
    warnings = []
    carried = {name for frame in opening.frames for name in side_data_of(video.codec, frame)}
    if video.metadata.get("alpha_mode") == "1" and not video.alpha:
        warnings.append(f"the alpha channel of its {video.codec} video is not decoded")
    if carried & {"DOVI_METADATA", "DOVI_RPU_BUFFER"} or "DOVI configuration" in told:
        warnings.append("its Dolby Vision metadata is left out")
    if "DYNAMIC_HDR_PLUS" in carried:
        warnings.append("its HDR10+ metadata is left out")
    if "A53_CC" in carried:
        warnings.append("the closed captions inside its video are left out")
    return tuple(warnings)
