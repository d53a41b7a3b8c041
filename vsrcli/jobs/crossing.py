"""Threads that share a card: a stream for each, and tensors handed from one to the next.

A stream is a queue of work on the card. What is in one waits for nothing in another, so that
copies and arithmetic overlap, but for the events that a receiver's queue is told to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

import torch
from torch import Tensor

from vsrcli.jobs.channel import Channel

Item = TypeVar("Item")


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """A block whose work on a card goes into a stream that no other thread uses."""
    if device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))


class Crossing(Generic[Item]):
    """A `Channel` whose items may still be in the making in the sender's stream.

    The receiver's stream waits for them; neither thread does.
    """

    def __init__(
        self, size: int, device: torch.device, tensors: Callable[[Item], Iterable[Tensor]]
    ) -> None:
        """`tensors`: those of an item that lie on the device."""
        self._channel: Channel[tuple[Item, torch.cuda.Event | None]] = Channel(size)
        self._device = device
        self._tensors = tensors

    def put(self, item: Item) -> None:
        """As `Channel.put`; all that `item` needs is queued in the current stream."""
        made = None
        if self._device.type == "cuda":
            made = torch.cuda.Event()
            made.record(torch.cuda.current_stream(self._device))
        self._channel.put((item, made))

    def finish(self) -> None:
        self._channel.finish()

    def stop(self) -> None:
        self._channel.stop()

    def __iter__(self) -> Iterator[Item]:
        for item, made in self._channel:
            if made is not None:
                stream = torch.cuda.current_stream(self._device)
                stream.wait_event(made)
                for tensor in self._tensors(item):
                    # Its memory is not used again before this stream is done with it.
                    tensor.record_stream(stream)
            yield item
