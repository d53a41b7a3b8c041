"""How one stream of a source gets into the output."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from vsrcli.media.tags import carried_tags


@dataclass(frozen=True)
class Cut:
    """Which part of a source is wanted, in seconds on its own clock."""

    start: Fraction | None = None
    end: Fraction | None = None
    shift: Fraction = Fraction(0)
    """Taken from every time."""

    def place(self, packet: Packet[Stream], *, clip: bool) -> bool:
        """Shift the packet's times; False when it lies outside the cut.

        With `clip` its duration is shortened to the part inside, as subtitles need it.
        """
        unit = packet.time_base
        assert packet.pts is not None and packet.dts is not None
        begin = packet.pts * unit
        length = (packet.duration or 0) * unit
        if self.end is not None and begin >= self.end:
            return False
        if self.start is not None and begin < self.start and begin + length <= self.start:
            return False
        if clip and length:
            finish = begin + length if self.end is None else min(begin + length, self.end)
            begin = begin if self.start is None else max(begin, self.start)
            packet.pts = packet.dts = round(begin / unit)
            packet.duration = round((finish - begin) / unit)
        ticks = round(self.shift / unit)
        packet.pts -= ticks
        packet.dts -= ticks
        return True


_ENDLESS = (1 << 31) - 1
"""Ticks: what lasts longer, such as a subtitle that the next one ends, MP4 cannot say."""


class Carrier(Protocol):
    """Takes the packets of one source stream and gives those of one output stream."""

    source: Stream

    def add_to(self, output: OutputContainer) -> None: ...

    def take(self, packet: Packet[Stream]) -> list[Packet[Stream]]: ...

    def flush(self) -> list[Packet[Stream]]: ...


class CopiedStream:
    """A stream whose packets are handed on untouched, apart from the shift of their times."""

    def __init__(self, source: Stream, cut: Cut) -> None:
        self.source = source
        self._cut = cut
        self._end = 0
        self._undated: list[Packet[Stream]] = []
        self._last: int | None = None

    def add_to(self, output: OutputContainer) -> None:
        self._stream = add_copy(output, self.source)
        # Packets of text and data, and any in Matroska, may share a time.
        loose = output.format.name in ("matroska", "webm")
        self._loose = loose
        self._step = int(self.source.type in ("audio", "video") and not loose)

    def take(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        if packet.dts is None and packet.pts is not None and self.source.type == "video":
            # Before the first reordered picture Matroska's demuxer cannot tell decoding times.
            self._undated.append(packet)
            return []
        if packet.dts is None:
            packet.dts = self._end if packet.pts is None else packet.pts
        if packet.pts is None:
            packet.pts = packet.dts
        self._end = packet.dts + (packet.duration or 0)
        return [*self._date(packet.dts), *self._place(packet)]

    def flush(self) -> list[Packet[Stream]]:
        return self._date(self._end + sum(packet.duration or 1 for packet in self._undated))

    def _date(self, until: int) -> list[Packet[Stream]]:
        """The packets that waited for a decoding time, one after the other up to `until`."""
        placed: list[Packet[Stream]] = []
        for packet in reversed(self._undated):
            until -= packet.duration or 1
            packet.dts = until
            placed = self._place(packet) + placed
        self._undated.clear()
        return placed

    def _place(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        if not self._cut.place(packet, clip=self.source.type == "subtitle"):
            return []
        packet.stream = self._stream
        if not self._loose and (packet.duration or 0) > _ENDLESS:
            packet.duration = 0
        self._order(packet)
        return [packet]

    def _order(self, packet: Packet[Stream]) -> None:
        """Give the packet a time of its own, behind that of the last one.

        On a coarse clock, such as Matroska's, short packets share times, which MP4 refuses. A
        packet from longer ago stays as it is: it is what a damaged broadcast repeats, and the
        muxer may refuse it."""
        assert packet.dts is not None and packet.pts is not None and self._stream.time_base
        scale = packet.time_base / self._stream.time_base
        dts = round(packet.dts * scale)
        duration = round((packet.duration or 0) * scale)
        if (
            self._last is not None
            and self._last - max(duration, 1) <= dts < self._last + self._step
        ):
            dts = self._last + self._step
            packet.pts = max(round(packet.pts * scale), dts)
            packet.dts = dts
            packet.duration = duration
            packet.time_base = self._stream.time_base
        self._last = dts if self._last is None else max(self._last, dts)


class Cover:
    """An attached picture: one packet, or in Matroska an attachment."""

    def __init__(self, source: Stream, picture: Packet[Stream]) -> None:
        self.source = source
        self._picture = picture

    def add_to(self, output: OutputContainer) -> None:
        if output.format.name == "matroska":
            kind = {"mjpeg": "jpeg"}.get(self.source.name or "", self.source.name or "")
            name = self.source.metadata.get("filename", f"cover.{kind.replace('jpeg', 'jpg')}")
            mime = self.source.metadata.get("mimetype", f"image/{kind}")
            attachment = output.add_attachment(name, mime, bytes(self._picture))
            attachment.metadata.update(
                {k: v for k, v in self.source.metadata.items() if k not in ("filename", "mimetype")}
            )
            self._waiting: list[Packet[Stream]] = []
            return
        stream = add_copy(output, self.source)
        self._picture.pts = self._picture.dts = 0
        self._picture.stream = stream
        self._waiting = [self._picture]

    def take(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        # The demuxer gives the picture again; it was read before the header was written.
        waiting, self._waiting = self._waiting, []
        return waiting

    def flush(self) -> list[Packet[Stream]]:
        waiting, self._waiting = self._waiting, []
        return waiting


def add_copy(output: OutputContainer, source: Stream) -> Stream:
    """A stream of `output` that takes the packets of `source`, with its tags."""
    stream = output.add_stream_from_template(source, opaque=True)
    carry_tags(output, source, stream)
    return stream


def carry_tags(output: OutputContainer, source: Stream, stream: Stream) -> None:
    """Give an output stream the language, the disposition and the other tags of its source."""
    stream.metadata.update(carried_tags(source.metadata, output.format.name))
    stream.disposition = source.disposition


def forget_encoder(stream: Stream) -> None:
    """Remove the tag that names the encoder of the source from a stream encoded anew."""
    for key in [key for key in stream.metadata if key.lower() == "encoder"]:
        del stream.metadata[key]


def can_hold(source: Stream, container: str) -> bool:
    """Whether libav writes a header with a copy of this stream into the container."""
    output = av.open(io.BytesIO(), "w", format=container)
    try:
        add_copy(output, source)
        output.start_encoding()
        output.close()
    except (av.FFmpegError, ValueError):
        return False
    return True


def has_decoder(stream: Stream) -> bool:
    """Whether libav can decode the stream; PyAV gives it no codec context otherwise."""
    context: object = stream.codec_context
    return context is not None
