"""Time `vsr upscale --model lanczos --scale 2` beside ffmpeg's own scaler, end to end.

    python examples/compare_lanczos_speed.py CLIP [--runs 3]

Both decode CLIP, enlarge it with a three-lobed Lanczos kernel and encode it with libx264 at the
same preset and quality, in turn, as whole processes: start-up included.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

ENCODER = ("-preset", "medium", "-crf", "17")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-y", "-loglevel", "error", "-i"]
    scale = ["-vf", "scale=iw*2:ih*2:flags=lanczos", "-c:v", "libx264", *ENCODER, "-c:a", "copy"]
    vsr = [sys.executable, "-m", "vsrcli.cli.main", "upscale"]
    ours = ["--model", "lanczos", "--scale", "2", "--preset", "medium", "--crf", "17"]
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.mp4"
        commands = {
            "ffmpeg": [*ffmpeg, str(arguments.clip), *scale, out],
            "vsr": [*vsr, str(arguments.clip), out, *ours, "--overwrite", "--quiet"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True)
                seconds[name].append(time.perf_counter() - started)
                print(f"{name}: {seconds[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"median: ffmpeg {medians['ffmpeg']:.2f} s, vsr {medians['vsr']:.2f} s")
    print(f"vsr runs at {medians['ffmpeg'] / medians['vsr']:.2f} of ffmpeg's speed")


if __name__ == "__main__":
    main()
