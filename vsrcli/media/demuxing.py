"""Packets of a container, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

from av import Packet
from av.container import InputContainer
from av.stream import Stream

Some = TypeVar("Some", bound=Stream)


def demuxed(container: InputContainer, streams: Sequence[Some]) -> Iterator[Packet[Some]]:
    """What is left of the container's `streams`; last an empty packet of each.

    The empty ones may be missing: where a stream appears in the middle of a file, PyAV (18.1) looks
    for its choice among those that it knew, and may ask itself for one that it does not have.
    """
    packets = cast("Iterator[Packet[Some]]", container.demux(*streams))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, IndexError):
            return
        yield packet
