"""Streams and chapters of an opened file as `StreamInfo` and `Chapter`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, cast

import av
from av.container import InputContainer
from av.stream import Stream

from vsrcli.media.info import AudioInfo, Chapter, OtherInfo, StreamInfo, SubtitleInfo

_BITMAP_SUBTITLES = {"dvd_subtitle", "dvb_subtitle", "hdmv_pgs_subtitle", "xsub"}


def stream_info(stream: Stream) -> StreamInfo:
    """What is known of a stream that is not the video read."""
    common = common_fields(stream)
    if stream.type == "audio" and stream.codec_context is not None:
        audio = cast(av.AudioStream, stream)
        return AudioInfo(
            **common,
            profile=audio.profile,
            sample_rate=audio.codec_context.sample_rate,
            channels=audio.codec_context.channels,
            layout=audio.codec_context.layout.name,
            bit_rate=audio.codec_context.bit_rate or None,
        )
    if stream.type == "subtitle":
        return SubtitleInfo(**common, bitmap=common["codec"] in _BITMAP_SUBTITLES)
    kind: Literal["cover", "video", "attachment", "data", "unknown"] = "unknown"
    if stream.type == "video":
        kind = "cover" if "attached_pic" in common["disposition"] else "video"
    elif stream.type in ("attachment", "data"):
        kind = stream.type
    tags = stream.metadata
    return OtherInfo(
        **common, kind=kind, file_name=tags.get("filename"), mime_type=tags.get("mimetype")
    )


def common_fields(stream: Stream) -> dict[str, Any]:
    """The fields of a StreamInfo."""
    base = stream.time_base or Fraction(1, av.time_base)
    context = cast("av.CodecContext | None", stream.codec_context)
    name = context.codec.canonical_name if context is not None else None
    if name is None and stream.type == "data":
        name = stream.name
    return {
        "index": stream.index,
        "codec": name or "unknown",
        "time_base": base,
        "start": stream.start_time,
        "duration": None if stream.duration is None else stream.duration * base,
        "language": None if stream.language in (None, "und", "") else stream.language,
        "disposition": disposition_of(stream),
        "metadata": dict(stream.metadata),
    }


def disposition_of(stream: Stream) -> tuple[str, ...]:
    """FFmpeg's names of the flags that are set."""
    flags = int(stream.disposition)
    return tuple(flag.name for flag in type(stream.disposition) if flag.value & flags and flag.name)


def chapters_of(container: InputContainer) -> tuple[Chapter, ...]:
    """The chapters, on the file's own clock."""
    return tuple(
        Chapter(
            start=chapter["start"] * (chapter["time_base"] or Fraction(1, av.time_base)),
            end=chapter["end"] * (chapter["time_base"] or Fraction(1, av.time_base)),
            metadata=chapter["metadata"],
        )
        for chapter in container.chapters()
    )
