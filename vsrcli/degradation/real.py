"""Everyday compressed video made from clean clips: a camera's blur and noise, fewer pixels, then a
real encoder.

Every random choice is drawn on the CPU from the generator given, so a run can be resumed exactly;
but the noise of a clip on a card is not that of the same clip on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vsrcli.degradation.camera import seen_by_camera
from vsrcli.degradation.compression import Codec, Compression, coded, compressed_as
from vsrcli.degradation.draws import happens, integer, pick, uniform
from vsrcli.degradation.kernels import to_eight_bits
from vsrcli.degradation.mosaic import BLOCK, SIDE, cut_out, lay_out
from vsrcli.degradation.planes import from_planes, to_planes
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

_UNCOMPRESSED = 0.15
"""Share of clips, so that a network leaves pictures alone that have nothing to repair."""


@dataclass(frozen=True)
class _Usage:
    """How much a codec is met with, and how good it then is."""

    share: float
    qualities: tuple[int, int]
    """From hardly seen to plainly seen, all as likely; see `Compression.quality`."""


_CODECS: Mapping[Codec, _Usage] = {
    "h264": _Usage(0.45, (18, 35)),  # phones, cameras, nearly all of the web
    "hevc": _Usage(0.2, (20, 37)),  # newer phones; its numbers are some 2 higher for the same look
    "mpeg2": _Usage(0.15, (2, 10)),  # DVD and broadcast
    "mpeg4": _Usage(0.1, (2, 10)),  # DivX and Xvid files, old cameras and phones
    "mjpeg": _Usage(0.1, (2, 12)),  # old cameras, webcams, microscopes
}
_PRESETS = {"ultrafast": 1.0, "superfast": 1.0, "veryfast": 2.0}
"""Shares. Slower ones, which sites use, take longer to leave about the same artifacts."""
_INTERVALS = (6, 250)
"""Frames from one key frame to the next: 12 to 15 of DVDs and cameras, 250 of x264, and between.
Drawn so that each doubling is as likely, for the key frames' flicker is to be learnt from few
frames."""
_LEAD = 4
"""Most frames before a clip, so that it begins with a key frame now and then only."""


def real(clip: Tensor, scale: int, generator: torch.Generator) -> Tensor:
    """A clip (T, 3, H, W) in [0, 1] as everyday video: (T, 3, H/scale, W/scale), 8-bit values in
    [0, 1], on the clip's device.

    Raises ValueError if H or W is no multiple of `scale`, OutputError if an encoder is lacking.
    """
    low = seen_by_camera(clip, _size(clip, scale), generator)
    compression = _draw(len(clip), generator)
    return compressed_as(low, compression) if compression else to_eight_bits(low)


def real_batch(clips: Tensor, scale: int, generator: torch.Generator) -> Tensor:
    """As `real`, for many clips of a few frames: (B, T, 3, H, W) -> (B, T, 3, H/scale, W/scale).

    Every clip has a camera of its own; four at a time share an encoder, and so bits: a clip beside
    a busy one comes out a little coarser. May be called from several threads.
    """
    size = _size(clips, scale)
    low = torch.stack([seen_by_camera(clip, size, generator) for clip in clips])
    count, together = len(clips), SIDE**2
    # The last group is filled up with the last clip.
    chosen = torch.arange(-(-count // together) * together).clamp(max=count - 1)
    groups = low[chosen.to(low.device)].unflatten(0, (-1, together))
    offsets = [(integer(0, BLOCK - 1, generator), integer(0, BLOCK - 1, generator)) for _ in groups]
    compressions = [_draw(clips.shape[1], generator) for _ in groups]
    laid_out = [
        to_planes(lay_out(rgb_to_ycbcr(group.clamp(0, 1)), offset))
        for group, offset in zip(groups, offsets, strict=True)
    ]
    made = [
        ycbcr_to_rgb(cut_out(from_planes(planes), size, offset)) if compression else group
        for planes, offset, compression, group in zip(
            _coded(torch.stack(laid_out), compressions), offsets, compressions, groups, strict=True
        )
    ]
    return to_eight_bits(torch.cat(made)[:count])


def _coded(planes: Tensor, compressions: Sequence[Compression | None]) -> Tensor:
    """Planes (N, T, H, W) after encoders and decoders. They go to the CPU and back all at once, for
    each way waits until a card has done what it was told before."""
    made = [
        coded(clip, compression) if compression else clip
        for clip, compression in zip(planes.cpu().numpy(), compressions, strict=True)
    ]
    return torch.from_numpy(np.stack(made)).to(planes.device)


def _size(clip: Tensor, scale: int) -> tuple[int, int]:
    height, width = clip.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(f"{width}x{height} is no multiple of {scale}")
    return height // scale, width // scale


def _draw(frames: int, generator: torch.Generator) -> Compression | None:
    """For a clip of so many frames; None: leave it as it is."""
    if happens(_UNCOMPRESSED, generator):
        return None
    codec = pick({codec: usage.share for codec, usage in _CODECS.items()}, generator)
    finest, coarsest = _CODECS[codec].qualities
    shortest, longest = _INTERVALS
    return Compression(
        codec,
        quality=integer(finest, coarsest, generator),
        preset=pick(_PRESETS, generator),
        interval=round(shortest * (longest / shortest) ** uniform(0, 1, generator)),
        lead=integer(0, min(_LEAD, frames - 1), generator),
    )
