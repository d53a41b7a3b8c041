"""The bounded queue between two stages."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest

from vsrcli.jobs.channel import Channel, Stopped

SOON = 0.1
"""Seconds after which a thread that may not go on has shown that it does not."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, 10 s at most."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    assert condition()


def test_items_come_out_in_order_and_then_end() -> None:
    channel: Channel[int] = Channel(3)

    def send() -> None:
        for n in range(100):
            channel.put(n)
        channel.finish()

    sender = threading.Thread(target=send)
    sender.start()
    assert list(channel) == list(range(100))
    sender.join(5)
    assert not sender.is_alive()


def test_a_full_channel_makes_the_sender_wait() -> None:
    channel: Channel[int] = Channel(2)
    sent: list[int] = []

    def send() -> None:
        for n in range(4):
            channel.put(n)
            sent.append(n)
        channel.finish()

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(sent) == 2)
    sender.join(SOON)
    assert sent == [0, 1]
    items = iter(channel)
    assert next(items) == 0
    until(lambda: len(sent) == 3)
    sender.join(SOON)
    assert sent == [0, 1, 2]
    assert list(items) == [1, 2, 3]
    sender.join(5)
    assert not sender.is_alive()


def test_what_was_put_before_the_end_is_not_lost() -> None:
    channel: Channel[str] = Channel(2)
    channel.put("a")
    channel.put("b")
    channel.finish()
    assert list(channel) == ["a", "b"]


@pytest.mark.parametrize("waits", ["sender", "receiver"])
def test_stop_wakes_whoever_waits(waits: str) -> None:
    channel: Channel[int] = Channel(1)
    outcome: list[type[BaseException]] = []

    def wait() -> None:
        try:
            if waits == "sender":
                channel.put(1)
                channel.put(2)
            else:
                next(iter(channel))
        except Stopped as error:
            outcome.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(SOON)
    assert thread.is_alive()
    channel.stop()
    thread.join(5)
    assert outcome == [Stopped]


def test_after_stop_nothing_goes_in_or_out() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.stop()
    with pytest.raises(Stopped):
        channel.put(2)
    with pytest.raises(Stopped):
        next(iter(channel))


@pytest.mark.parametrize("main", ["sender", "receiver"])
def test_an_interrupt_at_any_line_leaves_nobody_waiting(main: str) -> None:
    """Ctrl-C comes to the main thread, which may be anywhere in its half of the hand-over."""
    delays = random.Random(0)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(300):
            channel: Channel[int] = Channel(2)
            halves = (send_for_ever, receive) if main == "sender" else (receive, send_for_ever)
            other = threading.Thread(target=halves[1], args=(channel,), daemon=True)
            other.start()
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, delays.uniform(1e-4, 3e-3))
                halves[0](channel)
            channel.stop()
            other.join(5)
            assert not other.is_alive()
    finally:
        signal.signal(signal.SIGALRM, previous)


def send_for_ever(channel: Channel[int]) -> None:
    with contextlib.suppress(Stopped):
        while True:
            channel.put(1)


def receive(channel: Channel[int]) -> None:
    with contextlib.suppress(Stopped):
        for _ in channel:
            pass
