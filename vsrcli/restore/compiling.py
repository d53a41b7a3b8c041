"""torch's compiler for long jobs on a card.

Compiling takes up to some minutes, and what it gains is not known before. So a part of a network is
compiled only once its job has lasted as long as that would take, when as much again is probably
still to come, and what was compiled is kept only if it is faster than what was there.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import torch

from vsrcli.networks.spec import Groups, Strategy
from vsrcli.restore.graphs import Recorder, Work

_WORTH_AFTER = 180.0
"""Seconds that a job has lasted."""


def compiled(work: Work, backend: str | Callable[..., Any] = "inductor") -> Work:
    """What does the same as `work`, compiled at its first call for each shape."""
    # Tables that are cached in Python are computed anew in compiled code, which is little work.
    warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
    made: Work = torch.compile(work, dynamic=False, backend=backend)
    return made


class TimedRecorder(Recorder, Protocol):
    """Records calls, and tells how long they take."""

    def seconds(self, work: Work, given: tuple[Any, ...]) -> float:
        """Of some calls."""


def is_compilable(strategy: Strategy) -> bool:
    """Whether the compiler is done with the network's parts in reasonable time. Those of the groups
    strategy are hundreds of small loops."""
    return not isinstance(strategy, Groups)


class CompilingRecorder:
    """Records parts as they are, and in a long job once more, compiled."""

    def __init__(
        self,
        recorder: TimedRecorder,
        compiler: Callable[[Work], Work] = compiled,
        worth_after: float = _WORTH_AFTER,
    ) -> None:
        self._recorder = recorder
        self._compiler = compiler
        self._due = time.monotonic() + worth_after

    def __call__(self, work: Work, given: tuple[Any, ...]) -> Work:
        best = self._recorder(work, given) or work
        tried = False

        def play(*given: Any) -> Any:
            nonlocal best, tried
            if not tried and time.monotonic() > self._due:
                tried = True
                best = self._faster(work, best, given)
            return best(*given)

        return play

    def _faster(self, work: Work, best: Work, given: tuple[Any, ...]) -> Work:
        """`best`, or the compiled part if that works and is faster."""
        try:
            other = self._compiler(work)
            other = self._recorder(other, given) or other
            gains = self._recorder.seconds(other, given) < self._recorder.seconds(best, given)
        except Exception:
            # No compiler on the machine, no memory, code that it cannot read: the job does not
            # need it, and goes on.
            return best
        return other if gains else best
