"""The answer of `probe` for people and for machines."""

from __future__ import annotations

import json

from vsrcli.media.info import MediaInfo, StreamInfo, VideoInfo, as_json


def describe(info: MediaInfo) -> str:
    """The answer of `probe` as lines for people."""
    video = info.video
    seconds = "unknown" if info.duration is None else f"{float(info.duration):.3f} s"
    lines = [
        info.path,
        f"  container  {info.format}, {seconds}, {info.size:,} bytes",
        f"  video #{video.index}   " + _video_words(video),
        "  colour     " + _color_words(video),
    ]
    lines += [f"  guess      {phrase}" for phrase in video.guesses]
    for audio in info.audio:
        words = f"{audio.codec}, {audio.sample_rate} Hz, {audio.layout}"
        lines.append(f"  audio #{audio.index}   {words}{_tag_words(audio)}")
    for subtitle in info.subtitles:
        lines.append(f"  subtitle #{subtitle.index}   {subtitle.codec}{_tag_words(subtitle)}")
    for other in info.others:
        name = f" {other.file_name}" if other.file_name else ""
        lines.append(f"  {other.kind} #{other.index}   {other.codec}{name}{_tag_words(other)}")
    for chapter in info.chapters:
        lines.append(
            f"  chapter    {float(chapter.start):.3f} to {float(chapter.end):.3f} s {chapter.title}"
        )
    lines += [f"  warning    {warning}" for warning in info.warnings]
    return "\n".join(line.rstrip() for line in lines)


def to_json(info: MediaInfo) -> str:
    """The answer of `probe` as one JSON object; `video` is the index of the stream to be read."""
    return json.dumps(as_json(info) | {"video": info.video.index}, indent=2, ensure_ascii=False)


def _video_words(video: VideoInfo) -> str:
    words = [f"{video.codec} ({video.profile})" if video.profile else video.codec]
    words += [f"{video.width}x{video.height}", video.stored_format]
    if video.average_rate:
        words.append(f"{float(video.average_rate):.6g} fps")
    if video.variable_rate:
        words.append("variable rate")
    ratio = video.sample_aspect_ratio
    if ratio is not None and ratio != 1:
        words.append(f"SAR {ratio.numerator}:{ratio.denominator}")
    if video.orientation != 1:
        words.append(f"shown turned ({video.orientation.name.lower()})")
    if video.interlaced:
        words.append(f"interlaced ({video.field_order})")
    return ", ".join(words) + _tag_words(video)


def _color_words(video: VideoInfo) -> str:
    color = video.color
    words = [
        f"matrix {color.matrix.name}",
        f"{color.range.name.lower()} range",
        f"primaries {color.primaries}",
        f"transfer {color.transfer}",
        f"chroma {color.chroma_location.name.lower()}",
    ]
    if color.is_hdr:
        words.append("HDR")
    return ", ".join(words)


def _tag_words(stream: StreamInfo) -> str:
    words = [stream.language or "", *stream.disposition]
    words = [word for word in words if word]
    return f" [{', '.join(words)}]" if words else ""
