"""Weights files: safetensors whose header says which network they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vsrcli.errors import WeightsError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.catalogue import Entry, find_entry

_HEADER_KEYS = ("network", "config")


def build_network(name: str, config: Mapping[str, object]) -> Network:
    """An untrained network; raises WeightsError when the configuration is not one of its own."""
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        raise WeightsError(
            f"Unknown network {name!r}; this version knows {', '.join(ARCHITECTURES)}"
        )
    # JSON has no tuples.
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    try:
        return architecture.build(architecture.config(**values))
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"Not a configuration of {name}: {dict(config)} ({error})") from error


def save_weights(path: Path, network: Network, description: Mapping[str, str]) -> None:
    """Write `network`'s state, kernels as float16 and the rest as float32, with its configuration.

    `description` joins the header: degradation, training, licence and the like.
    """
    state = {
        key: value.detach().cpu().to(torch.float16 if value.dim() >= 4 else torch.float32)
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    header = {
        **description,
        "network": network.spec.network,
        "config": json.dumps(asdict(network.config)),
    }
    # Not save_file: it replaces the file, which a path such as /proc/self/fd/3 does not allow.
    path.write_bytes(save({key: v.contiguous() for key, v in state.items()}, metadata=header))


def load_weights(path: Path, expected_network: str | None = None) -> Network:
    """The network that a weights file holds, float32, in evaluation mode.

    Raises WeightsError when the file is missing, damaged, not one of vsr's, of another network
    than `expected_network`, or holds tensors of other names or shapes than its configuration.
    """
    header, state = _read(path)
    name = header["network"]
    if expected_network is not None and name != expected_network:
        raise WeightsError(f"{path} holds weights of {name}, not of {expected_network}")
    network = build_network(name, configuration(header, path))
    load_state(network, state, str(path))
    return network.eval()


def find_weights(name: str, weights: Path | None = None, scale: Fraction | None = None) -> Path:
    """The weights file of a model, or of the path of one: `weights` if given, else what is in the
    cache or shipped under the name, for this scale if there are several.

    Raises UsageError for an unknown name, WeightsError when there is no file of it or a shipped one
    is damaged.
    """
    if weights is not None:
        return weights
    if Path(name).suffix == ".safetensors":
        return Path(name)
    if name in (cached := cached_weights()):
        return cached[name]
    entry = find_entry(name, scale)
    verify(entry)
    return entry.path


def load_entry(entry: Entry) -> Network:
    """The network of a shipped weights file, its hash checked first."""
    verify(entry)
    return load_weights(entry.path, entry.network)


def verify(entry: Entry) -> None:
    """Raise WeightsError unless the file is there with the catalogue's SHA-256."""
    try:
        found = hashlib.sha256(entry.path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise WeightsError(f"No weights file {entry.path}; reinstall vsrcli") from None
    if found != entry.sha256:
        raise WeightsError(
            f"{entry.path} has SHA-256 {found}, the catalogue says {entry.sha256}; "
            "the file was damaged or replaced: reinstall vsrcli"
        )


def load_state(network: Network, state: Mapping[str, Tensor], source: str) -> None:
    """Copy `state` into `network`; raises WeightsError naming what does not fit."""
    own = network.state_dict()
    wanted = {key for key in own if not key.endswith("num_batches_tracked")}
    given = {key for key in state if not key.endswith("num_batches_tracked")}
    for label, keys in (("lacks", wanted - given), ("has unknown", given - wanted)):
        if keys:
            raise WeightsError(f"{source} {label} {_some(keys)}; it is of another network")
    for key in sorted(wanted):
        if own[key].shape != state[key].shape:
            raise WeightsError(
                f"{source}: {key} has shape {tuple(state[key].shape)}, "
                f"the network needs {tuple(own[key].shape)}"
            )
        if not torch.isfinite(state[key]).all():
            raise WeightsError(f"{source}: {key} holds values that are not finite")
    network.load_state_dict({key: state[key] for key in wanted}, strict=False)


def _some(keys: set[str]) -> str:
    first = sorted(keys)[0]
    return first if len(keys) == 1 else f"{first} and {len(keys) - 1} more tensors"


def read_header(path: Path) -> dict[str, str]:
    """What a weights file says of itself; see `load_weights` for what it raises."""
    return _read(path, with_tensors=False)[0]


def configuration(header: Mapping[str, str], path: Path) -> dict[str, object]:
    """The network's configuration that a header holds."""
    try:
        config = json.loads(header["config"])
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: the header's configuration is not a JSON object")
    return config


def _read(path: Path, with_tensors: bool = True) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if any(key not in header for key in _HEADER_KEYS):
                raise WeightsError(
                    f"{path} does not say which network it is of; bring an official checkpoint "
                    "in with `vsr weights import`"
                )
            keys = file.keys() if with_tensors else ()
            return header, {key: file.get_tensor(key) for key in keys}
    except FileNotFoundError:
        raise WeightsError(f"No weights file {path}") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error})") from None
