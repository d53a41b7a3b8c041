"""Text subtitles that change from one text format to another on their way."""

from __future__ import annotations

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.codeccontext import SubtitleCodecContext

from vsrcli.media.carriers import Cut, carry_tags, forget_encoder, has_decoder

_TEXT = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
"""The text format that each container is known to hold and players to show."""

_CONVERTIBLE = {"subrip", "ass", "ssa", "mov_text", "webvtt", "text"}


def subtitle_codec(source: Stream, container: str) -> str | None:
    """The format into which these subtitles can be converted for the container, if any."""
    if not has_decoder(source):
        return None
    name = source.codec_context.codec.canonical_name
    return _TEXT.get(container) if name in _CONVERTIBLE else None


class ConvertedSubtitles:
    """Subtitles decoded to libav's common form (an ASS line) and written in another text format.

    Bold, italics, underlining and line breaks survive; positions do only where both formats
    have them.
    """

    def __init__(self, source: Stream, codec: str, cut: Cut) -> None:
        self.source = source
        self._codec = codec
        self._cut = cut
        assert isinstance(source.codec_context, SubtitleCodecContext)
        self._decoder = source.codec_context

    def add_to(self, output: OutputContainer) -> None:
        self._decoder.open(strict=False)
        self._stream = output.add_stream(self._codec)
        encoder = self._stream.codec_context
        assert isinstance(encoder, SubtitleCodecContext) and self.source.time_base is not None
        # The styles that the lines refer to.
        encoder.subtitle_header = self._decoder.subtitle_header
        encoder.time_base = self.source.time_base
        self._encoder = encoder
        carry_tags(output, self.source, self._stream)
        forget_encoder(self._stream)

    def take(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        if packet.pts is None:
            return []
        decoded = self._decoder.decode2(packet)
        if decoded is None or not len(decoded):
            return []
        packet.dts = packet.pts
        if not packet.duration:
            packet.duration = round(decoded.end_display_time / 1000 / packet.time_base)
        if not self._cut.place(packet, clip=True):
            return []
        encoded = self._encoder.encode_subtitle(decoded)
        encoded.time_base = packet.time_base
        encoded.pts = encoded.dts = packet.pts
        encoded.duration = packet.duration
        encoded.stream = self._stream
        return [encoded]

    def flush(self) -> list[Packet[Stream]]:
        return []
