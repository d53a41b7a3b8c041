"""Cutting pictures for the training set: which parts of a film move and have texture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from vsrcli.errors import InputError

Pixels = NDArray[np.uint8]

FRAMES = 7
SIZE = 192
"""A clip is FRAMES frames of SIZE x SIZE: room for shifted crops of the usual 128 pixels."""

_LEAST_MOTION = 0.7
"""Mean change of luma from frame to frame, in code values, below which nothing is learnt."""
_CUT = 30.0
"""Mean change of luma, in code values, above which two frames belong to different shots."""
_LEAST_TEXTURE = 2.0
"""Mean luma gradient in code values a pixel; out-of-focus backgrounds lie below."""


def shrunk_frames(path: Path, shrink: float) -> Iterator[Pixels]:
    """The frames of a film or picture as (height, width, 3) RGB, shrunk by an antialiased bicubic.

    Untagged video is taken for BT.709 at 720 lines and above.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                yield _rgb(frame, shrink)
    except av.FFmpegError as error:
        raise InputError(f"{path}: cannot be decoded ({error}); get the file again") from error


def _rgb(frame: av.VideoFrame, shrink: float) -> Pixels:
    matrix = frame.colorspace
    if matrix == 2 and frame.format.name.startswith("yuv") and frame.height >= 720:
        matrix = 1
    full_range = frame.format.name.startswith("yuvj") or frame.color_range == 2
    small = frame.reformat(
        width=round(frame.width / shrink),
        height=round(frame.height / shrink),
        format="rgb24",
        src_colorspace=matrix,
        src_color_range=2 if full_range else 1,
        dst_color_range=2,
        interpolation="BICUBIC",
    )
    return np.asarray(small.to_ndarray(), np.uint8)


def moving_clips(frames: Iterator[Pixels], clips_per_window: int) -> Iterator[Pixels]:
    """The best clips (FRAMES, SIZE, SIZE, 3) of each run of FRAMES frames that has any.

    A clip must move, must have texture, and must not lie across a cut. Those of one run overlap
    by half at most.
    """
    window: list[Pixels] = []
    for frame in frames:
        window.append(frame)
        if len(window) == FRAMES:
            yield from _best(np.stack(window), clips_per_window)
            window = []


def _best(window: Pixels, count: int) -> Iterator[Pixels]:
    luma = window @ np.array([0.299, 0.587, 0.114], np.float32)  # (FRAMES, H, W)
    change = np.abs(np.diff(luma, axis=0))
    if change.mean(axis=(1, 2)).max() > _CUT:
        return
    center = luma[FRAMES // 2]
    texture = np.abs(np.diff(center, axis=0))[:, :-1] + np.abs(np.diff(center, axis=1))[:-1]
    rated = []
    for top in _offsets(window.shape[1]):
        for left in _offsets(window.shape[2]):
            part = (slice(top, top + SIZE), slice(left, left + SIZE))
            motion = float(change[:, part[0], part[1]].mean())
            detail = float(texture[part].mean())
            if motion >= _LEAST_MOTION and detail >= _LEAST_TEXTURE:
                rated.append((detail * min(motion, 4.0) ** 0.5, top, left))
    kept: list[tuple[int, int]] = []
    for _, top, left in sorted(rated, reverse=True):
        if len(kept) == count:
            break
        if all(max(abs(top - t), abs(left - x)) >= SIZE // 2 for t, x in kept):
            kept.append((top, left))
            yield window[:, top : top + SIZE, left : left + SIZE]


def _offsets(length: int) -> list[int]:
    steps = max(2, round((length - SIZE) / (SIZE / 2)) + 1)
    return [round(step * (length - SIZE) / (steps - 1)) for step in range(steps)]


def still(path: Path, frame: int, long_side: int) -> Pixels:
    """One picture as (height, width, 3) RGB, shrunk to `long_side`, but at least by a third."""
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        native = max(codec.width, codec.height)
    frames = shrunk_frames(path, max(1.5, native / long_side))
    for index, pixels in enumerate(frames):
        if index == frame:
            return pixels
    raise InputError(f"{path}: has no frame {frame}; fetch its package again")
