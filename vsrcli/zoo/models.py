"""What is known of each model: from its network, the header of its weights, the catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Literal

from vsrcli.errors import WeightsError
from vsrcli.networks.architectures import Network
from vsrcli.networks.cost import flop_per_frame
from vsrcli.networks.resample import SPEC as RESAMPLE
from vsrcli.networks.spec import Spec
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.catalogue import (
    BASELINES,
    Entry,
    catalogue,
    find_entry,
    model_names,
    network_of,
    weights_folder,
)
from vsrcli.zoo.published import ELSEWHERE, PUBLISHED, Published, published_model
from vsrcli.zoo.weights import build_network, configuration, read_header

PICTURE = (320, 180)
"""Width and height of the input for which work is stated."""


@dataclass(frozen=True)
class Score:
    """Luma PSNR in dB and SSIM on a clip that was not trained on, and those of the clip enlarged
    bicubically (the input itself, where nothing is enlarged)."""

    name: str
    psnr: float
    ssim: float
    plain_psnr: float
    plain_ssim: float


@dataclass(frozen=True)
class Model:
    """What is known of a model without loading its weights."""

    name: str
    spec: Spec
    weights: Literal["shipped", "fetched", "online", "none", "not needed"]
    """online: a command fetches them, see `advice`."""
    parameters: int = 0
    flop: float | None = None
    """Of an output frame, for input of `PICTURE`; see `flop_per_frame`. None for the baselines."""
    path: Path | None = None
    """The weights file."""
    header: Mapping[str, str] = field(default_factory=dict)
    """What the weights file says of itself, or will say once it is fetched: degradation, training,
    licence and the like."""
    entry: Entry | None = None
    """Of shipped weights."""
    scores: tuple[Score, ...] = ()
    advice: tuple[str, ...] = ()
    """Where weights come from that are not at hand."""

    @property
    def gain(self) -> float | None:
        """Mean dB over bicubic; None where nothing was measured."""
        if not self.scores:
            return None
        return fmean(score.psnr - score.plain_psnr for score in self.scores)

    def file_hash(self) -> str | None:
        """SHA-256 of the weights file as it is."""
        return None if self.path is None else hashlib.sha256(self.path.read_bytes()).hexdigest()

    def as_json(self) -> dict[str, object]:
        """All but its name and `advice`."""
        spec, strategy = self.spec, self.spec.strategy
        return {
            "task": spec.task,
            "scales": spec.scales,
            "strategy": {"kind": type(strategy).__name__.lower(), **asdict(strategy)},
            "network": spec.network,
            "parameters": self.parameters,
            "gflop": None if self.flop is None else self.flop / 1e9,
            "weights": self.weights,
            "degradation": self.header.get("degradation"),
            "licence": self.header.get("licence"),
            "gain": self.gain,
            "scores": [asdict(score) for score in self.scores],
            "multiple": spec.multiple,
            "reach": spec.reach,
            "halo": spec.halo,
            "paper": spec.paper,
            "file": None if self.path is None else str(self.path),
            "size": None if self.path is None else self.path.stat().st_size,
            "sha256": self.file_hash(),
            "header": dict(self.header),
        }


def listed_names() -> list[str]:
    """The names of all models, each with one set of weights at most."""
    collective = {entry.model for entry in catalogue().values()}
    return [name for name in model_names() if name not in collective]


def find_model(name: str) -> Model:
    """The model called `name`; of several of that name the one that runs when no scale is given.

    Raises UsageError with the good names, WeightsError when its weights file is missing or
    damaged.
    """
    if name in BASELINES:
        return Model(name, RESAMPLE, "not needed")
    if name in (cached := cached_weights()):
        path = cached[name]
        header, network = _described(path)
        scores = _scores_of_published(name)
        return Model(name, network.spec, "fetched", *_size(network), path, header, scores=scores)
    network_name = network_of(name)
    if checkpoint := published_model(name):
        return _online(checkpoint)
    try:
        entry = find_entry(name)
    except WeightsError as error:
        network = build_network(network_name, {}).eval()
        advice = (str(error), *_official(network_name))
        return Model(name, network.spec, "none", *_size(network), advice=advice)
    header, network = _described(entry.path)
    return Model(
        entry.name,
        network.spec,
        "shipped",
        *_size(network),
        entry.path,
        header,
        entry,
        _scores(entry.path.with_suffix(".json")),
        _official(network_name),
    )


def _online(checkpoint: Published) -> Model:
    """A published model that is not in the cache, of which the catalogue knows what its file will
    say."""
    network = build_network(checkpoint.network, {}).eval()
    return Model(
        checkpoint.model,
        network.spec,
        "online",
        *_size(network),
        header=checkpoint.description,
        scores=_scores_of_published(checkpoint.model),
        advice=(checkpoint.offer,),
    )


def _described(path: Path) -> tuple[dict[str, str], Network]:
    """The header of a weights file, and an untrained network of its configuration."""
    header = read_header(path)
    return header, build_network(header["network"], configuration(header, path)).eval()


def _size(network: Network) -> tuple[int, float]:
    """Parameters, and operations of an output frame."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters, flop_per_frame(network, *PICTURE)


def _scores(path: Path) -> tuple[Score, ...]:
    """Those that `vsr eval` wrote of one model on each clip; given and new frames apart."""
    if not path.exists():
        return ()
    report = json.loads(path.read_text(encoding="utf-8"))
    (name,) = report["models"]
    scores = []
    for clip in report["clips"]:
        rows = {(row["model"], row["part"]): row for row in clip["rows"]}
        without_model = clip["rows"][0]["model"]
        for (model, part), row in rows.items():
            if model == name:
                plain = rows[without_model, part]
                label = clip["name"] if part == "all" else f"{clip['name']} {part}"
                values = (each[key] for each in (row, plain) for key in ("psnr_y", "ssim_y"))
                scores.append(Score(label, *values))
    return tuple(scores)


def _scores_of_published(name: str) -> tuple[Score, ...]:
    """Those shipped of a published model; of other weights in the cache nothing is known."""
    return _scores(weights_folder() / f"{name}.json") if published_model(name) else ()


def _official(network: str) -> tuple[str, ...]:
    """Where the authors' weights come from."""
    if network in ELSEWHERE:
        return (ELSEWHERE[network],)
    return tuple(
        checkpoint.offer for checkpoint in PUBLISHED.values() if checkpoint.network == network
    )
