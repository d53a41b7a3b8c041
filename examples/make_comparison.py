"""Draw a detail of a clip: input, bicubic, models and ground truth beside each other.

    python examples/make_comparison.py CLIP OUT.png --crop X,Y,W,H [--frame 5] [--model tga-lite]

CLIP is the ground truth, X,Y,W,H are its pixels. The input is made of it as by `vsr eval`, and
shown in blocks. Under each picture stands the luma PSNR of the whole frame without 8 pixels on each
side. Needs matplotlib (`pip install 'vsrcli[report]'`) for the letters.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vsrcli.degradation.kernels import to_eight_bits
from vsrcli.quality.clips import ClipFiles, read_clip
from vsrcli.quality.conventions import Conventions
from vsrcli.quality.metrics import psnr_y
from vsrcli.restore.restorer import load

AFTER = 3
"""Frames after the drawn one that the models see."""
GAP, LINE = 6, 34
"""Pixels between the pictures, and under them for the letters."""
DPI = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--crop", required=True, metavar="X,Y,W,H")
    parser.add_argument("--frame", type=int, default=5, help="counted from 1")
    parser.add_argument("--model", action="append", help="repeatable")
    parser.add_argument("--degradation", default="bi")
    parser.add_argument("--precision", default="auto")
    arguments = parser.parse_args()
    x, y, width, height = map(int, arguments.crop.split(","))
    index = arguments.frame - 1
    models = [load(n, precision=arguments.precision) for n in arguments.model or ["tga-lite"]]
    conventions = Conventions("upscale", arguments.degradation, models[0].scale or 4)
    clip = read_clip(ClipFiles(arguments.clip), conventions.scale, arguments.frame + AFTER)
    tried = conventions.trial(clip)
    blocks = tried.given[index]
    for axis in (-1, -2):
        blocks = blocks.repeat_interleave(conventions.scale, axis)
    pictures = {"low resolution": blocks, "bicubic": list(tried.plain(tried.given))[index]}
    for model in models:
        pictures[Path(model.name).stem] = next(islice(model.stream(tried.given), index, None))
    truth = tried.truth[index]
    sheet = {}
    for name, picture in pictures.items():
        stored = to_eight_bits(picture.cpu())
        sheet[f"{name}\n{float(psnr_y(stored, truth, 8)):.2f} dB"] = stored
    sheet["ground truth"] = truth
    draw({t: p[:, y : y + height, x : x + width] for t, p in sheet.items()}, arguments.out)


def draw(pictures: dict[str, Tensor], target: Path) -> None:
    """Write pictures of one size (3, H, W) side by side, their names under them."""
    height, width = next(iter(pictures.values())).shape[-2:]
    total = (len(pictures) * (width + GAP) - GAP, height + LINE)
    figure = Figure(figsize=(total[0] / DPI, total[1] / DPI), dpi=DPI)
    for number, (text, picture) in enumerate(pictures.items()):
        left = number * (width + GAP)
        pixels = (picture * 255).round().to(torch.uint8).permute(1, 2, 0)
        figure.figimage(pixels.numpy(), left, LINE, origin="upper")
        middle = (left + width / 2) / total[0]
        figure.text(middle, (LINE - 4) / total[1], text, ha="center", va="top", fontsize=8)
    figure.savefig(target, dpi=DPI)


if __name__ == "__main__":
    main()
