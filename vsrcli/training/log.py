"""What a training tells of itself while it goes on: `log.jsonl`, a line of JSON at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.quality.evaluation import ClipScore
from vsrcli.training.state import Training, learning_rate

LOG = "log.jsonl"


class Log:
    """Lines of JSON in a file, and the same said to a person."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self.path = path
        self.report = report
        self.time = time.monotonic()
        self.losses: list[Tensor] = []
        self.samples = 0

    def step(self, loss: Tensor, samples: int) -> None:
        """Remember a step, without waiting for its loss."""
        self.losses.append(loss)
        self.samples += samples

    def progress(self, training: Training, share: float) -> None:
        """Tell of the steps since the last time."""
        loss = fmean(torch.stack(self.losses).tolist())  # waits for a card, so before the time
        now = time.monotonic()
        row = {
            "step": training.step,
            "seconds": round(training.seconds, 1),
            "share": round(share, 4),
            "rate": learning_rate(training.recipe, share),
            "loss": round(loss, 6),
            "samples_per_second": round(self.samples / (now - self.time), 2),
        }
        self._restart()
        self._write(row)

    def scores(self, training: Training, scores: Sequence[ClipScore]) -> None:
        """Tell how good the average is."""
        row = {
            "step": training.step,
            "seconds": round(training.seconds, 1),
            "gain": round(fmean(score.gain for score in scores), 4),
            "clips": {score.name: asdict(score) for score in scores},
        }
        self._write(row)
        self._restart()

    def note(self, training: Training, text: str) -> None:
        """Tell something in words."""
        self._write({"step": training.step, "seconds": round(training.seconds, 1), "note": text})

    def _restart(self) -> None:
        self.losses.clear()
        self.samples = 0
        self.time = time.monotonic()

    def _write(self, row: dict[str, Any]) -> None:
        with self.path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        self.report(json.dumps(row))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; raises InputError if there is none."""
    if not path.is_file():
        raise InputError(f"{path}: no such log; train first, with vsr train")
    rows = []
    for line in path.read_text().splitlines():
        # A run that was killed leaves half a line.
        with suppress(ValueError):
            rows.append(json.loads(line))
    return rows
