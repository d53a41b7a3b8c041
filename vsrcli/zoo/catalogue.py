"""The models that vsr knows by name, and where their weights lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vsrcli.errors import UsageError, WeightsError

BASELINES = ("bicubic", "lanczos")
"""Models that need no weights."""


@dataclass(frozen=True)
class Entry:
    """A shipped weights file; what the network is stands in the file's own header."""

    name: str
    network: str
    file: str
    sha256: str
    scale: int
    degradation: str
    """How the low-resolution side of the training pairs was made."""
    training: str
    licence: str

    @property
    def path(self) -> Path:
        return weights_folder() / self.file


def weights_folder() -> Path:
    """The shipped weights: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "weights"
    return installed if installed.is_dir() else package.parent / "weights"


@cache
def catalogue() -> dict[str, Entry]:
    """All shipped weights by name, from `catalogue.json`."""
    path = weights_folder() / "catalogue.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(
            f"The list of weights is missing from this installation ({path}); reinstall vsrcli"
        ) from None
    return {name: Entry(name=name, **row) for name, row in rows.items()}


def model_names() -> list[str]:
    """Every name that `--model` takes."""
    return [*catalogue(), *BASELINES]


def default_model(device_type: str) -> str:
    """What runs when no model is named: the best that the device carries in reasonable time."""
    return "tga" if device_type == "cuda" else "tga-lite"


def find_entry(name: str) -> Entry:
    """The entry called `name`; raises UsageError with the good names."""
    entry = catalogue().get(name)
    if entry is None:
        raise UsageError(f"Unknown model {name!r}; choose one of {', '.join(model_names())}")
    return entry
