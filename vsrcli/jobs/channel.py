"""Bounded hand-over between the stages of a job."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stopped(Exception):  # noqa: N818
    """The job is being given up; the stage that sees this just returns."""


class _End:
    """Comes after the last item."""


class Channel(Generic[Item]):
    """A queue of at most `size` items from one thread to another.

    The sender calls `put` and, when done, `finish`; the receiver iterates. `stop` wakes both
    sides with `Stopped`, whatever they wait for.

    Ctrl-C may break into any line of the main thread. Hence no locks, which it would leave locked,
    but two queues whose every step is one call into C: of the items, and of the places for them.
    """

    def __init__(self, size: int) -> None:
        self._items: SimpleQueue[Item | _End] = SimpleQueue()
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._places.put(None)
        self._stopped = False

    def put(self, item: Item) -> None:
        """Hand over `item`, waiting while the queue is full."""
        self._places.get()
        if self._stopped:
            self._places.put(None)
            raise Stopped
        self._items.put(item)

    def finish(self) -> None:
        """No more items will come."""
        self._items.put(_End())

    def stop(self) -> None:
        """Give up: both sides get `Stopped`."""
        self._stopped = True
        self._places.put(None)
        self._items.put(_End())

    def __iter__(self) -> Iterator[Item]:
        while True:
            item = self._items.get()
            if self._stopped:
                self._items.put(_End())
                raise Stopped
            if isinstance(item, _End):
                return
            self._places.put(None)
            yield item
