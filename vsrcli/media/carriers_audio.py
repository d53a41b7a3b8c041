"""Audio that is encoded anew, because its container cannot hold it or the user wants it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import BlockingIOError as AgainError
from av.filter import Graph
from av.packet import Packet
from av.stream import Stream

from vsrcli.media.carriers import Cut, carry_tags, forget_encoder


@dataclass(frozen=True)
class _Encoder:
    name: str
    """libav's."""
    sample_format: str
    bit_rate: int
    """Bits a second and channel; 0: lossless."""
    rates: tuple[int, ...] = ()
    """Samples a second that it takes, ascending; empty: all."""


_MPEG = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

ENCODERS = {
    "aac": _Encoder("aac", "fltp", 96_000, (*_MPEG, 64000, 88200, 96000)),
    "opus": _Encoder("libopus", "flt", 80_000, (48000,)),
    "mp3": _Encoder("libmp3lame", "fltp", 112_000, _MPEG),
    "ac3": _Encoder("ac3", "fltp", 112_000, (32000, 44100, 48000)),
    "flac": _Encoder("flac", "s32", 0),
    "pcm": _Encoder("pcm_s24le", "s32", 0),
}
"""By the names that `--audio` takes, beside copy and none."""


_USUAL_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
"""By the number of channels, from one."""


def _layout(source: AudioLayout) -> str:
    """A layout that all encoders know, for AVI and WAV may not say where their speakers are."""
    if re.fullmatch(r"\d+ channels", source.name) and source.nb_channels <= len(_USUAL_LAYOUTS):
        return _USUAL_LAYOUTS[source.nb_channels - 1]
    # Opus and AC-3 have surround speakers at the back only.
    return source.name.replace("(side)", "")


class ConvertedAudio:
    """An audio stream decoded and encoded, every sample at its instant.

    Gaps in the time stamps of more than 0.1 s become silence, overlaps are cut off.
    """

    def __init__(self, source: AudioStream, codec: str, cut: Cut) -> None:
        self.source: Stream = source
        self._decoder = source.codec_context
        self._encoder = ENCODERS[codec]
        self._cut = cut
        self._graph: Graph | None = None
        self._time_base = Fraction(1, source.codec_context.sample_rate)
        self._end = Fraction(0)

    def add_to(self, output: OutputContainer) -> None:
        encoder = self._encoder
        rates = encoder.rates
        wanted = self._decoder.sample_rate
        # The next rate upwards keeps all frequencies.
        rate = wanted if not rates else min((r for r in rates if r >= wanted), default=rates[-1])
        stream = output.add_stream(encoder.name, rate=rate)
        assert isinstance(stream, AudioStream)
        context = stream.codec_context
        context.layout = _layout(self._decoder.layout)
        context.format = encoder.sample_format
        context.time_base = Fraction(1, rate)
        context.bit_rate = encoder.bit_rate * context.layout.nb_channels
        carry_tags(output, self.source, stream)
        forget_encoder(stream)
        self._stream = stream
        self._context = context

    def take(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        try:
            frames = self._decoder.decode(packet)
        except av.InvalidDataError:
            # A damaged packet: the silence that takes its place keeps the rest in step.
            return []
        packets: list[Packet[Stream]] = []
        for frame in frames:
            packets += self._convert(frame)
        return packets

    def flush(self) -> list[Packet[Stream]]:
        packets: list[Packet[Stream]] = []
        for frame in self._decoder.decode(None):
            packets += self._convert(frame)
        if self._graph is not None:
            packets += self._convert(None)
            packets += self._encode(None)
        return packets

    def _convert(self, frame: AudioFrame | None) -> list[Packet[Stream]]:
        if frame is not None:
            self._place(frame)
        if self._graph is None:
            assert frame is not None
            self._graph = self._build(frame)
        # Past the end of a cut the graph takes nothing more; what is in it still comes out.
        with contextlib.suppress(av.EOFError):
            self._graph.push(frame)
        packets: list[Packet[Stream]] = []
        while True:
            try:
                converted = self._graph.pull()
            except (AgainError, av.EOFError):
                return packets
            assert isinstance(converted, AudioFrame)
            packets += self._encode(converted)

    def _place(self, frame: AudioFrame) -> None:
        """Give a frame without a time, as decoders flush them, the instant where the last ended."""
        if frame.time_base is not None:
            self._time_base = frame.time_base
        if frame.pts is None:
            frame.time_base = self._time_base
            frame.pts = round(self._end / self._time_base)
        self._end = frame.pts * self._time_base + Fraction(frame.samples, frame.sample_rate)

    def _encode(self, frame: AudioFrame | None) -> list[Packet[Stream]]:
        packets: list[Packet[Stream]] = []
        for packet in self._context.encode(frame):
            ticks = round(self._cut.shift / packet.time_base)
            assert packet.pts is not None and packet.dts is not None
            packet.pts -= ticks
            packet.dts -= ticks
            packet.stream = self._stream
            packets.append(packet)
        return packets

    def _build(self, frame: AudioFrame) -> Graph:
        """The filters from the decoder's frames to those that the encoder takes."""
        context = self._context
        assert frame.time_base is not None
        graph = Graph()
        steps = [
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format,
                layout=frame.layout,
                time_base=frame.time_base,
            )
        ]
        limits = {
            key: f"{float(value):.6f}"
            for key, value in (("start", self._cut.start), ("end", self._cut.end))
            if value is not None
        }
        if limits:
            steps.append(graph.add("atrim", **limits))
        steps.append(graph.add("aresample", min_comp="0.1", min_hard_comp="0.1"))
        steps.append(
            graph.add(
                "aformat",
                sample_fmts=context.format.name,
                sample_rates=str(context.sample_rate),
                channel_layouts=context.layout.name,
            )
        )
        if context.frame_size:
            steps.append(graph.add("asetnsamples", n=str(context.frame_size), p="0"))
        steps.append(graph.add("abuffersink"))
        for before, after in zip(steps, steps[1:], strict=False):
            before.link_to(after)
        graph.configure()
        return graph
