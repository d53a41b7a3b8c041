"""Train several networks at once on one machine, for some minutes, and export what they are then.

    python examples/train_side_by_side.py MINUTES "NAME [OPTION ...]" ... [-- OPTION ...]

Each quoted part is what one would say to `vsr train`; the options after `--` are for all of them.
NAME trains in runs/NAME, its output goes to runs/NAME.txt and its weights to runs/NAME.safetensors.
Those not done after MINUTES are interrupted with a checkpoint: the same command goes on with them.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vsrcli.errors import VsrError
from vsrcli.training.checkpoint import export

RUNS = Path("runs")
TOLD = 4
"""Lines of each training's output that are repeated at the end."""
ENDS = {0: "done", 130: "interrupted; the same command goes on with it"}


def main() -> None:
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    if split < 2:
        sys.exit(__doc__)
    minutes, trainings = float(words[0]), [shlex.split(text) for text in words[1:split]]
    RUNS.mkdir(exist_ok=True)
    codes = run(trainings, words[split + 1 :], 60 * minutes)
    for name, code in codes.items():
        print(f"{name}: {ENDS.get(code, f'failed with code {code}')}")
        print("".join((RUNS / f"{name}.txt").read_text().splitlines(True)[-TOLD:]), end="")
        try:
            export(RUNS / name, RUNS / f"{name}.safetensors")
        except VsrError as error:
            print(error)
    sys.exit(any(code not in ENDS for code in codes.values()))


def run(
    trainings: Sequence[Sequence[str]], common: Sequence[str], seconds: float
) -> dict[str, int]:
    """How each training ended, by name."""
    end = time.monotonic() + seconds
    running = {words[0]: start(words, common) for words in trainings}
    try:
        for process in running.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.terminate()
    finally:
        for process in running.values():
            process.terminate()
    return {name: process.wait() for name, process in running.items()}


def start(words: Sequence[str], common: Sequence[str]) -> subprocess.Popen[bytes]:
    name = words[0]
    command = [sys.executable, "-m", "vsrcli.cli.main", "train", *words, *common]
    with (RUNS / f"{name}.txt").open("wb") as output:
        return subprocess.Popen([*command, "--out", str(RUNS / name)], stderr=output)


if __name__ == "__main__":
    main()
