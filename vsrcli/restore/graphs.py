"""CUDA graphs: what a part of a network does is recorded once for each shape, then played back.

A part queues tens to thousands of kernels. Where those are short, a program does not keep up with
its card, the less as the threads beside it want the interpreter too; a recording is queued in one
call. It works on buffers of its own: inputs are copied in, results copied out, so that callers may
keep results as long as they like.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor

from vsrcli.networks.spec import Bidirectional, Groups, Recurrent, Strategy, Window
from vsrcli.restore.memory import is_out_of_memory

Work = Callable[..., Any]
"""A function of tensors, None, numbers, and tuples and lists of them, whose result is made of the
same. It does the same for all tensors of the same shapes, and asks the card for nothing."""

_WARM_UP = 2
"""Calls before a recording, which load libraries and fill caches."""
_TRIED = 5
"""Calls by which the recording is compared with the part itself."""


def parts_of(strategy: Strategy) -> tuple[str, ...]:
    """The methods of a network that are worth recording. A stream of the chunk strategy keeps its
    state to itself, and is pushed several frames at once."""
    match strategy:
        case Window():
            return ("frame_features", "from_features")
        case Groups():
            return ("frame_features", "pair_features", "from_features")
        case Recurrent():
            return ("encode", "step")
        case Bidirectional():
            return ("flows", "align", "step_backward", "step_forward")
        case _:
            return ()


class Recorder(Protocol):
    """Records calls."""

    def __call__(self, work: Work, given: tuple[Any, ...]) -> Work | None:
        """What does the same as `work` for arguments like `given`; None if that does not pay."""


class Graphs:
    """The recordings of one network's parts."""

    def __init__(self, record: Recorder) -> None:
        self.failure: str | None = None
        """Why nothing can be recorded, if so."""
        self._record = record
        self._found: dict[tuple[str, object], Work | None] = {}
        """Who answers calls of a part and of a shape that came before; None until it is known."""
        self._active = True

    def around(self, network: Any, strategy: Strategy) -> Any:
        """`network` as its strategy's runner sees it, with parts that play recordings."""
        parts = parts_of(strategy)
        if not parts:
            return network
        made = {name: self._part(name, getattr(network, name)) for name in parts}
        return SimpleNamespace(spec=network.spec, **made)

    def _part(self, name: str, work: Work) -> Work:
        def part(*given: Any) -> Any:
            try:
                return self._worker(name, work, given)(*given)
            except (RuntimeError, MemoryError) as error:
                if is_out_of_memory(error):  # recordings keep the memory that they work in
                    self._stop()
                raise

        return part

    def _worker(self, name: str, work: Work, given: tuple[Any, ...]) -> Work:
        """Who answers this call. A shape is recorded when it comes for the second time: the last
        batch of a scene, with fewer frames, may come only once."""
        if not self._active:
            return work
        key = (name, _signature(given))
        if key not in self._found:
            self._found[key] = None
            return work
        found = self._found[key]
        if found is None:
            try:
                found = self._record(work, given) or work
            except (RuntimeError, MemoryError) as error:
                self._stop()
                if not is_out_of_memory(error):
                    reason = str(error).splitlines()[0]
                    self.failure = f"CUDA graphs do not work here ({reason}); went on without"
                return work
            self._found[key] = found
        return found

    def _stop(self) -> None:
        self._active = False
        self._found.clear()


class CudaRecorder:
    """Records what a card is asked to do.

    All recordings work in the same memory, which is right as they are played one after another in
    one stream, and nothing of theirs is needed once the results are copied out.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Work, given: tuple[Any, ...]) -> Work | None:
        callers = torch.cuda.current_stream(self._device)
        held = _rebuilt(given, iter([x.clone() for x in tensors_of(given)]))
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.device(self._device):
                self._stream.wait_stream(callers)
                with torch.cuda.stream(self._stream):
                    for _ in range(_WARM_UP):
                        work(*held)
                # Other threads may go on with their own work on the card meanwhile.
                with torch.cuda.graph(
                    graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
                ):
                    made = work(*held)
        finally:
            # Where recording fails, torch leaves its stream in place.
            torch.cuda.set_stream(callers)
        callers.wait_stream(self._stream)

        def play(*given: Any) -> Any:
            for buffer, x in zip(tensors_of(held), tensors_of(given), strict=True):
                buffer.copy_(x)
            graph.replay()
            return _rebuilt(made, iter([x.clone() for x in tensors_of(made)]))

        return play if self.seconds(play, given) < self.seconds(work, given) else None

    def seconds(self, work: Work, given: tuple[Any, ...]) -> float:
        """Of a few calls, until the card is done with them."""
        torch.cuda.synchronize(self._device)
        started = time.perf_counter()
        for _ in range(_TRIED):
            work(*given)
        torch.cuda.synchronize(self._device)
        return time.perf_counter() - started


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors in tuples and lists, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)


def _rebuilt(value: Any, tensors: Iterator[Tensor]) -> Any:
    """`value` with other tensors."""
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, (tuple, list)):
        items = [_rebuilt(item, tensors) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _signature(value: Any) -> object:
    """Equal for values that a recording cannot tell apart."""
    if isinstance(value, Tensor):
        return (value.shape, value.dtype)
    if isinstance(value, (tuple, list)):
        return tuple(_signature(item) for item in value)
    return value
