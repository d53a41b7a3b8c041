"""How a model is tried on a clip, and what there is without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from vsrcli.networks.spec import Task
from vsrcli.ops.resize import Kernel, resize
from vsrcli.quality.clips import Clip

Restore = Callable[[Tensor], Iterable[Tensor]]
"""(N, 3, H, W) in [0, 1] -> the restored frames (3, s*H, s*W) in order: `Restorer.stream`."""
Degrade = Callable[[Tensor], Tensor]
"""(N, 3, s*H, s*W) in [0, 1] -> (N, 3, H, W), what the model gets to see."""
Part = Literal["all", "given", "new"]
"""Which frames: those that a space-time model was given, those that it made between them, or
all."""

MIDDLE = range(3, 6)
"""Of nine frames those that have three neighbors on each side, for all models alike."""


@dataclass(frozen=True)
class Trial:
    """What a model is given of a clip, and what is scored of its outputs."""

    name: str
    task: Task
    given: Tensor
    """(M, 3, H, W) in [0, 1]"""
    truth: Tensor
    """(N, 3, s*H, s*W): what the outputs should be."""
    scored: range
    """Which of them count."""

    def part(self, frame: int) -> Part:
        """What kind of frame an output is."""
        if self.task != "space-time":
            return "all"
        return "new" if frame % 2 else "given"

    def source(self, frame: int) -> int:
        """The number among `given` of the frame that an output shows; not of a new one."""
        return frame // 2 if self.task == "space-time" else frame

    def plain(self, given: Tensor, kernel: Kernel = "bicubic") -> Iterator[Tensor]:
        """What there is without a model, a frame for each of `truth`: the given ones enlarged like
        MATLAB's `imresize` (bicubic with a = -0.5), and between two of them, where a model makes a
        frame, their mean. When deblurring, the given ones."""
        size = (self.truth.shape[-2], self.truth.shape[-1])
        last: Tensor | None = None
        for frame in given:
            enlarged = resize(frame, size, kernel)
            if self.task == "space-time" and last is not None:
                yield (last + enlarged) / 2
            yield enlarged
            last = enlarged


def trial(clip: Clip, task: Task, degrade: Degrade, scored: range | None = None) -> Trial:
    """How a model of the task is tried on a clip.

    Upscaling: all frames are given, small. Space-time: every second one is, and the last of an even
    number is left out. Deblurring: the clip's blurred frames are given. Without `scored` the
    frames 4 to 6 count, when deblurring all.
    """
    truth = clip.frames
    if task == "deblur":
        assert clip.blurred is not None, "deblurring is tried on pairs"
        return Trial(clip.name, task, clip.blurred, truth, scored or range(len(truth)))
    if task == "space-time":
        truth = truth[: (len(truth) - 1) // 2 * 2 + 1]
    given = degrade(truth[::2] if task == "space-time" else truth)
    return Trial(clip.name, task, given, truth, scored or MIDDLE)
