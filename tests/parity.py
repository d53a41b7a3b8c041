"""Recorded runs of reference networks: inputs, outputs, and the parameters they were run with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

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
        if key not in arrays:
            made = clip(entry["fill.clip"], tuple(entry["shape"]), entry["seed"])
            arrays[key] = torch.from_numpy(made)
    return Fixture(state, arrays, meta["tolerance"])
