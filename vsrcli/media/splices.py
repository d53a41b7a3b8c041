"""Recordings whose clock starts anew on the way: broadcasts and DVD files joined end to end."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
from av.format import Flags
from av.packet import Packet

from vsrcli.media.access import open_input
from vsrcli.media.demuxing import demuxed

FORWARD = Fraction(10)
BACKWARD = Fraction(1, 10)
"""Seconds from the end of a stream's packet to its next one beyond which its clock was set anew."""
APART = Fraction(2)
"""Seconds by which one stream may end before another at a splice."""


@dataclass(frozen=True)
class Splices:
    """Where the clock starts anew, and what makes one clock of all."""

    shifts: Mapping[int, Sequence[tuple[int, Fraction]]] = field(default_factory=dict)
    """By stream: so many packets of it come first, then so many seconds are added to all times."""

    def __bool__(self) -> bool:
        return bool(self.shifts)


class Joiner:
    """Gives the packets of one pass over a file, from its beginning, their times on one clock."""

    def __init__(self, splices: Splices) -> None:
        self._shifts = splices.shifts
        self._seen: Counter[int] = Counter()

    def move(self, packet: Packet[Any]) -> None:
        """Move the times of a stream's next packet."""
        shifts = self._shifts.get(packet.stream_index)
        if shifts is None:
            return
        count = self._seen[packet.stream_index]
        self._seen[packet.stream_index] += 1
        passed = bisect_right([first for first, _ in shifts], count)
        if passed:
            ticks = round(shifts[passed - 1][1] / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks


def may_have_splices(format: str) -> bool:
    """Whether the clock of files of this format, by libav's name, may start anew."""
    if format == "images":
        return False
    flags = av.ContainerFormat(format.partition(",")[0], "r").flags
    return bool(flags & cast(int, Flags.ts_discont.value))


def find_splices(source: str, allow_protocols: Sequence[str] = ()) -> Splices:
    """The splices of a file, all of which is read.

    A stream's decoding times run on from packet to packet; where they jump, a new part begins. It
    is moved to where the last one ended, all its streams alike, so that none overlaps.
    """
    search = _Search()
    with open_input(source, allow_protocols=allow_protocols) as container:
        try:
            for packet in demuxed(container, list(container.streams)):
                search.look_at(packet)
        except av.FFmpegError:  # whoever reads the file for good says so
            pass
    return search.found()


@dataclass
class _Part:
    """A stretch with one clock."""

    before: int
    """The part that its shift counts from."""
    shift: Fraction


class _Search:
    """Goes through the packets of a file."""

    def __init__(self) -> None:
        self._parts = [_Part(0, Fraction(0))]
        self._seen: Counter[int] = Counter()
        self._part: dict[int, int] = {}
        self._dense: set[int] = set()
        self._end: dict[int, Fraction] = {}
        self._cuts: dict[int, list[tuple[int, int]]] = {}

    def look_at(self, packet: Packet[Any]) -> None:
        index, count = packet.stream_index, self._seen[packet.stream_index]
        self._seen[index] += 1
        if packet.dts is None:
            return
        latest = max((self._part[dense] for dense in self._dense), default=0)
        part = self._part.get(index, latest)
        if packet.stream.type in ("audio", "video"):
            self._dense.add(index)
            time = packet.dts * packet.time_base
            end = self._end.get(index, time)
            if not -BACKWARD <= time - end <= FORWARD:
                part = self._next_part(part, end, time)
            self._end[index] = time + (packet.duration or 0) * packet.time_base
        else:  # they have gaps of their own
            part = latest
        if part != self._part.get(index, 0):
            self._cuts.setdefault(index, []).append((count, part))
        self._part[index] = part

    def _next_part(self, part: int, end: Fraction, time: Fraction) -> int:
        """The part that a stream of `part` is in after a jump from `end` to `time`."""
        due = end + self._shift(part)
        for number in range(part + 1, len(self._parts)):
            late = time + self._shift(number) - due
            if -APART <= late <= FORWARD:  # another stream has jumped there
                self._parts[number].shift += max(Fraction(0), -late)
                return number
        self._parts.append(_Part(part, end - time))
        return len(self._parts) - 1

    def _shift(self, part: int) -> Fraction:
        shift = Fraction(0)
        while part:
            shift += self._parts[part].shift
            part = self._parts[part].before
        return shift

    def found(self) -> Splices:
        return Splices(
            {
                index: tuple((count, self._shift(part)) for count, part in cuts)
                for index, cuts in self._cuts.items()
            }
        )
