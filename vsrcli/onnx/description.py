"""What a file that vsr exported says of itself, in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from vsrcli.networks.spec import (
    Bidirectional,
    Chunk,
    Groups,
    Recurrent,
    Spec,
    Strategy,
    Window,
)
from vsrcli.onnx.shapes import Signature, Value, Values, read_length

_VERSION = "vsr_version"
_STRATEGIES: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Window, Chunk, Groups, Recurrent, Bidirectional)
}
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}
_TYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class Description:
    """The network that a file holds, for those who run it."""

    spec: Spec
    precision: str
    """fp32 or fp16."""
    size: tuple[int, int] | None
    """Height and width of the pictures that it takes; None for any that `spec` allows."""
    parts: dict[str, Signature]
    """The functions that the file defines, by name."""
    weights: str
    """SHA-256 of the weights file."""
    version: str
    """Of the vsr that wrote it."""

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]

    def as_metadata(self) -> dict[str, str]:
        """Keys and values for the file; `described` reads them."""
        spec, strategy = self.spec, self.spec.strategy
        return {
            _VERSION: self.version,
            "network": spec.network,
            "task": spec.task,
            "scale": str(spec.scales[0]),
            "strategy": json.dumps({"kind": type(strategy).__name__.lower(), **asdict(strategy)}),
            "multiple": str(spec.multiple),
            "reach": str(spec.reach),
            "halo": str(spec.halo),
            "activations": str(spec.activations),
            "paper": spec.paper,
            "precision": self.precision,
            "size": "dynamic" if self.size is None else "{}x{}".format(*self.size),
            "parts": json.dumps({name: _as_json(part) for name, part in self.parts.items()}),
            "weights_sha256": self.weights,
        }


def described(metadata: Mapping[str, str]) -> Description | None:
    """The description in a file's metadata, None when vsr did not write it; raises ValueError when
    it is not whole."""
    if _VERSION not in metadata:
        return None
    try:
        return _described(metadata)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its description is not whole: {error}") from None


def _described(metadata: Mapping[str, str]) -> Description:
    task = metadata["task"]
    if task not in ("upscale", "space-time", "deblur"):
        raise ValueError(f"no task is called {task!r}")
    precision = metadata["precision"]
    if precision not in PRECISIONS:
        raise ValueError(f"nothing computes in {precision!r}")
    size = metadata["size"]
    height, _, width = size.partition("x")
    return Description(
        spec=Spec(
            network=metadata["network"],
            task=task,  # type: ignore[arg-type]
            scales=(_count(metadata["scale"]),),
            strategy=_strategy(json.loads(metadata["strategy"])),
            multiple=_count(metadata["multiple"]),
            reach=_count(metadata["reach"]),
            halo=_count(metadata["halo"]),
            activations=_count(metadata["activations"]),
            paper=metadata["paper"],
        ),
        precision=precision,
        size=None if size == "dynamic" else (_count(height), _count(width)),
        parts={name: _signature(part) for name, part in json.loads(metadata["parts"]).items()},
        weights=metadata["weights_sha256"],
        version=metadata[_VERSION],
    )


_LARGEST = 2**20


def _count(text: object) -> int:
    value = int(str(text))
    if not 0 < value <= _LARGEST:
        raise ValueError(f"{value} makes no sense there")
    return value


def _strategy(values: dict[str, object]) -> Strategy:
    made: Strategy = _STRATEGIES[str(values.pop("kind"))](
        **{name: _count(value) for name, value in values.items()}
    )
    return made


def _signature(part: Mapping[str, Any]) -> Signature:
    return Signature(_values(part["inputs"]), _values(part["outputs"]))


def _values(values: Mapping[str, Any]) -> Values:
    return {
        name: Value(tuple(map(_length, shape)), _TYPES[kind])
        for name, (kind, shape) in values.items()
    }


def _length(length: object) -> int | str:
    if isinstance(length, str):
        read_length(length)
        return length
    return _count(length)


def _as_json(part: Signature) -> dict[str, object]:
    names = {dtype: name for name, dtype in _TYPES.items()}

    def listed(values: Values) -> dict[str, object]:
        return {name: (names[value.dtype], value.shape) for name, value in values.items()}

    return {"inputs": listed(part.inputs), "outputs": listed(part.outputs)}
