"""Models beside each other and beside plain resampling, on the same clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vsrcli.errors import UsageError
from vsrcli.networks.spec import Groups, Task, Window
from vsrcli.ops.resize import Kernel
from vsrcli.quality.clips import ClipFiles, read_clip
from vsrcli.quality.conventions import REPEATS, Conventions
from vsrcli.quality.measure import FrameScore, score_pictures, score_video
from vsrcli.quality.trials import Restore, Trial
from vsrcli.restore.device import Backend, Precision
from vsrcli.restore.restorer import Restorer, load
from vsrcli.zoo.catalogue import BASELINES

INPUT = "input"
"""The name under which blurred frames are scored as they are."""
_KERNELS: tuple[Kernel, ...] = ("bicubic", "lanczos")
_SPREAD = 9
"""Frames of a clip, at most, that a model is shown alone."""


@dataclass(frozen=True)
class ModelScores:
    """Of one model on one clip."""

    model: str
    frames: tuple[FrameScore, ...]


@dataclass(frozen=True)
class ScoredClip:
    """A clip and the scores on it."""

    files: ClipFiles
    width: int
    height: int
    frames: int
    scores: tuple[ModelScores, ...]
    """Of what there is without a model first."""


@dataclass(frozen=True)
class Progress:
    """How far a model is with a clip."""

    clip: str
    model: str
    frames: int
    expected: int


def load_models(
    names: Sequence[str],
    *,
    scale: int | None,
    device: str,
    precision: Precision,
    backend: Backend | None = None,
) -> list[Restorer]:
    """The models that are named, without plain resampling, which any comparison has.

    Raises what `load` raises, and UsageError if two go by one name.
    """
    trained = [name for name in dict.fromkeys(names) if name not in BASELINES]
    models = [
        load(name, device=device, precision=precision, scale=scale, backend=backend)
        for name in trained
    ]
    if len({name_of(model) for model in models}) < len(models):
        raise UsageError("Two weights files have one name: rename one, or score them one by one")
    return models


def name_of(model: Restorer) -> str:
    """What a model is called here; a weights file without its folder."""
    return Path(model.name).name


def common_task(models: Sequence[Restorer], scale: int | None) -> tuple[Task, int]:
    """What all the models do, and how much they enlarge; `scale` if they are none.

    Raises UsageError if they differ, for then they cannot be compared.
    """
    if not models:
        return "upscale", scale or 4
    task, factor = models[0].spec.task, scale or models[0].scale or 1
    for model in models:
        if model.spec.task != task:
            raise UsageError(
                f"{name_of(model)} is for {model.spec.task}, {name_of(models[0])} for {task}: "
                "score them one by one"
            )
        if model.scale != factor:
            raise UsageError(f"{name_of(model)} makes x{model.scale}, not x{factor}")
    return task, factor


def repeated(name: str) -> str:
    """The name under which a model is scored that is shown one frame again and again."""
    return f"{name} repeated"


def compare(
    models: Sequence[Restorer],
    files: Sequence[ClipFiles],
    conventions: Conventions,
    report: Callable[[Progress], None],
) -> Iterator[ScoredClip]:
    """Scores of the models on the clips, one clip held at a time.

    Raises InputError if a clip cannot be read, or is too short or too small.
    """
    for file in files:
        trial = conventions.trial(read_clip(file, conventions.scale, conventions.frames))
        contest = _Contest(trial, conventions.border, models[0].device if models else None, report)
        height, width = trial.truth.shape[-2:]
        yield ScoredClip(file, width, height, len(trial.truth), tuple(contest.scores(models)))


@dataclass(frozen=True)
class _Contest:
    """All models on one clip."""

    trial: Trial
    border: int
    device: torch.device | None
    report: Callable[[Progress], None]

    def scores(self, models: Sequence[Restorer]) -> Iterator[ModelScores]:
        """Of what there is without a model, then of the models."""
        if self.trial.task == "deblur":
            yield self._video(INPUT, self.trial.plain)
        else:
            for kernel in _KERNELS:
                yield self._video(kernel, partial(self.trial.plain, kernel=kernel))
        for model in models:
            yield self._video(name_of(model), model.stream)
            alone = model.spec.strategy == Window(radius=0)
            if self.trial.task != "deblur" and not alone:
                yield from self._repeated(model)

    def _video(self, name: str, restore: Restore) -> ModelScores:
        watched = self._watched(name, restore, len(self.trial.truth))
        scores = score_video(watched, self.trial, border=self.border, device=self.device)
        return ModelScores(name, tuple(scores))

    def _repeated(self, model: Restorer) -> Iterator[ModelScores]:
        """Scores of a model that sees no other frames than the one it restores; of a space-time
        model for the given frames, if any counts."""
        parts = {index: self.trial.part(index) for index in self.trial.scored}
        counting = [index for index, part in parts.items() if part != "new"]
        if not counting:
            return
        picked = counting[:: -(-len(counting) // _SPREAD)]
        stills = replace(
            self.trial,
            task="upscale",  # a picture for each given one
            given=self.trial.given[[self.trial.source(index) for index in picked]],
            truth=self.trial.truth[picked],
            scored=range(len(picked)),
        )
        name = repeated(name_of(model))
        watched = self._watched(name, partial(_each_alone, model), len(picked))
        scores = score_pictures(watched, stills, border=self.border, device=self.device)
        frames = zip(scores, picked, strict=True)
        told = tuple(replace(s, frame=index + 1, part=parts[index]) for s, index in frames)
        yield ModelScores(name, told)

    def _watched(self, name: str, restore: Restore, expected: int) -> Restore:
        """`restore`, telling of each frame."""

        def told(given: Tensor) -> Iterator[Tensor]:
            for done, restored in enumerate(restore(given)):
                self.report(Progress(self.trial.name, name, done, expected))
                yield restored

        return told


def _each_alone(model: Restorer, given: Tensor) -> Iterator[Tensor]:
    """The frames as the model restores each if all of the video looked like it."""
    strategy = model.spec.strategy
    match strategy:
        case Window():  # at the ends of a video, they repeat the end frame
            times = 1
        case Groups():
            times = strategy.size
        case _:
            times = REPEATS
    middle = times // 2 * (2 if model.spec.task == "space-time" else 1)
    for frame in given:
        yield list(model.stream([frame] * times))[middle]
