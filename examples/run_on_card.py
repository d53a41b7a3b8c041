"""All that wants a graphics card, in one command: tests, benches, precision, the plain writings.

    python examples/run_on_card.py OUT_FOLDER [--skip tests,bench,job,...] [--clip CLIP]

Every part writes its log or JSON into OUT_FOLDER and goes on to the next when it fails; the exit
code is 1 if any did. `vsr bench --json` files from there belong into examples/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from itertools import product
from pathlib import Path

import torch

from vsrcli.bench.frames import moving_picture
from vsrcli.bench.subjects import different_names, find_subject
from vsrcli.bench.timing import Effort, marks_for, time_stream
from vsrcli.quality.clips import ClipFiles, read_clip
from vsrcli.restore.device import Precision
from vsrcli.restore.restorer import NAMES, load

EXAMPLES = Path(__file__).parent
CLIP = EXAMPLES / "bunny.mp4"
PARTS = ("tests", "bench", "job", "precision", "graphs", "plain")
FRAMES = 12
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skip", default="", help=f"of {','.join(PARTS)}")
    parser.add_argument("--clip", type=Path, default=CLIP, help="for the whole jobs")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    skipped = arguments.skip.split(",")
    failed = [
        part
        for part in PARTS
        if part not in skipped and not run_part(part, folder, arguments.clip.resolve())
    ]
    print(f"failed: {', '.join(failed)}" if failed else "all well", flush=True)
    sys.exit(bool(failed))


def run_part(part: str, folder: Path, clip: Path) -> bool:
    """Whether it went well; says how long it took."""
    started = time.perf_counter()
    if part in WRITTEN_HERE:
        try:
            WRITTEN_HERE[part](folder / f"{part}.json")
            well = True
        except Exception:
            traceback.print_exc()
            well = False
    else:
        log = folder / f"{part}.log"
        # A list: a failure does not keep the commands after it from being run.
        well = all([logged(command, log) for command in commands(part, folder, clip)])
    print(f"{part}: {time.perf_counter() - started:.0f} s", flush=True)
    return well


def commands(part: str, folder: Path, clip: Path) -> list[list[str]]:
    """What is run for a part, one after another."""
    vsr = [sys.executable, "-m", "vsrcli.cli.main"]
    if part == "tests":
        return [[sys.executable, "-m", "pytest", "-m", "cuda"]]
    if part == "bench":
        sizes = [word for size in ("320x180", "640x360", "1280x720") for word in ("--size", size)]
        return [[*vsr, "bench", "--device", "cuda", *sizes, "--json", str(folder / "models.json")]]
    if part == "job":
        models = ",".join(different_names())
        job = ["--pipeline", str(clip), "--model", models, "--json", str(folder / "jobs.json")]
        return [[*vsr, "bench", "--device", "cuda", *job]]
    script = [sys.executable, str(EXAMPLES / "compare_network_speed.py"), "--device", "cuda"]
    plain = [*script, "--size", "320x180"]
    return [plain, [*plain, "--plain-precision", "fp16"]]


def logged(command: list[str], log: Path) -> bool:
    """Run a command from the checkout's root, its words added to the log and shown; whether it
    ended well."""
    environment = {**os.environ, "VSR_REQUIRE_CUDA": "1", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        command,
        cwd=EXAMPLES.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with log.open("a", encoding="utf-8") as file:
        file.write(done.stdout)
    print(done.stdout, flush=True)
    return done.returncode == 0


def write_precision(target: Path) -> None:
    """How far each model on the card, in each precision, is from itself on the CPU in fp32: the
    largest and the mean difference on real frames, in units of 1/255, and what it warned of."""
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as untrained:
        for name in different_names():
            weights = find_subject(name, Path(untrained)).weights
            found[name] = differences(name, weights)
            print(name, json.dumps(found[name]), flush=True)
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def write_graphs(target: Path) -> None:
    """Milliseconds for each output frame of a 320x180 input in fp16, with CUDA graphs where they
    pay and without, one frame at a time and batched, with and without cuDNN's own search."""
    device = torch.device("cuda")
    frames = moving_picture(320, 180, device)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as untrained:
        for name, search, graphs, batch in product(
            different_names(), (False, True), (False, True), (1, None)
        ):
            torch.backends.cudnn.benchmark = search
            weights = find_subject(name, Path(untrained)).weights
            restorer = load(name, weights, "cuda", "fp16", batch=batch)
            restorer.graphs = restorer.graphs and graphs
            timing = time_stream(restorer.stream, frames, Effort(), marks_for(device))
            case = f"{'graphs' if graphs else 'eager'}, batch {batch or 'auto'}"
            case += ", searched" if search else ""
            found.setdefault(name, {})[case] = 1000 * timing.seconds
            print(name, case, f"{1000 * timing.seconds:.2f} ms", *restorer.warnings, flush=True)
    torch.backends.cudnn.benchmark = False
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


WRITTEN_HERE = {"precision": write_precision, "graphs": write_graphs}


def differences(name: str, weights: Path | None) -> dict[str, object]:
    """Those of one model, by precision."""
    frames = read_clip(ClipFiles(CLIP), 1, FRAMES).frames
    exact = torch.stack(list(load(name, weights, "cpu", "fp32").stream(frames)))
    found: dict[str, object] = {}
    for precision in PRECISIONS:
        restorer = load(name, weights, "cuda", precision)
        made = torch.stack([frame.cpu() for frame in restorer.stream(frames)])
        difference = 255 * (made - exact).abs()
        found[precision] = {
            "largest": float(difference.max()),
            "mean": float(difference.mean()),
            "ran_in": NAMES[restorer.dtype],
            "warnings": restorer.warnings,
        }
    return found


if __name__ == "__main__":
    main()
