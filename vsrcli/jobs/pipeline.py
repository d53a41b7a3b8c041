"""The loop of a job: decode, restore and encode one segment, the three at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch

from vsrcli.jobs.channel import Channel, Stopped
from vsrcli.jobs.route import Item, Route
from vsrcli.media.frame import Frame
from vsrcli.media.writer import FrameSink

_DECODED_AHEAD = 3
_RESTORED_AHEAD = 2
"""Frames waiting between the stages: enough to overlap, few enough for 4K pictures as floats."""


@dataclass
class Stages:
    """Seconds each stage has worked, waiting not counted, and frames through it."""

    seconds: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "restore": 0.0, "encode": 0.0}
    )
    read: int = 0
    written: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of all the work, adding up to 1."""
        total = sum(self.seconds.values()) or 1.0
        return {name: value / total for name, value in self.seconds.items()}


def run_segment(
    source: Iterable[Frame],
    route: Route[Item],
    sink: FrameSink,
    progress: Callable[[Stages], None],
) -> Stages:
    """Take every frame of `source` along `route` into `sink`.

    Memory does not grow with the number of frames. `progress` is called after each frame written,
    from another thread. Any stage's exception ends the others and is raised here.
    """
    stages = Stages()
    decoded: Channel[Item] = Channel(_DECODED_AHEAD)
    restored: Channel[Item] = Channel(_RESTORED_AHEAD)
    failures: list[BaseException] = []

    def decode() -> None:
        for frame in _clocked(iter(source), stages, "decode"):
            with _Clock(stages, "decode"):
                item = route.prepare(frame)
            stages.read += 1
            decoded.put(item)
        decoded.finish()

    def encode() -> None:
        for item in restored:
            with _Clock(stages, "encode"):
                sink.write(route.finish(item))
            stages.written += 1
            progress(stages)

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            # Colour conversion works in strips too small to share: one thread is fastest, and
            # leaves the others to the network and the codecs. It holds for this thread alone.
            torch.set_num_threads(1)
            try:
                work()
            except Stopped:
                pass
            except BaseException as error:  # raised again by the job's own thread
                failures.append(error)
                decoded.stop()
                restored.stop()

        return run

    threads = [
        threading.Thread(target=guarded(decode), name="decode"),
        threading.Thread(target=guarded(encode), name="encode"),
    ]
    # Asked before the stages set theirs, which a thread new to torch would start with.
    torch_threads = torch.get_num_threads()
    for thread in threads:
        thread.start()
    torch.set_num_threads(route.threads or torch_threads)
    try:
        _restore(route, decoded, restored, stages)
        restored.finish()
        threads[-1].join()
    except Stopped:
        pass
    finally:
        # Whatever ended this, no stage goes on: the caller is about to close what it works on.
        decoded.stop()
        restored.stop()
        for thread in threads:
            thread.join()
        torch.set_num_threads(torch_threads)
    if failures:
        raise failures[0]
    return stages


def _restore(
    route: Route[Item], decoded: Channel[Item], restored: Channel[Item], stages: Stages
) -> None:
    waited = 0.0

    def items() -> Iterator[Item]:
        nonlocal waited
        source = iter(decoded)
        while True:
            started = time.perf_counter()
            item = next(source, None)
            waited += time.perf_counter() - started
            if item is None:
                return
            yield item

    results = route.restore(items())
    while True:
        started, waited = time.perf_counter(), 0.0
        result = next(results, None)
        stages.seconds["restore"] += time.perf_counter() - started - waited
        if result is None:
            return
        restored.put(result)


class _Clock:
    """Adds the time spent inside the block to a stage."""

    def __init__(self, stages: Stages, stage: str) -> None:
        self._seconds = stages.seconds
        self._stage = stage

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._stage] += time.perf_counter() - self._started


def _clocked(frames: Iterator[Frame], stages: Stages, stage: str) -> Iterator[Frame]:
    while True:
        with _Clock(stages, stage):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame
