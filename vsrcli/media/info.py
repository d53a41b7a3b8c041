"""What is known of a media file before it is decoded: the answer of `probe`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from fractions import Fraction
from typing import Any, Literal

from vsrcli.media.frame import ColorSpec, PixelFormat
from vsrcli.media.geometry import Cropping, Orientation


@dataclass(frozen=True)
class Chapter:
    """A named stretch of time."""

    start: Fraction
    """Seconds on the file's own clock, which may not begin at zero: see `MediaInfo.start_time`."""
    end: Fraction
    """Seconds, on the same clock."""
    metadata: Mapping[str, str]

    @property
    def title(self) -> str:
        return self.metadata.get("title", "")


@dataclass(frozen=True)
class MasteringDisplay:
    """The display that HDR video was graded on (SMPTE ST 2086)."""

    primaries: tuple[tuple[Fraction, Fraction], ...] | None
    """CIE 1931 (x, y) of red, green and blue."""
    white_point: tuple[Fraction, Fraction] | None
    luminance: tuple[Fraction, Fraction] | None
    """(least, greatest) in cd/m2."""


@dataclass(frozen=True)
class ContentLight:
    """How bright HDR content gets (CTA-861.3), in cd/m2."""

    max_content: int
    max_frame_average: int


@dataclass(frozen=True, kw_only=True)
class StreamInfo:
    """What every stream has."""

    index: int
    """Its number in the file."""
    codec: str
    """FFmpeg's name: `h264`, `aac`, `mov_text` ...; `unknown` when this FFmpeg has no decoder."""
    time_base: Fraction
    """Unit of `start`, in seconds."""
    start: int | None
    """First time stamp, in `time_base` units; None when the container does not say."""
    duration: Fraction | None
    """Seconds, as the container says; a hint only."""
    language: str | None
    disposition: tuple[str, ...]
    """FFmpeg's names, in its order: `default`, `forced`, `attached_pic` ..."""
    metadata: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class VideoInfo(StreamInfo):
    """The video stream that will be read."""

    profile: str | None
    width: int
    height: int
    """Size as stored, cropped: before rotation, in samples whatever their shape."""
    format: PixelFormat
    """Of the frames as they will be read, which is planar: see `stored_format`."""
    stored_format: str
    """FFmpeg's name of the decoder's own format: `nv12`, `rgb24`, `yuvj420p` ..."""
    average_rate: Fraction | None
    """Frames a second."""
    variable_rate: bool | None
    """Whether the first frames are unevenly spaced; None when there are too few to tell."""
    frame_count: int | None
    """What the container claims; a hint only, never a bound."""
    sample_aspect_ratio: Fraction | None
    """Width over height of one stored sample; None when unknown."""
    cropping: Cropping = Cropping()
    """What is cut off the decoder's pictures."""
    icc_profile: bytes = b""
    """Of a still image; empty without one."""
    orientation: Orientation
    """How the stored picture is turned when it is shown."""
    tagged: ColorSpec
    """The colour tags found in the file."""
    color: ColorSpec
    """The same with the missing ones guessed."""
    guesses: tuple[str, ...]
    """A phrase for each guess, to be said once."""
    mastering_display: MasteringDisplay | None
    content_light: ContentLight | None
    interlaced: bool
    """Whether the container or the first frames say so."""
    field_order: Literal["unknown", "progressive", "tt", "bb", "tb", "bt"]
    """FFmpeg's names: coded first, shown first; t is the top field."""

    @property
    def alpha(self) -> bool:
        """Whether frames carry an alpha plane."""
        return self.format.alpha


@dataclass(frozen=True, kw_only=True)
class AudioInfo(StreamInfo):
    """An audio stream."""

    profile: str | None
    sample_rate: int
    """Hz."""
    channels: int
    layout: str
    """FFmpeg's name: `stereo`, `5.1(side)` ..."""
    bit_rate: int | None


@dataclass(frozen=True, kw_only=True)
class SubtitleInfo(StreamInfo):
    """A subtitle stream."""

    bitmap: bool
    """Whether it is made of pictures, which no text format can hold."""


@dataclass(frozen=True, kw_only=True)
class OtherInfo(StreamInfo):
    """A stream that is neither the video read, nor audio, nor subtitles."""

    kind: Literal["cover", "video", "attachment", "data", "unknown"]
    """`cover` is an attached picture; `video` a video stream that was not chosen."""
    file_name: str | None
    """Of an attachment."""
    mime_type: str | None


@dataclass(frozen=True)
class MediaInfo:
    """A media file, a folder of images or a single image."""

    path: str
    format: str
    """FFmpeg's name: `mov,mp4,m4a,3gp,3g2,mj2`, `matroska,webm` ...; `images` for an image
    sequence."""
    duration: Fraction | None
    """Seconds, as the container says; a hint only."""
    start_time: Fraction
    """Seconds: where the file's clock begins. `--start 0` means this instant."""
    size: int
    """Bytes."""
    bit_rate: int | None
    """Bits a second."""
    metadata: Mapping[str, str]
    chapters: tuple[Chapter, ...]
    video: VideoInfo
    streams: tuple[StreamInfo, ...]
    """All of them in file order, `video` included."""
    warnings: tuple[str, ...]
    """What is known not to come through, to be said once."""

    @property
    def audio(self) -> tuple[AudioInfo, ...]:
        return tuple(s for s in self.streams if isinstance(s, AudioInfo))

    @property
    def subtitles(self) -> tuple[SubtitleInfo, ...]:
        return tuple(s for s in self.streams if isinstance(s, SubtitleInfo))

    @property
    def others(self) -> tuple[OtherInfo, ...]:
        return tuple(s for s in self.streams if isinstance(s, OtherInfo))


def as_json(value: object) -> Any:
    """The value as JSON knows it: dataclasses as objects, enums as lower-case names, seconds as
    numbers, other ratios as `"num/den"`, bytes as how many they are."""
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, StreamInfo):
        return {"type": _TYPES[type(value)], **_members(value)}
    if hasattr(value, "__dataclass_fields__"):
        return _members(value)
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_json(item) for item in value]
    return value


_TYPES: dict[type, str] = {
    VideoInfo: "video",
    AudioInfo: "audio",
    SubtitleInfo: "subtitle",
    OtherInfo: "other",
}


_SECONDS = {"duration", "start_time", "start", "end"}


def _members(value: Any) -> dict[str, Any]:
    members = {}
    for field in fields(value):
        member = getattr(value, field.name)
        seconds = field.name in _SECONDS and isinstance(member, Fraction)
        members[field.name] = float(member) if seconds else as_json(member)
    return members
