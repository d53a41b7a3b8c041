"""Score models on clips with known ground truth.

    python examples/measure_quality.py --model tga-lite CLIP [CLIP ...] [--json FILE]

A clip is a video; its first nine frames are made smaller (`bi`: antialiased bicubic on the
half-pixel grid, rounded to 8 bits as video is), enlarged again, and compared with the original:
luma PSNR and SSIM (BT.601 luma, unrounded, peak 255) of frames 4 to 6 without an 8-pixel border.
A space-time model is given every second of the nine frames, and what it makes of the given and of
the new ones is scored apart. For a deblurring model a clip is x_blur.mkv, which is compared, all
of it, with x_sharp.mkv beside it.

`plain` is what there is without the model: bicubic, the mean of the two neighbors enlarged by
bicubic, or the blurred frame. `repeated` is the same model shown nothing but the one frame, again
and again: what it gains over that comes from the other frames.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean

from torch import Tensor

from vsrcli.degradation.kernels import degrade
from vsrcli.quality.evaluation import FRAMES, evaluate, read_clips, read_pairs, trial
from vsrcli.restore.restorer import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--scale", type=int, help="for models that come in several")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    restorer = load(
        arguments.model,
        device=arguments.device,
        precision=arguments.precision,
        scale=arguments.scale,
        scene_detection=False,
    )
    task, scale = restorer.spec.task, restorer.scale or arguments.scale or 4
    clips = read_pairs(arguments.clips) if task == "deblur" else read_clips(arguments.clips, scale)
    trials = [trial(clip, task, partial(degrade, kind="bi", scale=scale)) for clip in clips]

    def repeated(given: Tensor) -> Iterator[Tensor]:
        for frame in given:
            yield list(restorer.stream([frame] * FRAMES))[FRAMES // 2]

    rows = [asdict(score) for score in evaluate(restorer.stream, trials, device=restorer.device)]
    if restorer.rate == 1:
        alone = evaluate(repeated, trials, device=restorer.device)
        for row, single in zip(rows, alone, strict=True):
            row["repeated_psnr"] = single.psnr
    print(f"{'clip':16} {'plain':>14} {arguments.model:>14} {'gain':>6} {'repeated':>9}")
    for row in rows:
        print(
            f"{row['name']:16} {row['plain_psnr']:7.2f} {row['plain_ssim']:.4f} "
            f"{row['psnr']:7.2f} {row['ssim']:.4f} {row['psnr'] - row['plain_psnr']:+6.2f} "
            + (f"{row['repeated_psnr']:9.2f}" if "repeated_psnr" in row else "")
        )
    print(f"mean gain {fmean(row['psnr'] - row['plain_psnr'] for row in rows):+.2f} dB")
    if arguments.json:
        arguments.json.write_text(json.dumps({"model": arguments.model, "clips": rows}, indent=1))


if __name__ == "__main__":
    main()
