"""How long the steps of a job work, waiting not counted."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

import torch

STAGES = {
    "decode": ("decode", "upload", "to_rgb"),
    "restore": ("restore",),
    "encode": ("from_rgb", "download", "encode"),
}
"""The steps that a frame goes through, in order. Those of a stage follow each other, the stages
run at the same time. All but the first and the last step are the device's work."""

STEPS = tuple(step for steps in STAGES.values() for step in steps)


class Clock(Protocol):
    """A stop watch: `with` runs it, and inside the block `stop` and `start` leave a wait out.

    For one thread at a time; any may read `seconds`.
    """

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def seconds(self) -> float: ...


class HostClock:
    """Counts the time that this program spends."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._started = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        self.seconds += time.perf_counter() - self._started

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class CudaClock:
    """Counts the time that a card spends on the work queued meanwhile.

    A program only queues work, and waits for all of it where it first asks for a result: its own
    time says nothing of what took the card how long. Events in the thread's stream do. Where
    several threads share a stream, what one queues inside another's block counts there too.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds = 0.0
        self._started = self._event()
        self._stretches: deque[tuple[torch.cuda.Event, torch.cuda.Event]] = deque()

    def start(self) -> None:
        self._started = self._event()
        self._started.record(torch.cuda.current_stream(self._device))

    def stop(self) -> None:
        stopped = self._event()
        stopped.record(torch.cuda.current_stream(self._device))
        self._stretches.append((self._started, stopped))

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def seconds(self) -> float:
        """Of the work that the card has finished."""
        while self._stretches and self._stretches[0][1].query():
            started, stopped = self._stretches.popleft()
            self._seconds += started.elapsed_time(stopped) / 1000
        return self._seconds

    @staticmethod
    def _event() -> torch.cuda.Event:
        return torch.cuda.Event(enable_timing=True)


def clocks_for(device: torch.device) -> dict[str, Clock]:
    """A clock for each of `STEPS` of a job whose pictures lie on `device`."""
    clocks: dict[str, Clock] = {step: HostClock() for step in STEPS}
    if device.type == "cuda":
        clocks.update((step, CudaClock(device)) for step in STEPS[1:-1])
    return clocks
