"""The authors' checkpoints, turned into networks of ours."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from vsrcli.errors import UsageError, VsrError, WeightsError
from vsrcli.networks.architectures import Network
from vsrcli.networks.basicvsr import BasicVSR
from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stfan import STFAN, bgr_to_rgb
from vsrcli.networks.tga import PUBLISHED, PUBLISHED_DILATED, TGA
from vsrcli.zoo.published import ELSEWHERE
from vsrcli.zoo.weights import check_header, load_state

_LARGEST_MEMBER = 2**30
"""Bytes a checkpoint inside a zip archive may unpack to."""

_DILATED_NAMES = {
    "weight1": "conv3d_1.weight",
    "weight2": "conv3d_2.weight",
    "weight3": "conv3d_2_1.weight",
    "weight4": "conv3d_2_2.weight",
}


def import_checkpoint(network: str, path: Path) -> Network:
    """The network that an official checkpoint (.pth, .zip or .safetensors) holds.

    Nothing in the file is executed. Raises WeightsError when it is damaged or of another network,
    UsageError when `network` has no official checkpoint.
    """
    _importer(network)
    return network_from_state(network, _read_state(path), str(path))


def network_from_state(network: str, official: Mapping[str, Tensor], source: str) -> Network:
    """The network whose parameters stand in `official` under the authors' names.

    `source` is what errors call it; they are those of `import_checkpoint`.
    """
    return _importer(network)(official, source).eval()


def _importer(network: str) -> Callable[[Mapping[str, Tensor], str], Network]:
    if network not in _IMPORTERS:
        if network in ELSEWHERE:
            raise WeightsError(ELSEWHERE[network])
        raise UsageError(f"No import for {network!r}; choose one of {', '.join(IMPORTABLE)}")
    return _IMPORTERS[network]


def _tga(official: Mapping[str, Tensor], source: str) -> TGA:
    """Variant D ("dilated") is told by its bare parameters `weight1` .. `weight4`."""
    dilated = "weight1" in official
    network = TGA(PUBLISHED_DILATED if dilated else PUBLISHED)
    state = {}
    for key, value in official.items():
        name = _DILATED_NAMES.get(key, key) if dilated else key
        flat = value.dim() == 5 and value.shape[2] == 1
        state[name] = value.squeeze(2) if flat else value
    load_state(network, state, source)
    return network


def _basicvsr(official: Mapping[str, Tensor], source: str) -> BasicVSR:
    network = BasicVSR()
    load_state(network, official, source)
    return network


def _stdan(official: Mapping[str, Tensor], source: str) -> STDAN:
    """The constants among the parameters are for one picture size; ours makes them when needed."""
    network = STDAN()
    constants = ("relative_position_index", "attn_mask")
    state = {key: value for key, value in official.items() if not key.endswith(constants)}
    load_state(network, state, source)
    return network


def _stfan(official: Mapping[str, Tensor], source: str) -> STFAN:
    """The authors' network takes and makes blue, green, red."""
    network = STFAN()
    load_state(network, official, source)  # which says what is wrong before it is taken apart
    load_state(network, bgr_to_rgb(official), source)
    return network


_IMPORTERS: dict[str, Callable[[Mapping[str, Tensor], str], Network]] = {
    "tga": _tga,
    "basicvsr": _basicvsr,
    "stdan": _stdan,
    "stfan": _stfan,
}


IMPORTABLE = tuple(_IMPORTERS)
"""Networks whose official checkpoints can be imported."""


def _read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, without the wrappers that training scripts leave around them."""
    if not path.is_file():
        raise WeightsError(f"No checkpoint file {path}")
    try:
        if path.suffix == ".safetensors":
            check_header(path)
        found = load_file(path) if path.suffix == ".safetensors" else _read_torch(path)
    except VsrError:
        raise
    except Exception as error:  # a damaged file can fail anywhere inside the unpickler
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} is not a whole file of plain tensors ({reason})") from None
    for wrapper in ("state_dict", "model", "params", "deblurnet_state_dict"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found:
        raise WeightsError(f"{path} holds no tensors by name")
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        raise WeightsError(f"{path} holds more than tensors by name")
    return {key.removeprefix("module."): value for key, value in found.items()}


def _read_torch(path: Path) -> object:
    """A torch file, or the one torch file inside a zip archive; never unpickles code."""
    if not zipfile.is_zipfile(path):
        return _load(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.filename.endswith("data.pkl") for member in members):
            return _load(path)
        checkpoints = [m for m in members if m.filename.endswith((".pth", ".pt"))]
        if len(checkpoints) != 1:
            raise WeightsError(
                f"{path} holds {len(checkpoints)} checkpoints (.pth); unpack the one you mean"
            )
        (member,) = checkpoints
        if member.file_size > _LARGEST_MEMBER:
            raise WeightsError(f"{path}: {member.filename} is too large to be one")
        with tempfile.NamedTemporaryFile() as unpacked:
            with archive.open(member) as packed:
                shutil.copyfileobj(packed, unpacked)
            unpacked.flush()
            return _load(Path(unpacked.name))


def _load(path: Path) -> object:
    """What a torch file holds; its tensors are views of the file, so that it cannot make them
    larger than itself: torch stores them as they are, and compressed ones are refused."""
    with path.open("rb") as file:
        # Torch decides by these bytes too; its older format is no archive and cannot be mapped.
        is_archive = file.read(4) == b"PK\3\4"
    if is_archive:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise WeightsError(f"{path} is compressed in a way that torch's files never are")
    found: object = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    return found
