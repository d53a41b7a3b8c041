"""The training loop: one process, CPU or CUDA, resumable to the bit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vsrcli.degradation.names import parse
from vsrcli.errors import DeviceError, UsageError
from vsrcli.networks.architectures import Network
from vsrcli.quality.clips import Clip
from vsrcli.quality.trials import Trial, trial
from vsrcli.training.batches import Batch, batches
from vsrcli.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from vsrcli.training.compiling import compile_parts, is_compiled, undo
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.log import LOG, Log
from vsrcli.training.objectives import Objective, objective_of
from vsrcli.training.recipes import Recipe
from vsrcli.training.state import Training

_LOG_EVERY = 20.0
_SECONDS_WORTH_COMPILING, _STEPS_WORTH_COMPILING = 360.0, 3000
"""That must be left; compiling takes a minute or two."""
_MOST_THREADS = 8
_VALIDATED_AS = {"real": "crf28"}
"""Compressed at random in training, but for scores always the same: the usual codec, between fine
and coarse."""


@dataclass(frozen=True)
class Budget:
    """How long a training lasts, all its resumed parts together; one of the two is set."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise UsageError("Give the length of the training in minutes or in steps, one of both")

    def share(self, step: int, seconds: float) -> float:
        """How much of the budget is spent, 0 to 1."""
        if self.minutes is not None:
            return min(1.0, seconds / (60 * self.minutes))
        return min(1.0, step / (self.steps or 1))


@dataclass(frozen=True)
class Intervals:
    """Seconds between what the loop does beside training."""

    checkpoint: float = 180.0
    validation: float = 300.0


def train(
    recipe: Recipe,
    data: TrainingSet,
    out: Path,
    budget: Budget,
    *,
    clips: Sequence[Clip] = (),
    device: torch.device,
    start: Network | None = None,
    start_name: str = "",
    teacher: Network | None = None,
    teacher_name: str = "",
    compiled: bool | None = None,
    intervals: Intervals = Intervals(),
    report: Callable[[str], None] = print,
) -> Training:
    """Train until the budget is spent; `out` gets `checkpoint.pt` and `log.jsonl`.

    A checkpoint in `out` is gone on from; without one, training begins at `start` (see
    `Training.begin_at`), or from nothing. `compiled` says whether the network is compiled; None
    leaves it to the device and the time. `teacher` is a trained network to learn from too, see
    `objective_of`. Interrupting writes a checkpoint first. Returns the training, whose `average` is
    the network to keep. Raises DeviceError if a card runs out of memory.
    """
    out.mkdir(parents=True, exist_ok=True)
    training = Training(recipe, device)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists():
        training.restore(load_checkpoint(checkpoint))
    elif start is not None:
        training.begin_at(start, start_name)
    if teacher is not None:
        teacher.to(device)
        training.taught_by = teacher_name
    log = Log(out / LOG, report)
    if clips and recipe.degradation == "real":
        log.note(training, "validated on crf28: bi, then x264 at a constant rate factor of 28")
    trials = _trials(clips, training)
    if compiled or (compiled is None and _is_worth_compiling(budget, training)):
        compile_parts(training.network)
    name = _name(device)
    objective = objective_of(recipe, data.on(device), teacher)

    def share_of(step: int) -> float:
        return budget.share(step, training.seconds)

    threads = _threads(recipe, device)
    stream = batches(objective, training.seed, training.step, share_of, device, threads)
    last = time.monotonic()
    due = {"log": last + _LOG_EVERY, "validation": last, "checkpoint": last + intervals.checkpoint}
    try:
        with _tuned(device), closing(stream):
            while share_of(training.step) < 1:
                batch = next(stream)
                log.step(_step(training, objective, batch, log), len(batch.pair.given))
                now = time.monotonic()
                training.spend(now - last, name)
                last = now
                if now >= due["log"]:
                    log.progress(training, batch.share)
                    due["log"] = now + _LOG_EVERY
                if clips and now >= due["validation"]:
                    log.scores(training, training.score(trials))
                    due["validation"] = time.monotonic() + intervals.validation
                if now >= due["checkpoint"]:
                    save_checkpoint(training.state(), checkpoint)
                    due["checkpoint"] = now + intervals.checkpoint
    finally:
        save_checkpoint(training.state(), checkpoint)
    if clips:
        log.scores(training, training.score(trials))
    return training


def _step(training: Training, objective: Objective, batch: Batch, log: Log) -> Tensor:
    """One step, with the network as it is written if the compiler fails."""
    try:
        return training.train_step(objective, batch)
    except Exception as error:
        if not is_compiled(training.network):
            if isinstance(error, torch.OutOfMemoryError):
                raise DeviceError(
                    f"{training.device} is out of memory with {len(batch.pair.given)} samples a "
                    "step; give a smaller --batch"
                ) from error
            raise
        reason = f"{type(error).__name__}: {error}"
    # Out here, where the error no longer holds the memory of the step that failed.
    log.note(training, f"going on without the compiler: {reason}"[:300])
    undo(training.network)
    return _step(training, objective, batch, log)


def _trials(clips: Sequence[Clip], training: Training) -> list[Trial]:
    """The clips as the network is tried on them."""
    recipe = training.recipe
    kind = _VALIDATED_AS.get(recipe.degradation, recipe.degradation)

    def shrink(truth: Tensor) -> Tensor:  # not called for pairs of blurred and sharp clips
        return parse(kind, recipe.scale)(truth)

    return [trial(clip, training.network.spec.task, shrink) for clip in clips]


def _is_worth_compiling(budget: Budget, training: Training) -> bool:
    """Whether the rest is long enough, on a device where it works."""
    if training.device.type != "cuda":
        return False
    if budget.minutes is not None:
        return 60 * budget.minutes - training.seconds > _SECONDS_WORTH_COMPILING
    return (budget.steps or 0) - training.step > _STEPS_WORTH_COMPILING


def _threads(recipe: Recipe, device: torch.device) -> int:
    """How many make batches ahead of time. Encoders take a while on few clips, and Python's lock
    is not held meanwhile; a CPU has nothing to gain where it would make the batches itself."""
    if recipe.degradation == "real":
        return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))
    return 1 if device.type == "cuda" else 0


@contextmanager
def _tuned(device: torch.device) -> Iterator[None]:
    """Settings of torch that make a card fast.

    Not TF32 in matrix products: the cameras' paths are such products, and 10 bits would leave the
    pixels of a clip shaking by tenths.
    """
    if device.type != "cuda":
        yield
        return
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    # The threads that make batches would only be in each other's way.
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = benchmark


def _name(device: torch.device) -> str:
    """The device in the words that a weights file keeps."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.get_num_threads()} threads)"
