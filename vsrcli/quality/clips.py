"""Ground truth: where clips lie, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vsrcli.degradation.kernels import to_eight_bits
from vsrcli.errors import InputError
from vsrcli.media.color import to_rgb
from vsrcli.media.geometry import orient
from vsrcli.media.images import natural_key, open_source
from vsrcli.media.picture import SUFFIXES

FRAMES = 9
"""Frames of a clip on which models are validated while they are trained."""
_BLURRED, _SHARP = "_blur", "_sharp"
_LONGEST_PAIR = 24
_VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".mxf", ".ts", ".webm", ".y4m"}
"""Ends of video file names that a folder is searched for; a video that is named may have any."""
_MOST_BYTES = 4 << 30
"""Of a clip as it is held."""


@dataclass(frozen=True)
class Clip:
    """Ground truth to score on."""

    name: str
    frames: Tensor
    """(N, 3, H, W) in [0, 1], 8-bit values; H and W multiples of the scale."""
    blurred: Tensor | None = None
    """The same with motion blur, if the clip is for deblurring."""


@dataclass(frozen=True)
class ClipFiles:
    """Where a clip lies: a video, an image, or a folder of images."""

    truth: Path
    blurred: Path | None = None
    """Another such, if the clip comes with its blurred twin."""

    @property
    def name(self) -> str:
        """`x` of `x.mp4`, of a folder `x`, and of the pair `x_blur.mkv` and `x_sharp.mkv`."""
        name = self.truth.name if self.truth.is_dir() else self.truth.stem
        return name if self.blurred is None else name.removesuffix(_SHARP)


def find_clips(places: Sequence[Path], *, pairs: bool = False) -> list[ClipFiles]:
    """The clips at these places, in natural order: a place is one, or a folder of them.

    A folder that holds videos, or folders of images, holds clips; another with images is a clip.
    With `pairs`, `x_blur.mkv` and `x_sharp.mkv` beside each other are one clip, whichever is named.
    Raises InputError if a place is missing or empty, or two clips have one name.
    """
    found: dict[ClipFiles, None] = {}
    for place in places:
        for path in sorted(_clips_at(place, pairs), key=lambda path: natural_key(path.name)):
            twins = _twins(path) if pairs else None
            found[ClipFiles(path) if twins is None else ClipFiles(twins[1], twins[0])] = None
    names = [clip.name for clip in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two clips are called {name}; rename one, or score them one by one")
    return list(found)


def _clips_at(place: Path, pairs: bool) -> list[Path]:
    if not place.exists():
        raise InputError(f"{place}: no such file or folder")
    if not place.is_dir():
        return [place]
    files = [path for path in place.iterdir() if not path.name.startswith(".")]
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    clips = [path for path in files if path.suffix.lower() in _VIDEOS or _holds_images(path)]
    if pairs:
        clips += [path for path in images if _twins(path)]
    if not clips and not images:
        raise InputError(f"{place}: holds neither videos nor images nor folders of images")
    return clips or [place]


def _holds_images(path: Path) -> bool:
    return path.is_dir() and any(file.suffix.lower() in SUFFIXES for file in path.iterdir())


def _twins(path: Path) -> tuple[Path, Path] | None:
    """The blurred and the sharp one of two files of which `path` is one; None if it is none."""
    for ending in (_BLURRED, _SHARP):
        if path.stem.endswith(ending):
            name = path.stem.removesuffix(ending)
            blurred, sharp = (path.with_name(name + e + path.suffix) for e in (_BLURRED, _SHARP))
            return (blurred, sharp) if blurred.exists() and sharp.exists() else None
    return None


def read_clips(paths: Sequence[Path], scale: int, frames: int = FRAMES) -> list[Clip]:
    """The first `frames` frames of each video, cropped to multiples of `scale`.

    Raises InputError if one is missing or too short.
    """
    clips = []
    for path in paths:
        clip = read_clip(ClipFiles(path), scale, frames)
        if len(clip.frames) < frames:
            raise InputError(f"{path}: has {len(clip.frames)} frames, validation needs {frames}")
        clips.append(clip)
    return clips


def read_pairs(paths: Sequence[Path]) -> list[Clip]:
    """Pairs of blurred and sharp videos or pictures, one of each named: `x_blur.mkv` for that with
    `x_sharp.mkv` beside it. Of long ones the first 24 frames.

    Raises InputError if a name does not end so, a twin is missing, or the two do not match.
    """
    clips = []
    for path in paths:
        twins = _twins(path)
        if twins is None:
            raise InputError(
                f"{path}: deblurring needs pairs, x{_BLURRED}{path.suffix} and "
                f"x{_SHARP}{path.suffix} beside each other"
            )
        clips.append(read_clip(ClipFiles(twins[1], twins[0]), 1, _LONGEST_PAIR))
    return clips


def read_clip(files: ClipFiles, multiple: int, most: int | None = None) -> Clip:
    """The first `most` frames of a clip, cropped on the right and below to multiples of `multiple`.

    Raises InputError if a file cannot be read, or blurred and sharp frames do not match.
    """
    truth = _frames(files.truth, multiple, most)
    if files.blurred is None:
        return Clip(files.name, truth)
    blurred = _frames(files.blurred, multiple, most)
    if blurred.shape != truth.shape:
        raise InputError(
            f"{files.blurred} and {files.truth} differ: {_told(blurred)} and {_told(truth)}"
        )
    return Clip(files.name, truth, blurred)


def _told(pictures: Tensor) -> str:
    count, _, height, width = pictures.shape
    return f"{count} frames of {width}x{height}"


def _frames(path: Path, multiple: int, most: int | None) -> Tensor:
    """(N, 3, H, W) in [0, 1], 8-bit values, read as a job reads its input."""
    pictures: list[Tensor] = []
    with open_source(path) as source:
        video = source.info.video
        for frame in source:
            rgb = to_rgb([torch.from_numpy(p) for p in frame.planes], frame.format, video.color)
            upright = orient(rgb, video.orientation)
            height, width = (side // multiple * multiple for side in upright.shape[-2:])
            pictures.append(to_eight_bits(upright[:, :height, :width]))
            if len(pictures) == most:
                break
            if len(pictures) * pictures[0].numel() * pictures[0].element_size() > _MOST_BYTES:
                raise InputError(
                    f"{path}: more frames of {width}x{height} than are held at a time; "
                    f"score the first --frames {len(pictures) - 1}"
                )
    if source.lost:
        raise InputError(f"{path}: is damaged, packets lost: {source.lost}; truth must be whole")
    if not pictures:
        raise InputError(f"{path}: has no frames")
    if not pictures[0].numel():
        raise InputError(f"{path}: is smaller than {multiple} pixels")
    return torch.stack(pictures)
