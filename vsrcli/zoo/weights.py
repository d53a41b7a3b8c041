"""Weights files: safetensors whose header says which network they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn.modules import module as registration

from vsrcli.errors import WeightsError
from vsrcli.networks.architectures import ARCHITECTURES, Network
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.catalogue import Entry, find_entry

_HEADER_KEYS = ("network", "config")
LARGEST_HEADER = 1 << 20
"""Bytes of a safetensors header; the largest network has a tenth of that."""
_MOST_NUMBERS, _MOST_TENSORS = 1 << 28, 10_000
"""A network that a file's configuration asks for may have so many."""
_LARGEST_NUMBER = 10_000
"""In a configuration."""


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
        numbers = [n for v in values.values() for n in (v if isinstance(v, tuple) else (v,))]
        if any(isinstance(n, int) and n > _LARGEST_NUMBER for n in numbers):
            raise ValueError(f"no size is above {_LARGEST_NUMBER}")
        with _limited():
            return architecture.build(architecture.config(**values))
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise WeightsError(f"Not a configuration of {name}: {dict(config)} ({error})") from error


@contextmanager
def _limited() -> Iterator[None]:
    """ValueError as soon as modules made in the block have too many tensors, or too large ones,
    before anything is written into them: a few bytes of configuration may ask for terabytes."""
    numbers = tensors = 0

    def count(module: Any, name: str, tensor: Tensor | None) -> None:
        nonlocal numbers, tensors
        numbers += 0 if tensor is None else tensor.numel()
        tensors += 1
        if numbers > _MOST_NUMBERS or tensors > _MOST_TENSORS:
            raise ValueError("larger than any network should be")

    hooks = (
        registration.register_module_parameter_registration_hook(count),
        registration.register_module_buffer_registration_hook(count),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
        value = state[key]
        if own[key].shape != value.shape:
            raise WeightsError(
                f"{source}: {key} has shape {tuple(value.shape)}, "
                f"the network needs {tuple(own[key].shape)}"
            )
        if value.layout != torch.strided or value.is_meta or not value.is_floating_point():
            raise WeightsError(f"{source}: {key} does not hold plain floating-point numbers")
        if not torch.isfinite(value.float()).all():
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


def check_header(path: Path) -> None:
    """Pass when the header of a safetensors file may be read; WeightsError when it is too long or
    names a tensor twice, OSError when the file cannot be read."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LARGEST_HEADER:
            raise WeightsError(
                f"{path} is not a readable safetensors file (a header of {length} bytes)"
            )
        head = file.read(length)
    try:
        json.loads(head, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error})") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The members of a JSON object; ValueError when two have one name."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("its header names something twice")
    return members


def _read(path: Path, with_tensors: bool = True) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        check_header(path)
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
