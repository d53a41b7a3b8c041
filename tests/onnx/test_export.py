"""Exported networks: the files as other programs find them, and as vsr runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from models import tiny
from onnx_models import SHA, write_tiny
from torch import Tensor

import vsrcli
from vsrcli.errors import InputError, UsageError, WeightsError
from vsrcli.networks.stfan import STFAN, STFANState
from vsrcli.onnx.export import export_network
from vsrcli.onnx.file import read
from vsrcli.onnx.networks import exported_network

NETWORKS = ("basicvsr", "fstrn", "spmc", "stdan", "stfan", "tga")
CPU = torch.device("cpu")
Exported = Callable[[str], Path]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The file of a tiny network in fp32, for any size; made once."""
    folder = tmp_path_factory.mktemp("exported")

    def find(name: str) -> Path:
        path = folder / f"{name}.onnx"
        return path if path.exists() else write_tiny(path, name)

    return find


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def _run(session: onnxruntime.InferenceSession, *inputs: Tensor) -> list[Tensor]:
    names = [value.name for value in session.get_inputs()]
    feed = dict(zip(names, (x.numpy() for x in inputs), strict=True))
    return [torch.from_numpy(array) for array in session.run(None, feed)]


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "frames"), [("tga", 7), ("spmc", 3), ("stdan", 4), ("basicvsr", 5)]
)
def test_a_file_alone_is_the_network(exported: Exported, name: str, frames: int) -> None:
    """As any program with ONNX Runtime finds it: frames in, frames out, at sizes of all kinds."""
    session, network = _session(exported(name)), tiny(name)
    for size in ((32, 48), (48, 40)):
        clip = torch.rand(frames, 3, *size)
        (made,) = _run(session, clip)
        assert (made - network(clip[None])[0]).abs().max() < 1e-4


@torch.no_grad()
def test_a_recurrent_file_is_one_step(exported: Exported) -> None:
    network = tiny("stfan")
    assert isinstance(network, STFAN)
    session = _session(exported("stfan"))
    first, second = torch.rand(2, 1, 3, 16, 24)
    nothing = torch.rand(1, 16, 4, 6)
    restored, feature = _run(session, first, torch.ones(1), first, first, nothing)
    wanted, state = network.step(first, network.encode(first), None)
    assert (restored - wanted).abs().max() < 1e-5
    restored, _ = _run(session, second, torch.zeros(1), first, restored, feature)
    wanted, _ = network.step(second, network.encode(second), STFANState(*state))
    assert (restored - wanted).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_parts_make_up_the_network(exported: Exported, name: str) -> None:
    network = exported_network(read(exported(name)), CPU)
    plain = tiny(name)
    assert network.spec == plain.spec
    length = {"tga": 7, "spmc": 3}.get(name, 3)
    clip = torch.rand(1, length, 3, 40, 24)
    assert (network(clip) - plain(clip)).abs().max() < 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_standard_operators_only(exported: Exported, name: str) -> None:
    """All that a file uses is in the standard or defined by itself."""
    path = exported(name)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {each.domain: each.version for each in model.opset_import} == {"": 18, "vsr": 1}
    own = {function.name for function in model.functions}
    for function in model.functions:
        assert {node.domain for node in function.node} == {""}
    called = {node.op_type for node in model.graph.node if node.domain == "vsr"}
    assert called <= own


def test_says_what_it_is(exported: Exported) -> None:
    session = _session(exported("spmc"))
    said = session.get_modelmeta().custom_metadata_map
    assert said["vsr_version"] == vsrcli.__version__
    assert (said["network"], said["scale"], said["precision"]) == ("spmc", "2", "fp32")
    assert (said["strategy"], said["multiple"]) == ('{"kind": "window", "radius": 1}', "4")
    assert (said["weights_sha256"], said["size"]) == (SHA, "dynamic")
    description = read(exported("spmc")).description
    assert description is not None and description.spec == tiny("spmc").spec


def test_weights_are_stored_once(exported: Exported) -> None:
    """Though parts of STDAN are called many times, and share layers."""
    network = tiny("stdan")
    own = sum(parameter.numel() for parameter in network.parameters())
    stored = sum(np.prod(x.dims) for x in onnx.load(exported("stdan")).graph.initializer)
    # The upsampling at its end is there in two forms.
    assert stored < 1.3 * own


@torch.no_grad()
def test_half_precision(tmp_path: Path) -> None:
    exported = export_network(tiny("tga"), weights=SHA, precision="fp16")
    assert 0 < exported.error < 1 / 255
    path = tmp_path / "half.onnx"
    path.write_bytes(exported.content)
    file = read(path)
    assert file.description is not None and file.description.dtype == torch.float16
    network = exported_network(file, CPU)
    clip = torch.rand(1, 7, 3, 16, 24)
    made = network(clip)
    assert made.dtype == torch.float32
    assert (made - tiny("tga")(clip)).abs().max() < 1 / 255
    types = {x.data_type for x in onnx.load(path).graph.initializer if len(x.dims) == 4}
    assert onnx.TensorProto.FLOAT16 in types


@torch.no_grad()
def test_one_size(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "fixed.onnx", "tga", size=(16, 24))
    session = _session(path)
    assert session.get_inputs()[0].shape == [7, 3, 16, 24]
    assert session.get_outputs()[0].shape == [1, 3, 64, 96]
    network = exported_network(read(path), CPU)
    clip = torch.rand(1, 7, 3, 16, 24)
    assert (network(clip) - tiny("tga")(clip)).abs().max() < 1e-4
    with pytest.raises(InputError, match=r"fixed.onnx takes other sizes: \(N, 3, 16, 24\) is want"):
        network(torch.rand(1, 7, 3, 24, 16))


def test_what_cannot_be_exported() -> None:
    with pytest.raises(UsageError, match="multiples of 4, not 18x24"):
        export_network(tiny("spmc"), weights=SHA, size=(18, 24))
    with pytest.raises(UsageError, match="No file computes in bf16; use fp32 or fp16"):
        export_network(tiny("tga"), weights=SHA, precision="bf16")


def test_a_graph_that_is_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsrcli.onnx.export.LARGEST_ERROR", {"fp32": 1e-12})
    with pytest.raises(WeightsError, match=r"graph of this tga is off by .* nothing was written"):
        export_network(tiny("tga"), weights=SHA)


def test_without_the_onnx_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx.checker", None)
    with pytest.raises(UsageError, match=r"pip install 'vsrcli\[export\]'"):
        export_network(tiny("tga"), weights=SHA)


def test_a_file_of_another_kind_of_network(exported: Exported, tmp_path: Path) -> None:
    model = onnx.load(exported("tga"))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    metadata["strategy"] = '{"kind": "recurrent", "period": 5}'
    onnx.helper.set_model_props(model, metadata)
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match="lacks parts"):
        exported_network(read(path), CPU)


def test_a_function_that_the_runtime_refuses(exported: Exported, tmp_path: Path) -> None:
    model = onnx.load(exported("tga"))
    for function in model.functions:
        function.node[0].op_type = "Unheard"
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        WeightsError, match=r"ONNX Runtime cannot run .*odd.onnx \(.*Unheard"
    ) as found:
        exported_network(read(path), CPU)
    assert "\n" not in str(found.value)


@torch.no_grad()
@pytest.mark.cuda
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_on_a_card(name: str, precision: str, tmp_path: Path) -> None:
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA")
    path = write_tiny(tmp_path / "model.onnx", name, precision=precision)
    network: Any = exported_network(read(path), torch.device("cuda"))
    clip = torch.rand(1, {"tga": 7, "spmc": 3}.get(name, 3), 3, 40, 24)
    made = network(clip.cuda())
    assert made.is_cuda
    assert (made.cpu() - tiny(name)(clip)).abs().max() < 1 / 255
