"""Time how long `vsr upscale` takes to its first restored frame, start-up included.

    python examples/time_first_frame.py [MODEL ...] [--clip CLIP] [--runs 3]

`default` is what is taken without `--model`. The command writes images one by one, so that the
first is there soon after its frame; it is stopped then. One run of each, not counted, goes before:
files that were not read for long are another matter.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLIP = Path(__file__).parent / "bunny.mp4"
AT_ONCE = ["--encoder-option", "threads=1", "--encoder-option", "compression_level=1"]
"""Several threads would hold images back."""
LONGEST = 120.0
"""Seconds until a command that made no frame is given up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["default", "fstrn", "tga-lite", "tga"])
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    for model in arguments.models:
        chosen = [] if model == "default" else ["--model", model]
        _, *seconds = (_first_frame(arguments.clip, chosen) for _ in range(arguments.runs + 1))
        print(
            f"{model}: {statistics.median(seconds):.2f} s to the first frame "
            f"({min(seconds):.2f} to {max(seconds):.2f})",
            flush=True,
        )


def _first_frame(clip: Path, chosen: list[str]) -> float:
    """Seconds from the start of the command until its first image is there."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "vsrcli.cli.main", "upscale", str(clip)]
        command += [f"{folder}/out/%04d.png", *AT_ONCE, *chosen, "--quiet"]
        started = time.perf_counter()
        process = subprocess.Popen(command)
        try:
            while not any(Path(folder).rglob("*.png")):
                if process.poll() or time.perf_counter() - started > LONGEST:
                    sys.exit(f"No frame came out of {clip}")
                time.sleep(0.005)
            return time.perf_counter() - started
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
