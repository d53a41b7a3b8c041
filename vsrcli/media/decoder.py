"""Decoding one video stream: seeking to a time, and going on past broken packets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import cast

import av
from av.codec.context import ThreadType
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.container.core import Flags
from av.format import Flags as FormatFlags
from av.packet import Packet
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vsrcli.errors import InputError
from vsrcli.media.access import MAX_PIXELS, open_input
from vsrcli.media.demuxing import demuxed
from vsrcli.media.probe import choose_video, crop_exactly, decoder_of
from vsrcli.media.splices import Joiner, Splices

READ_FAILURES = 10
"""So many failures to read in a row mean that nothing more can be read."""
PACKETS_IN_FLIGHT = 256
"""More than decoder threads and reordering can hold back."""
SEEK_MARGINS = (0, 1, 5, 25)
"""Seconds before the time wanted at which to look for a key frame, one after the other."""


class _BestTimes:
    """The better of the two times that a decoded frame has, by FFmpeg's own rule.

    Some files give decoding times only, some have presentation times that jump about; the kind of
    time that has gone wrong less often so far is believed.
    """

    def __init__(self) -> None:
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._faulty_pts = self._faulty_dts = 0

    def of(self, frame: VideoFrame) -> int | None:
        pts, dts = frame.pts, frame.dts
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        if pts is not None and (dts is None or self._faulty_pts <= self._faulty_dts):
            return pts
        return dts


class Decoder:
    """The frames of a file's video stream, in presentation order, once."""

    def __init__(
        self,
        path: str,
        allow_protocols: Sequence[str] = (),
        *,
        single_thread: bool = False,
        hwaccel: HWAccel | None = None,
        splices: Splices | None = None,
    ) -> None:
        """Open the file. With `single_thread` each failure belongs to the packet just sent.
        `hwaccel` is where to decode if it can be had. Times are those after `splices`."""
        self.path = path
        self.allow_protocols = tuple(allow_protocols)
        self.single_thread = single_thread
        self.lost: int
        """Packets that could not be read or decoded."""
        self._count_after: int | None = None
        self._hwaccel = hwaccel
        self._splices = splices or Splices()
        self._open()

    def _open(self) -> None:
        self._container: InputContainer = self._opened()
        self._stream: VideoStream = choose_video(self._container, self.path)
        for other in self._container.streams:
            if other.index != self._stream.index:
                other.discard = Discard.all
        crop_exactly(self._stream)
        self._decoder = decoder_of(self._stream)
        self._decoder.thread_type = ThreadType.AUTO
        if self.single_thread or self._hwaccel is not None:  # each thread would take surfaces
            self._decoder.thread_count = 1
        self._decoder.options = {"max_pixels": str(MAX_PIXELS)}
        # Guessing times by looking ahead, which PyAV asks for, goes wrong with B-pyramids.
        self._container.flags &= ~cast(int, Flags.gen_pts.value)
        self._begin()

    def _opened(self) -> InputContainer:
        if self._hwaccel is not None:
            try:
                return open_input(
                    self.path, allow_protocols=self.allow_protocols, hwaccel=self._hwaccel
                )
            except InputError:  # of the device too, which may have no driver for video
                self._hwaccel = None
        return open_input(self.path, allow_protocols=self.allow_protocols)

    def _begin(self) -> None:
        """Forget what was seen before a seek."""
        self.lost = 0
        self._joiner = Joiner(self._splices)
        self._sent: deque[int] = deque(maxlen=PACKETS_IN_FLIGHT)
        self._times = _BestTimes()

    def close(self) -> None:
        self._container.close()

    def frames(self, start: int | None = None) -> Iterator[VideoFrame]:
        """Frames in presentation order.

        With `start`, in the stream's time base, they begin at a key frame at or before it, and
        everything from `start` on decodes as if from the beginning.
        """
        if start is not None and self._can_seek(start):
            for margin in SEEK_MARGINS:
                base = self._stream.time_base or Fraction(1)
                target = start - int(margin / base)
                try:
                    self._container.seek(target, stream=self._stream)
                except av.FFmpegError:  # no way to seek in this file
                    break
                self._begin()
                frames = self._decode()
                for frame in frames:
                    if frame.key_frame:
                        break
                else:
                    continue
                if frame.pts is not None and frame.pts <= start:
                    yield frame
                    yield from frames
                    return
            self.close()
            self._open()
        yield from self._decode()

    def _can_seek(self, start: int) -> bool:
        """Whether seeking is worth it: the format has time stamps and the time is not its first."""
        no_timestamps = cast(int, FormatFlags.no_timestamps.value)
        if self._splices or self._container.format.flags & no_timestamps:
            return False
        return self._stream.start_time is None or start > self._stream.start_time

    def _decode(self) -> Iterator[VideoFrame]:
        shown: int | None = None
        lost_before = 0
        for batch in self._batches():
            for frame in batch:
                frame.pts = self._times.of(frame)
                shown = frame.pts if frame.pts is not None else shown
                lost_before = self.lost
                yield frame
        held_back = any(shown is None or pts > shown for pts in self._sent)
        if held_back and not self.single_thread:
            self.lost = lost_before
            yield from self._last_frames(shown)

    def _batches(self) -> Iterator[list[VideoFrame]]:
        """What each packet brings out of the decoder, and what was still inside at the end."""
        for packet in self._packets():
            if packet.pts is not None and not packet.is_discard:
                self._sent.append(packet.pts)
            try:
                yield self._decoder.decode(packet)
            except av.FFmpegError as error:
                self._fail(packet.pts, error)
        try:
            yield self._decoder.decode(None)
        except av.FFmpegError as error:
            self._fail(None, error)

    def _last_frames(self, after: int | None) -> Iterator[VideoFrame]:
        """Frames that a failure at the end of the file kept inside the decoder.

        With frame threads many frames are still inside when the file ends, and a failure among
        them hides the ones behind it; a second decoder with one thread gets at those, and counts
        the failures after the last frame shown anew.
        """
        try:
            again = Decoder(
                self.path, self.allow_protocols, single_thread=True, splices=self._splices
            )
        except InputError:  # the file is no more what it was at the beginning
            self.lost += sum(after is None or pts > after for pts in self._sent)
            return
        again._count_after = after
        try:
            for frame in again.frames(after):
                if after is None or (frame.pts is not None and frame.pts > after):
                    yield frame
        finally:
            self.lost += again.lost
            again.close()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The stream's packets; reading goes on after a failure for as long as that helps."""
        failures = 0
        while failures <= READ_FAILURES:
            try:
                for packet in demuxed(self._container, [self._stream]):
                    # An empty packet would end the decoding; the last one, which is to do so,
                    # is not needed because the decoder is drained by hand.
                    self._joiner.move(packet)
                    if packet.size:
                        failures = 0
                        yield packet
                return
            except av.FFmpegError as error:
                failures += 1
                if failures == 1:
                    self._fail(None, error)

    def _fail(self, pts: int | None, error: av.FFmpegError) -> None:
        if isinstance(error, MemoryError):
            raise error
        if self._count_after is None or pts is None or pts > self._count_after:
            self.lost += 1
