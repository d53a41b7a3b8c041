"""Time `vsr upscale --model lanczos --scale 2` beside ffmpeg's own scaler, end to end.

    python examples/compare_lanczos_speed.py CLIP [--runs 3]

Both decode CLIP, enlarge it with a three-lobed Lanczos kernel and encode it with libx264 at the
same preset and quality, in turn, as whole processes: start-up included. Processor seconds are told
too: other work on the machine changes them less.
"""

from __future__ import annotations

import argparse
import resource
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
        worked: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.runs):
            for name, command in commands.items():
                before, started = _work(), time.perf_counter()
                subprocess.run(command, check=True)
                seconds[name].append(time.perf_counter() - started)
                worked[name].append(_work() - before)
                print(
                    f"{name}: {seconds[name][-1]:.2f} s, CPU {worked[name][-1]:.2f} s", flush=True
                )
    for what, taken in (("time", seconds), ("CPU time", worked)):
        ffmpeg_s, vsr_s = (statistics.median(taken[name]) for name in ("ffmpeg", "vsr"))
        print(
            f"median {what}: ffmpeg {ffmpeg_s:.2f} s, vsr {vsr_s:.2f} s,"
            f" a speed of {ffmpeg_s / vsr_s:.2f} of ffmpeg's"
        )


def _work() -> float:
    """Processor seconds of all the processes that have ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
