"""Everything of a source but its chosen video: carried to the output as it is, in step with it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Disposition, Stream

from vsrcli.errors import UsageError
from vsrcli.media.access import open_input
from vsrcli.media.carriers import Carrier, CopiedStream, Cover, Cut, can_hold, has_decoder
from vsrcli.media.carriers_audio import ENCODERS, ConvertedAudio
from vsrcli.media.carriers_subtitles import ConvertedSubtitles, subtitle_codec
from vsrcli.media.demuxing import demuxed
from vsrcli.media.splices import Joiner, Splices

if TYPE_CHECKING:
    from av.container.core import Chapter

__all__ = ["CarriedStreams", "Cut", "output_shift"]

_ARBITRARY_CLOCKS = ("mpegts", "mpeg", "hls", "rtsp", "dvdvideo", "mpegtsraw", "pva", "wtv")
"""Formats whose clock begins anywhere: at the instant of broadcast, say."""

_TRANSPORT = {
    "aac", "ac3", "dts", "dvb_subtitle", "dvb_teletext", "eac3", "hdmv_pgs_subtitle", "klv", "mp2",
    "mp3", "mpeg2video", "opus", "scte_35", "timed_id3", "truehd", "h264", "hevc",
}  # fmt: skip
"""Codecs with a place in MPEG-TS; libav writes any other as private data that nobody reads."""

_SEEK_BACK = 10
"""Seconds before a cut from which packets are read, since a subtitle may begin before it."""

_MOST_FAILURES = 100
"""Failures to read after which the rest of the source is given up."""

_AHEAD = 3
"""Seconds by which a stream may be read ahead while another one has a gap."""


def output_shift(
    container_format: str, start_time: Fraction, time_base: Fraction, start: Fraction | None = None
) -> Fraction:
    """Seconds to take from every time of a source, video and other streams alike.

    That is the beginning of a cut (`start`, on the source's clock), or the source's own beginning
    (`start_time`) where the format (`MediaInfo.format`) counts from an arbitrary instant, rounded
    to whole ticks of the video's `time_base`; else 0.
    """
    if start is not None:
        return round(start / time_base) * time_base
    if any(name in _ARBITRARY_CLOCKS for name in container_format.split(",")):
        return round(start_time / time_base) * time_base
    return Fraction(0)


class CarriedStreams:
    """All streams of a source but the chosen video, on their way into an output.

    The source is opened a second time and read only as far as the encoded video has got, so
    memory stays bounded. A context manager.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        video_index: int,
        container: str,
        *,
        audio: str = "copy",
        subtitles: Literal["copy", "none"] = "copy",
        cut: Cut | None = None,
        allow_protocols: Sequence[str] = (),
        splices: Splices | None = None,
        bluray: bool = False,
    ) -> None:
        """`video_index` is the stream that is encoded, `container` the output's ("mp4" ...).
        `audio` is copy, none or one of `ENCODERS`. `splices` are those of the video's reader,
        `bluray` is that of the output, see `is_bluray`.

        UsageError for an unknown `audio`, InputError when the source cannot be opened."""
        if audio not in ("copy", "none", *ENCODERS):
            raise UsageError(f"--audio {audio}: choose copy, none or one of {', '.join(ENCODERS)}")
        self.notes: list[str] = []
        """What was converted or left out, a line each."""
        self.losses: list[str] = []
        """What did not come through, a line each; complete once finished."""
        self._lost = self._damaged = 0
        self._cut = cut or Cut()
        self._splices = splices or Splices()
        self._container = container
        self._bluray = bluray
        self._audio = audio
        self._subtitles = subtitles
        self._carriers: dict[int, Carrier] = {}
        self._reached: dict[int, Fraction] = {}
        covers = _covers(source, video_index, allow_protocols)
        self._input = open_input(source, allow_protocols=allow_protocols)
        try:
            for stream in self._input.streams:
                if stream.index != video_index:
                    carrier = self._choose(stream, covers.get(stream.index))
                    if carrier is not None:
                        self._carriers[stream.index] = carrier
            self._packets = self._read(video_index)
        except BaseException:
            self._input.close()
            raise
        if self.drops_timecode and _timecodes(self._input):
            self.notes.append("the timecode is left out: it counts from before the cut")

    @property
    def drops_timecode(self) -> bool:
        """Whether the source's timecode is wrong for the output."""
        return self._cut.start is not None

    @property
    def has_cover(self) -> bool:
        """Whether a picture will be attached."""
        return any(isinstance(carrier, Cover) for carrier in self._carriers.values())

    def add_to(self, output: OutputContainer) -> None:
        """Add the streams and the chapters to an output whose header is not written yet."""
        self._output = output
        for carrier in self._carriers.values():
            carrier.add_to(output)
        chapters = list(_moved(self._input.chapters(), self._cut))
        if chapters and self._container == "mpegts":
            self.notes.append("the chapters are left out: mpegts cannot hold them; .mkv may")
        elif chapters:
            output.set_chapters(chapters)

    def advance(self, until: Fraction) -> None:
        """Mux the packets up to the instant `until`, in seconds on the output's clock."""
        while self._behind(until):
            packet = next(self._packets, None)
            if packet is None:
                return
            self._mux(packet)

    def finish(self) -> None:
        """Mux all packets that are left, and what converters hold back."""
        for packet in self._packets:
            self._mux(packet)
        for carrier in self._carriers.values():
            self._write(carrier.flush())
        if self._damaged:
            self.losses.append(
                f"{self._damaged} packets of audio, subtitles or data are damaged; they were kept"
            )
        if self._lost:
            self.losses.append(
                f"{self._lost} damaged packets of audio, subtitles or data were left out"
            )

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def __enter__(self) -> CarriedStreams:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _choose(self, stream: Stream, cover: Packet[Stream] | None) -> Carrier | None:
        """How this stream is carried; None with a note, or silently where nothing is lost."""
        if stream.disposition & Disposition.attached_pic:
            if cover is not None and _holds_cover(stream, self._container):
                return Cover(stream, cover)
            self._leave_out(stream)
            return None
        if isinstance(stream, AudioStream):
            return self._choose_audio(stream)
        if stream.type == "subtitle" and self._subtitles == "none":
            return None
        if stream.type == "data" and _is_rebuilt(stream):
            return None
        if _fits(stream, self._container, self._bluray):
            if stream.type == "video":
                self.notes.append(f"{_label(stream)} is copied as it is, only one is enlarged")
            return CopiedStream(stream, self._cut)
        if stream.type == "subtitle":
            codec = subtitle_codec(stream, self._container)
            if codec is not None:
                self.notes.append(f"{_label(stream)} becomes {codec}: {self._container} wants that")
                return ConvertedSubtitles(stream, codec, self._cut)
        self._leave_out(stream)
        return None

    def _choose_audio(self, stream: AudioStream) -> Carrier | None:
        if self._audio == "none":
            return None
        if has_decoder(stream) and not stream.codec_context.sample_rate:
            self.notes.append(f"{_label(stream)} is left out: none of its sound can be read")
            return None
        name = _codec_name(stream)
        fits = _fits(stream, self._container, self._bluray)
        if fits and self._audio in ("copy", name):
            return CopiedStream(stream, self._cut)
        if not has_decoder(stream):
            self._leave_out(stream)
            return None
        codec = self._audio
        if codec == "copy":
            codec = "opus" if self._container == "webm" else "aac"
            self.notes.append(f"{_label(stream)} becomes {codec}: {self._container} wants that")
        return ConvertedAudio(stream, codec, self._cut)

    def _leave_out(self, stream: Stream) -> None:
        hint = "" if self._container == "matroska" else "; .mkv may"
        self.notes.append(f"{_label(stream)} is left out: {self._container} cannot hold it{hint}")

    def _read(self, video_index: int) -> Iterator[Packet[Stream]]:
        """The packets of the carried streams, from the cut's beginning."""
        wanted = [carrier.source for carrier in self._carriers.values()]
        wanted = [stream for stream in wanted if not isinstance(stream, AttachmentStream)]
        if not wanted:
            return
        if not self._splices and self._cut.start is not None and self._cut.start > _SEEK_BACK:
            with contextlib.suppress(av.FFmpegError):
                self._input.seek(int((self._cut.start - _SEEK_BACK) * av.time_base))
        # Saves reading most of the file where the format has an index.
        self._input.streams[video_index].discard = Discard.all
        end = math.inf if self._cut.end is None else self._cut.end + _SEEK_BACK
        failures = 0
        joiner = Joiner(self._splices)
        while failures < _MOST_FAILURES:
            try:
                for packet in demuxed(self._input, wanted):
                    joiner.move(packet)
                    if packet.pts is not None and packet.pts * packet.time_base > end:
                        return
                    # The last ones, without content, only say that the file is at its end.
                    if packet.size or packet.pts is not None:
                        yield packet
                return
            except av.FFmpegError:
                failures += 1
                self._lost += 1

    def _mux(self, packet: Packet[Stream]) -> None:
        index = packet.stream_index
        self._damaged += packet.is_corrupt
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            self._reached[index] = time * packet.time_base - self._cut.shift
        self._write(self._carriers[index].take(packet))

    def _write(self, packets: Sequence[Packet[Stream]]) -> None:
        for packet in packets:
            try:
                self._output.mux(packet)
            except (av.InvalidDataError, av.ArgumentError):
                # The muxer looks into some packets and refuses damaged ones.
                self._lost += 1

    def _behind(self, until: Fraction) -> bool:
        """Whether some stream has not been read up to `until`."""
        dense = [
            index
            for index, carrier in self._carriers.items()
            if carrier.source.type in ("audio", "video") and not isinstance(carrier, Cover)
        ]
        never = -math.inf
        reached = [self._reached.get(index, never) for index in dense or self._carriers]
        return bool(reached) and min(reached) < until and max(reached) < until + _AHEAD


def _label(stream: Stream) -> str:
    kind = "cover" if stream.disposition & Disposition.attached_pic else stream.type
    known = stream.language not in (None, "und")
    language = f", {stream.language}" if known else ""
    return f"stream {stream.index} ({kind} {_codec_name(stream)}{language})"


def _codec_name(stream: Stream) -> str:
    if has_decoder(stream):
        return stream.codec_context.codec.canonical_name
    # Without a decoder PyAV's streams of some types lack the attribute.
    return getattr(stream, "name", None) or "unknown"


def _fits(stream: Stream, container: str, bluray: bool) -> bool:
    """Whether a copy of the stream is written by libav and found by players."""
    name = _codec_name(stream)
    if container == "mpegts":
        return name in _TRANSPORT and (bluray or name != "hdmv_pgs_subtitle")
    if container == "webm" and stream.type in ("attachment", "data"):
        # libav takes them and drops them.
        return False
    if container == "mp4" and name.startswith("pcm_"):
        # A late addition to the standard that few players know.
        return False
    return can_hold(stream, container)


def _holds_cover(stream: Stream, container: str) -> bool:
    return container in ("mp4", "matroska") and _codec_name(stream) in ("mjpeg", "png")


def _timecodes(source: InputContainer) -> bool:
    tagged = (source.metadata, *(stream.metadata for stream in source.streams))
    return any("timecode" in (key.lower() for key in tags) for tags in tagged)


def _is_rebuilt(stream: Stream) -> bool:
    """Whether the muxer makes this data track anew: chapter titles, or a timecode track."""
    return stream.discard == Discard.all or (stream.name is None and "timecode" in stream.metadata)


def _covers(
    source: str | os.PathLike[str], video_index: int, allow_protocols: Sequence[str]
) -> dict[int, Packet[Stream]]:
    """The attached pictures by stream index. Demuxers give them before anything else."""
    covers: dict[int, Packet[Stream]] = {}
    with open_input(source, allow_protocols=allow_protocols) as container:
        attached = {
            stream.index
            for stream in container.streams
            if stream.disposition & Disposition.attached_pic and stream.index != video_index
        }
        if not attached:
            return covers
        for packet in demuxed(container, list(container.streams)):
            if packet.stream_index not in attached:
                break
            covers[packet.stream_index] = packet
    return covers


def _moved(chapters: Sequence[Chapter], cut: Cut) -> Iterator[Chapter]:
    """The chapters inside the cut, on the output's clock."""
    for chapter in chapters:
        unit = chapter["time_base"]
        if unit is None:
            continue
        start, end = chapter["start"] * unit, chapter["end"] * unit
        if cut.start is not None:
            start = max(start, cut.start)
        if cut.end is not None:
            end = min(end, cut.end)
        if start < end:
            yield {
                **chapter,
                "start": round((start - cut.shift) / unit),
                "end": round((end - cut.shift) / unit),
            }
