"""Recorded runs of reference networks: inputs, outputs, and the parameters they were run with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parity_fill import clip, fill
from torch import Tensor

FOLDER = Path(__file__).parent / "fixtures" / "parity"


@dataclass(frozen=True)
class Fixture:
    """One reference run."""

    state: dict[str, Tensor]
    """Parameters under the reference's own key names and shapes."""
    arrays: dict[str, Tensor]
    """Recorded inputs and outputs."""
    tolerance: float
    """Largest difference from the recorded outputs."""
    meta: dict[str, Any]
    """The whole JSON file, for what only one fixture has."""

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]


def load_fixture(name: str) -> Fixture:
    """The fixture called `name`, its parameters filled in."""
    meta = json.loads((FOLDER / f"{name}.json").read_text())
    gain = meta.get("gain", {})
    state = {}
    for key, shape in meta["state"].items():
        value = fill(key, tuple(shape), meta["seed"])
        state[key] = torch.from_numpy(value * np.float32(gain[key]) if key in gain else value)
    with np.load(FOLDER / f"{name}.npz") as archive:
        arrays = {key: torch.from_numpy(archive[key]) for key in archive.files}
    for key, entry in meta["input"].items():
        name = entry.get("array", key)
        if name not in arrays:
            made = clip(entry["fill.clip"], tuple(entry["shape"]), entry["seed"])
            arrays[name] = torch.from_numpy(made)
    tolerance = meta["tolerance"]
    largest = tolerance["max_abs"] if isinstance(tolerance, dict) else tolerance
    return Fixture(state, arrays, largest, meta)
