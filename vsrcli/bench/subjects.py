"""The models that a bench times, with weights if there are some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from vsrcli.errors import WeightsError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.restore.onnx_backend import is_onnx
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.catalogue import BASELINES, find_entry, network_of
from vsrcli.zoo.models import listed_names
from vsrcli.zoo.weights import build_network, configuration, read_header, save_weights


@dataclass(frozen=True)
class Subject:
    """A model to be timed."""

    name: str
    """What to call it: of a weights file the name, without the folder."""
    network: Network | None
    """Its network without its weights, for counting; None for plain resampling."""
    weights: Path | None
    """A file with which to load it instead of its own weights; None if it has some."""

    @property
    def trained(self) -> bool:
        """Whether it runs with its own weights, or needs none."""
        return self.weights is None


def find_subject(name: str, folder: Path) -> Subject:
    """The model of a name, or of a weights file. One without weights at hand is given random ones,
    in a file in `folder`.

    Raises UsageError with the good names, WeightsError when its weights file is damaged.
    """
    if name in BASELINES:
        return Subject(name, None, None)
    if is_onnx(name):  # what is in it is not known well enough to be counted
        return Subject(Path(name).name, None, None)
    path = _weights_of(name)
    network = _network(name, path)
    if path is not None:
        return Subject(Path(name).name, network, None)
    initialize = ARCHITECTURES[network.spec.network].initialize
    if initialize is not None:
        initialize(network, torch.Generator().manual_seed(0))
    weights = folder / f"{name}.safetensors"
    save_weights(weights, network, {})
    return Subject(name, network, weights)


def different_names() -> list[str]:
    """The models with weights of their own kind: of those that differ in nothing but the values of
    their weights the first."""
    names: dict[tuple[str, object], str] = {}
    for name in listed_names():
        if name not in BASELINES:
            network = _network(name, _weights_of(name))
            names.setdefault((network.spec.network, network.config), name)
    return list(names.values())


def _weights_of(name: str) -> Path | None:
    """The file that `restore.load` takes for a name; None where it would find none."""
    if Path(name).suffix == ".safetensors":
        return Path(name)
    if name in (cached := cached_weights()):
        return cached[name]
    try:
        return find_entry(name).path
    except WeightsError:
        return None


def _network(name: str, path: Path | None) -> Network:
    """With random weights; of the configuration of the file, else of the published one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if path is None:
            return build_network(network_of(name), {}).eval()
        header = read_header(path)
        return build_network(header["network"], configuration(header, path)).eval()
