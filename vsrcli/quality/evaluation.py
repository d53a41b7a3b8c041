"""Scores of a model on clips with known ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import av
import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.networks.spec import Task
from vsrcli.ops.resize import resize
from vsrcli.quality.metrics import psnr_y, ssim_y

Restore = Callable[[Tensor], Iterable[Tensor]]
"""(N, 3, H, W) in [0, 1] -> the restored frames (3, s*H, s*W) in order: `Restorer.stream`."""
Degrade = Callable[[Tensor], Tensor]
"""(N, 3, s*H, s*W) in [0, 1] -> (N, 3, H, W), what the model gets to see."""

FRAMES = 9
"""Frames of a clip that are given to the model."""
_SCORED = (3, 4, 5)
"""Those that count: with three neighbours on each side, for all models alike."""
_BLURRED, _SHARP = "_blur", "_sharp"
_LONGEST_PAIR = 24


@dataclass(frozen=True)
class Clip:
    """Ground truth to score on."""

    name: str
    frames: Tensor
    """(N, 3, H, W) in [0, 1], H and W multiples of the scale."""
    blurred: Tensor | None = None
    """The same with motion blur, if the clip is for deblurring."""


@dataclass(frozen=True)
class ClipScore:
    """Means over the scored frames of a clip: luma PSNR in dB and luma SSIM."""

    name: str
    psnr: float
    ssim: float
    plain_psnr: float
    """Of what there is without the model, see `trial`."""
    plain_ssim: float

    @property
    def gain(self) -> float:
        """dB that the model adds."""
        return self.psnr - self.plain_psnr


class Scored(NamedTuple):
    """An output frame that counts."""

    name: str
    """Towards which score."""
    output: int
    """Which of the outputs it is."""
    truth: Tensor
    """(3, H, W), as the next."""
    plain: Tensor


@dataclass(frozen=True)
class Trial:
    """What a model is given of a clip, and what is scored of its outputs."""

    given: Tensor
    """(N, 3, H, W) in [0, 1]"""
    scored: Sequence[Scored]


def read_clips(paths: Sequence[Path], scale: int, frames: int = FRAMES) -> list[Clip]:
    """The first `frames` frames of each video, cropped to multiples of `scale`.

    Raises InputError if one is missing or too short.
    """
    clips = []
    for path in paths:
        pictures = _frames(path, frames)
        if len(pictures) < frames:
            raise InputError(f"{path}: has {len(pictures)} frames, validation needs {frames}")
        height, width = (side // scale * scale for side in pictures.shape[-2:])
        clips.append(Clip(path.stem, pictures[..., :height, :width].contiguous()))
    return clips


def read_pairs(paths: Sequence[Path]) -> list[Clip]:
    """Blurred videos or pictures, each with its sharp twin, which lies beside it: `x_sharp.mkv`
    for `x_blur.mkv`. Of long ones the first 24 frames.

    Raises InputError if a name does not end so, a file is missing, or the two do not match.
    """
    clips = []
    for path in paths:
        if not path.stem.endswith(_BLURRED):
            raise InputError(
                f"{path}: for deblurring, name the blurred file, x{_BLURRED}{path.suffix}; "
                f"x{_SHARP}{path.suffix} beside it is the truth"
            )
        name = path.stem.removesuffix(_BLURRED)
        twin = path.with_name(name + _SHARP + path.suffix)
        blurred, sharp = (_frames(file, _LONGEST_PAIR) for file in (path, twin))
        if blurred.shape != sharp.shape:
            raise InputError(f"{path} and {twin} differ: {_told(blurred)} and {_told(sharp)}")
        clips.append(Clip(name, sharp, blurred))
    return clips


def _told(pictures: Tensor) -> str:
    count, _, height, width = pictures.shape
    return f"{count} frames of {width}x{height}"


def _frames(path: Path, most: int) -> Tensor:
    """The first frames of a video, (N, 3, H, W) in [0, 1]."""
    try:
        with av.open(str(path)) as container:
            pictures = [
                torch.from_numpy(frame.reformat(format="rgb24").to_ndarray())
                for frame in islice(container.decode(video=0), most)
            ]
    except (OSError, IndexError, av.FFmpegError) as error:
        raise InputError(f"{path}: cannot be read as a validation clip ({error})") from error
    if not pictures:
        raise InputError(f"{path}: has no frames")
    return torch.stack(pictures).permute(0, 3, 1, 2).float() / 255


def trial(clip: Clip, task: Task, degrade: Degrade) -> Trial:
    """How a model of the task is tried on a clip, and beside what its outputs are put.

    Upscaling: all frames are given, small; frames 4 to 6 count, beside MATLAB's bicubic (a = -0.5).
    Space-time: every second frame is given, small; the same frames count, the given and the new
    ones apart, the new ones beside the mean of their two neighbors, enlarged like that.
    Deblurring: all frames count, beside the blurred ones.
    """
    if task == "deblur":
        assert clip.blurred is not None, "deblurring is tried on pairs"
        pairs = zip(clip.frames, clip.blurred, strict=True)
        return Trial(clip.blurred, [Scored(clip.name, i, *pair) for i, pair in enumerate(pairs)])
    small = degrade(clip.frames)
    size = (clip.frames.shape[-2], clip.frames.shape[-1])
    if task == "upscale":
        bicubic = [Scored(clip.name, i, clip.frames[i], resize(small[i], size)) for i in _SCORED]
        return Trial(small, bicubic)
    given = small[::2]
    scored = []
    for i in _SCORED:
        blend = resize((given[i // 2] + given[(i + 1) // 2]) / 2, size)
        kind = "new" if i % 2 else "given"
        scored.append(Scored(f"{clip.name} {kind}", i, clip.frames[i], blend))
    return Trial(given, scored)


@torch.no_grad()
def evaluate(
    restore: Restore,
    trials: Sequence[Trial],
    *,
    border: int = 8,
    device: torch.device | None = None,
) -> list[ClipScore]:
    """Scores of `restore`; `border` pixels on each side of a frame are not scored."""
    rows: dict[str, list[list[float]]] = {}
    for tried in trials:
        wanted = {scored.output: scored for scored in tried.scored}
        outputs = islice(restore(tried.given.to(device)), max(wanted) + 1)
        for index, restored in enumerate(outputs):
            if index in wanted:
                name, _, truth, plain = wanted[index]
                row = _row(restored.float(), plain.to(device), truth.to(device), border)
                rows.setdefault(name, []).append(row)
    return [
        ClipScore(name, *(fmean(column) for column in zip(*scores, strict=True)))
        for name, scores in rows.items()
    ]


def _row(restored: Tensor, plain: Tensor, truth: Tensor, border: int) -> list[float]:
    return [
        float(metric(picture, truth, border))
        for picture in (restored, plain)
        for metric in (psnr_y, ssim_y)
    ]
