"""Networks written as ONNX files, and the check that such a file does what its network does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F

import vsrcli
from vsrcli.errors import UsageError, WeightsError
from vsrcli.networks.architectures import Network
from vsrcli.networks.spec import Window
from vsrcli.onnx.assembly import assembled
from vsrcli.onnx.description import PRECISIONS, Description
from vsrcli.onnx.file import opened
from vsrcli.onnx.networks import exported_network
from vsrcli.onnx.parts import network_for_export, parts_of
from vsrcli.onnx.shapes import Signature, Value, Values, fixed
from vsrcli.onnx.tracing import traced

LARGEST_ERROR = {"fp32": 1e-3, "fp16": 1 / 255}
"""By which a file may differ from its network in fp32."""

# Heights and widths of pictures, in steps of the network's multiple or 8 pixels.
_TRACED = (4, 5)
_CHECKED = ((3, 6), (6, 4))

_CHECKED_FRAMES = 4
"""Their number, where the strategy takes any."""


@dataclass(frozen=True)
class Exported:
    """A network as an ONNX file, and how well it does what the network does."""

    content: bytes = field(repr=False)
    error: float
    """Its largest difference from the network in fp32, on pictures with values from 0 to 1."""


@torch.no_grad()
def export_network(
    network: Network,
    *,
    weights: str,
    precision: str = "fp32",
    size: tuple[int, int] | None = None,
) -> Exported:
    """A trained network as an ONNX file, for pictures of `size` (height, width) or any.

    `weights` is the SHA-256 of its weights file. Raises UsageError when that cannot be exported,
    WeightsError when the file would be off by more than `LARGEST_ERROR`.
    """
    _check_request(network, precision, size)
    form = network_for_export(network, PRECISIONS[precision])
    parts = parts_of(form)
    height, width = _pixels(network, _TRACED)
    sizes = {"N": 1, "K": 2, "H": height, "W": width}
    models = {part.name: traced(form, part, sizes) for part in parts}
    description = Description(
        spec=network.spec,
        precision=precision,
        size=None,
        parts={part.name: Signature(part.inputs, part.outputs) for part in parts},
        weights=weights,
        version=vsrcli.__version__,
    )
    made = assembled(description, models)
    error = _error(network, made)
    if not error <= LARGEST_ERROR[precision]:  # also true for NaN
        raise WeightsError(
            f"The graph of this {network.spec.network} is off by {error:.2g} in {precision}, which "
            f"is more than {LARGEST_ERROR[precision]:.2g}; nothing was written"
        )
    return Exported(made if size is None else assembled(_fixed(description, size), models), error)


def _check_request(network: Network, precision: str, size: tuple[int, int] | None) -> None:
    name, multiple = network.spec.network, network.spec.multiple
    if precision not in PRECISIONS:
        raise UsageError(f"No file computes in {precision}; use {' or '.join(PRECISIONS)}")
    if size is not None and any(length < 1 or length % multiple for length in size):
        raise UsageError(
            f"{name} takes pictures whose height and width are multiples of {multiple}, "
            "not {}x{}".format(*size)
        )
    try:
        import onnx.checker  # noqa: F401
    except ImportError:
        raise UsageError("Exporting needs the onnx package: pip install 'vsrcli[export]'") from None


def _error(network: Network, content: bytes) -> float:
    """The largest difference between what a file with this content and its network make of
    pictures."""
    file = opened(content, Path(f"{network.spec.network}.onnx"))
    exported = exported_network(file, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    strategy = network.spec.strategy
    count = 2 * strategy.radius + 1 if isinstance(strategy, Window) else _CHECKED_FRAMES
    errors = []
    for steps in _CHECKED:
        height, width = _pixels(network, steps)
        coarse = torch.rand(count, 3, height // 4, width // 4, generator=generator)
        frames = F.interpolate(coarse, (height, width), mode="bilinear")[None]
        errors.append((exported(frames) - network(frames)).abs().max())
    return float(torch.stack(errors).max())


def _pixels(network: Network, steps: tuple[int, int]) -> tuple[int, int]:
    step = max(8, network.spec.multiple)
    return steps[0] * step, steps[1] * step


def _fixed(description: Description, size: tuple[int, int]) -> Description:
    """The same for pictures of one size."""
    names = dict(zip(("H", "W"), size, strict=True))

    def of(values: Values) -> Values:
        return {name: Value(fixed(v.shape, names), v.dtype) for name, v in values.items()}

    parts = {
        name: Signature(of(part.inputs), of(part.outputs))
        for name, part in description.parts.items()
    }
    return replace(description, size=size, parts=parts)
