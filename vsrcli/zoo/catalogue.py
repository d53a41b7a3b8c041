"""The models that vsr knows by name, and where their weights lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.published import ELSEWHERE, published_model

BASELINES = ("bicubic", "lanczos")
"""Models that need no weights."""

MODELS = {
    "tga": "tga",
    "tga-lite": "tga",
    "fstrn": "fstrn",
    "spmc": "spmc",
    "stdan": "stdan",
    "stfan": "stfan",
    "basicvsr": "basicvsr",
    "basicvsr-bd": "basicvsr",
    "basicvsr-reds": "basicvsr",
}
"""The models that have weights, and the network of each."""


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
    model: str = ""
    """What to call it when the scale is understood: spmc for spmc-x2; empty if that is `name`."""

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
    """Every name that `--model` takes: those with weights at hand first, the others last."""
    ready = [*catalogue(), *cached_weights(), *BASELINES]
    return ready + [name for name in MODELS if name not in ready]


def default_model(*, compressed: bool) -> str:
    """What enlarges when no model is named: what looks best per second, for pictures on which
    compression has left its marks and for clean ones.

    On every device: `tga-lite` gains 0.05 dB on `fstrn`, and its `real` variant 0.02, for twice the
    arithmetic, see their cards and `vsr models`.
    """
    return "fstrn-real" if compressed else "fstrn"


def default_deblurring_model() -> str:
    """What deblurs when no model is named."""
    return "stfan-lite"


def network_of(name: str) -> str:
    """The network of a model; raises UsageError with the good names."""
    entry = catalogue().get(name)
    if entry is not None:
        return entry.network
    if name not in MODELS:
        raise UsageError(f"Unknown model {name!r}; choose one of {', '.join(model_names())}")
    return MODELS[name]


def find_entry(name: str, scale: Fraction | None = None) -> Entry:
    """The shipped weights of a model; among several, those of the least scale that reaches
    `scale`, else of the largest.

    Raises UsageError with the good names, WeightsError when no weights of it are shipped.
    """
    network = network_of(name)
    entries = [e for e in catalogue().values() if name in (e.name, e.model)]
    if not entries:
        if checkpoint := published_model(name):
            raise WeightsError(f"The weights of {name} are not in the cache. {checkpoint.offer}")
        raise WeightsError(
            f"No weights of {name} are shipped yet; with some, give --weights. {ELSEWHERE[network]}"
        )
    reaching = [e for e in entries if scale is not None and e.scale >= scale]
    return min(reaching, key=_scale) if reaching else max(entries, key=_scale)


def _scale(entry: Entry) -> int:
    return entry.scale
