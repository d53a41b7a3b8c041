"""The loop of a job: decode, restore and encode one segment, the three at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import torch

from vsrcli.jobs.channel import Stopped
from vsrcli.jobs.clock import STAGES, Clock
from vsrcli.jobs.crossing import Crossing, own_stream
from vsrcli.jobs.route import Item, Route
from vsrcli.media.frame import Frame
from vsrcli.media.placing import undisturbed
from vsrcli.media.writer import FrameSink

Made = TypeVar("Made")

_DECODED_AHEAD = 3
_RESTORED_AHEAD = 2
"""Frames waiting between the stages: enough to overlap, few enough for 4K pictures as floats."""


class Stages:
    """How long each step has worked, waiting not counted, and the frames through them."""

    def __init__(self, clocks: Mapping[str, Clock]) -> None:
        self._clocks = clocks
        self.read = 0
        self.written = 0

    @property
    def seconds(self) -> dict[str, float]:
        """Of each step."""
        return {step: clock.seconds for step, clock in self._clocks.items()}

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of all the work, adding up to 1."""
        seconds = self.seconds
        total = sum(seconds.values()) or 1.0
        return {
            stage: sum(seconds[step] for step in steps) / total for stage, steps in STAGES.items()
        }


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
    clocks = route.clocks
    stages = Stages(clocks)
    decoded = Crossing(_DECODED_AHEAD, route.device, route.tensors)
    restored = Crossing(_RESTORED_AHEAD, route.device, route.tensors)
    failures: list[BaseException] = []

    def decode() -> None:
        for frame in _clocked(iter(source), clocks["decode"]):
            item = route.prepare(frame)
            stages.read += 1
            decoded.put(item)
        decoded.finish()

    def encode() -> None:
        for frame in route.finish(restored):
            with clocks["encode"]:
                sink.write(frame)
            stages.written += 1
            progress(stages)

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            # Colour conversion works in strips too small to share: one thread is fastest, and
            # leaves the others to the network and the codecs. It holds for this thread alone.
            torch.set_num_threads(1)
            try:
                with own_stream(route.device):
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
    try:
        with undisturbed():  # or a thread could be left waiting for its start to be noticed
            for thread in threads:
                thread.start()
        torch.set_num_threads(route.threads or torch_threads)
        with own_stream(route.device):
            _restore(route, decoded, restored)
            restored.finish()
        threads[-1].join()
    except Stopped:
        pass
    finally:
        # Whatever ended this, no stage goes on: the caller is about to close what it works on.
        with undisturbed():
            decoded.stop()
            restored.stop()
            for thread in threads:
                if thread.ident is not None:  # started
                    thread.join()
        torch.set_num_threads(torch_threads)
    if failures:
        raise failures[0]
    return stages


def _restore(route: Route[Item], decoded: Crossing[Item], restored: Crossing[Item]) -> None:
    clock = route.clocks["restore"]

    def items() -> Iterator[Item]:
        source = iter(decoded)
        while True:
            clock.stop()
            item = next(source, None)
            clock.start()
            if item is None:
                return
            yield item

    for result in _clocked(route.restore(items()), clock):
        restored.put(result)


def _clocked(items: Iterator[Made], clock: Clock) -> Iterator[Made]:
    """The items, `clock` running while the next one is made."""
    while True:
        with clock:
            item = next(items, None)
        if item is None:
            return
        yield item
