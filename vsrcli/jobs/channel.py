"""Bounded hand-over between the stages of a job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stopped(Exception):  # noqa: N818
    """The job is being given up; the stage that sees this just returns."""


class Channel(Generic[Item]):
    """A queue of at most `size` items from one thread to another.

    The sender calls `put` and, when done, `finish`; the receiver iterates. `stop` wakes both
    sides with `Stopped`, whatever they wait for.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._stopped = False

    def put(self, item: Item) -> None:
        """Hand over `item`, waiting while the queue is full."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._items) < self._size)
            if self._stopped:
                raise Stopped
            self._items.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """No more items will come."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Give up: both sides get `Stopped`."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._items or self._finished)
                if self._stopped:
                    raise Stopped
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
