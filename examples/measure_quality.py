"""Score models on clips that are their own ground truth.

    python examples/measure_quality.py --model tga-lite CLIP [CLIP ...] [--json FILE]

Each clip's first nine frames are made four times smaller (`bi`: antialiased bicubic on the
half-pixel grid, rounded to 8 bits as video is), enlarged again, and compared with the original:
luma PSNR and SSIM (BT.601 luma, unrounded, peak 255) of frames 4 to 6 without an 8-pixel border.
`repeated` is the same network shown the middle frame seven times: what it gains over that comes
from the other frames.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean

from torch import Tensor

from vsrcli.quality.evaluation import evaluate, read_clips
from vsrcli.restore.restorer import load
from vsrcli.training.degradation import degrade


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    restorer = load(arguments.model, device=arguments.device, precision=arguments.precision)
    scale, radius = restorer.spec.scales[0], restorer.spec.strategy.radius
    clips = read_clips(arguments.clips, scale)
    shrink = partial(degrade, kind="bi", scale=scale)

    def repeated(window: Tensor) -> Tensor:
        middle = window[:, radius : radius + 1]
        return restorer.network(middle.expand_as(window))

    options = {"radius": radius, "device": restorer.device}
    scores = evaluate(restorer.network, clips, shrink, **options)
    alone = evaluate(repeated, clips, shrink, **options)
    print(f"{'clip':12} {'bicubic':>14} {arguments.model:>14} {'gain':>6} {'repeated':>9}")
    for score, single in zip(scores, alone, strict=True):
        print(
            f"{score.name:12} {score.bicubic_psnr:7.2f} {score.bicubic_ssim:.4f} "
            f"{score.psnr:7.2f} {score.ssim:.4f} {score.gain:+6.2f} {single.psnr:9.2f}"
        )
    print(f"mean gain over bicubic {fmean(score.gain for score in scores):+.2f} dB")
    if arguments.json:
        rows = [
            {**asdict(score), "repeated_psnr": single.psnr}
            for score, single in zip(scores, alone, strict=True)
        ]
        arguments.json.write_text(json.dumps({"model": arguments.model, "clips": rows}, indent=1))


if __name__ == "__main__":
    main()
