"""Draw one frame of a clip enlarged four times: nearest pixel, bicubic, and models.

python examples/make_comparison.py CLIP OUT.png [--frame 24] [--crop X,Y,W,H] [--model tga-lite]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import av
import torch
from torch import Tensor

from vsrcli.media.color import to_rgb
from vsrcli.media.images import open_source
from vsrcli.restore.restorer import load

GAP = 6
"""White pixels between the pictures."""


def read_frames(clip: Path, count: int) -> list[Tensor]:
    """The first `count` frames, (3, H, W) in [0, 1]."""
    frames: list[Tensor] = []
    with open_source(clip) as source:
        for frame in source:
            planes = [torch.from_numpy(plane) for plane in frame.planes]
            frames.append(to_rgb(planes, frame.format, source.info.video.color).clamp(0, 1))
            if len(frames) == count:
                break
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frame", type=int, default=24)
    parser.add_argument("--crop", default="", help="X,Y,W,H in input pixels")
    parser.add_argument("--model", action="append")
    arguments = parser.parse_args()
    frames = read_frames(arguments.clip, arguments.frame + 4)
    frame = frames[arguments.frame]
    pictures = [frame.repeat_interleave(4, 1).repeat_interleave(4, 2)]
    for model in ["bicubic", *(arguments.model or ["tga-lite"])]:
        restored = list(load(model).stream(frames[-8:]))
        pictures.append(restored[-4].clamp(0, 1).cpu())
    if arguments.crop:
        x, y, width, height = (4 * int(part) for part in arguments.crop.split(","))
        pictures = [picture[:, y : y + height, x : x + width] for picture in pictures]
    white = torch.ones(3, pictures[0].shape[1], GAP)
    row = [part for picture in pictures for part in (picture, white)][:-1]
    sheet = (torch.cat(row, 2) * 255).round().to(torch.uint8).permute(1, 2, 0)
    av.VideoFrame.from_ndarray(sheet.contiguous().numpy(), format="rgb24").save(arguments.out)


if __name__ == "__main__":
    main()
