"""Models that ONNX Runtime runs: files of vsr and of others, and shipped models exported at first
use."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import torch

import vsrcli
from vsrcli.errors import UsageError, WeightsError
from vsrcli.networks.architectures import Network
from vsrcli.onnx.description import PRECISIONS
from vsrcli.onnx.export import export_network
from vsrcli.onnx.file import read
from vsrcli.onnx.networks import ExportedNetwork, exported_network
from vsrcli.onnx.plain import plain_model
from vsrcli.onnx.session import runs_on
from vsrcli.restore.device import Precision
from vsrcli.restore.per_frame import PerFrame
from vsrcli.zoo.cache import cache_folder
from vsrcli.zoo.weights import load_weights

OnnxNetwork = ExportedNetwork | PerFrame


def is_onnx(name: str) -> bool:
    """Whether a model's name is the path of an ONNX file."""
    return Path(name).suffix.lower() == ".onnx"


def device_for_onnx(best: torch.device) -> torch.device:
    """The best device, or the CPU if this ONNX Runtime has nothing for that."""
    return best if runs_on(best) else torch.device("cpu")


def load_onnx(
    path: Path, device: torch.device, precision: Precision
) -> tuple[OnnxNetwork, torch.dtype]:
    """The network of an ONNX file, and what it computes in.

    Raises UsageError when that is not `precision`, WeightsError when the file is missing, damaged
    or does something else, DeviceError when ONNX Runtime has nothing for the device.
    """
    file = read(path)
    network: OnnxNetwork
    try:
        if file.description is None:
            model = plain_model(file, device)
            network, dtype = PerFrame(model), model.dtype
        else:
            network, dtype = exported_network(file, device), file.description.dtype
    except torch.OutOfMemoryError:
        raise WeightsError(f"{path} needs more memory than there is, even to load") from None
    if precision != "auto" and PRECISIONS.get(precision) != dtype:
        own = next(name for name, each in PRECISIONS.items() if each == dtype)
        raise UsageError(f"{path} computes in {own}; leave --precision {precision} out")
    return network, dtype


def load_exported(
    weights: Path, expected_network: str | None, device: torch.device, precision: Precision
) -> tuple[OnnxNetwork, torch.dtype]:
    """As `load_onnx`, of a weights file, which is exported into the user's cache at first use.

    Raises UsageError when it cannot be exported, or exporting needs a package that is missing;
    also what `load_weights` raises.
    """
    chosen = precision
    if chosen == "auto":
        chosen = "fp16" if device.type == "cuda" else "fp32"
    if chosen not in PRECISIONS:
        raise UsageError(
            f"ONNX Runtime does not compute in {chosen} here; use {' or '.join(PRECISIONS)}, or "
            "--backend torch"
        )
    network = load_weights(weights, expected_network)
    path = _exported(network, weights, chosen)
    return load_onnx(path, device, chosen)


def _exported(network: Network, weights: Path, precision: str) -> Path:
    """The file in the cache, made if it is not there."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    folder = cache_folder() / "onnx"
    stem = f"{network.spec.network}-{digest[:16]}-{precision}-{vsrcli.__version__}"
    path = folder / f"{stem}.onnx"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Another vsr may be making the same file.
        with tempfile.TemporaryDirectory(dir=folder) as private:
            made = Path(private) / path.name
            made.write_bytes(export_network(network, weights=digest, precision=precision).content)
            made.replace(path)
    except OSError as error:
        raise WeightsError(
            f"The cache {folder} cannot be used: {error.strerror or error}; mend that or name "
            "another folder in VSR_CACHE"
        ) from error
    return path
