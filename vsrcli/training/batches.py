"""The batches of a training, one after another, made ahead of time where that saves any.

Batch i depends on the seed and on i alone, so a run that is gone on from sees what it would have
seen, whoever makes the batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import NamedTuple

import numpy as np
import torch

from vsrcli.training.objectives import Objective, Pair

_AHEAD = 2
"""Batches that each thread may be ahead."""


class Batch(NamedTuple):
    """What a step is made with."""

    pair: Pair
    share: float
    """Of the budget, for which it was made."""


def batches(
    objective: Objective,
    seed: int,
    first: int,
    share_of: Callable[[int], float],
    device: torch.device,
    threads: int = 0,
) -> Generator[Batch]:
    """The batches from number `first` on, on the device, without end; close it when done.

    `share_of` tells the share of the budget at which a batch will be used, as well as can be told.
    With `threads` they are made in that many threads ahead of time, else when they are asked for.
    What goes wrong in a thread is raised here, at the batch that failed.
    """

    def made(index: int, share: float) -> Batch:
        return Batch(objective.batch(_generator(seed, index), share).to(device), share)

    if not threads:
        yield from (made(index, share_of(index)) for index in count(first))
    make: Callable[[int, float], Batch] = made
    if device.type == "cuda":
        make = _in_streams(made, [torch.cuda.Stream(device) for _ in range(threads)])
    ordered: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(threads, "batches")
    try:
        for index in count(first):
            ordered.append(pool.submit(make, index, share_of(index)))
            if len(ordered) > _AHEAD * threads:
                batch = ordered.popleft().result()
                if device.type == "cuda":
                    for tensor in batch.pair:
                        # Not to be reused for another batch while a step still reads it.
                        if tensor is not None:
                            tensor.record_stream(torch.cuda.current_stream(device))
                yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def _in_streams(
    made: Callable[[int, float], Batch], streams: Sequence[torch.cuda.Stream]
) -> Callable[[int, float], Batch]:
    """`made`, in streams of their own: a small copy to a card waits for the stream that it is in,
    which had better not be the one with a training step in it."""

    def waited_for(index: int, share: float) -> Batch:
        stream = streams[index % len(streams)]
        with torch.cuda.stream(stream):
            batch = made(index, share)
            stream.synchronize()
        return batch

    return waited_for


def _generator(seed: int, index: int) -> torch.Generator:
    """Random numbers for one batch; torch uses 32 bits of a seed."""
    state = np.random.SeedSequence((seed, index)).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))
