"""Reading ONNX files that may be anything."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import keep_outside, write_plain

from vsrcli.errors import WeightsError
from vsrcli.networks.spec import Spec, Window
from vsrcli.onnx.description import Description
from vsrcli.onnx.file import read
from vsrcli.onnx.shapes import Signature, Value
from vsrcli.onnx.wire import written


def test_files_of_others_describe_nothing(tmp_path: Path) -> None:
    assert read(write_plain(tmp_path / "model.onnx")).description is None


@pytest.mark.parametrize("content", [b"", b"\x08", b"text, not a model" * 9, b"\x00" * 64])
def test_what_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"model.onnx is damaged or no ONNX file"):
        read(path)


def test_every_cut_is_noticed_or_harmless(tmp_path: Path) -> None:
    whole = write_plain(tmp_path / "model.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    refused = 0
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            read(path)
        except WeightsError:
            refused += 1
    assert refused > len(whole) // 7 * 0.9


def test_missing_and_too_large(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="No ONNX file"):
        read(tmp_path / "absent.onnx")
    with pytest.raises(WeightsError, match="cannot be read"):
        read(tmp_path)
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(WeightsError, match="2 GB"):
        read(huge)


@pytest.mark.parametrize(
    "place",
    [
        "../w.bin",
        "/etc/passwd",
        "a/../../w.bin",
        "..\\w.bin",
        "C:\\w.bin",
        "C:w.bin",
        "\\\\host\\w",
    ],
)
def test_data_outside_the_folder(tmp_path: Path, place: str) -> None:
    path = write_plain(tmp_path / "model.onnx")
    keep_outside(path, "w.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = place
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match="outside its folder"):
        read(path)


def _external() -> TensorProto:
    tensor = TensorProto(name="x", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def test_data_outside_the_folder_is_found_everywhere(tmp_path: Path) -> None:
    """In attributes, in graphs within graphs, in sparse tensors and in functions."""
    inner = helper.make_graph([], "inner", [], [], [_external()])
    sparse = onnx.SparseTensorProto(values=_external())
    node = helper.make_node("Constant", [], ["y"], value=_external())
    nodes = {
        "attribute": node,
        "attributes": helper.make_node("Op", [], ["y"], tensors=[_external()]),
        "graph": helper.make_node("If", ["c"], ["y"], then_branch=inner),
        "graphs": helper.make_node("Op", [], ["y"], graphs=[inner]),
        "sparse": helper.make_node("Constant", [], ["y"], sparse_value=sparse),
    }
    models = {
        name: helper.make_model(helper.make_graph([n], "g", [], [])) for name, n in nodes.items()
    }
    models["initializer"] = helper.make_model(
        helper.make_graph([], "g", [], [], sparse_initializer=[sparse])
    )
    function = helper.make_function("d", "F", [], ["y"], [node], [helper.make_opsetid("", 17)])
    models["function"] = helper.make_model(helper.make_graph([], "g", [], []), functions=[function])
    for name, model in models.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(WeightsError, match="outside its folder"):
            read(path)


def test_graphs_without_end(tmp_path: Path) -> None:
    graph = b""
    for _ in range(60):  # in an attribute of a node of a graph
        graph = written(1, written(5, written(6, graph)))
    path = tmp_path / "deep.onnx"
    path.write_bytes(written(7, graph))
    with pytest.raises(WeightsError, match="too deep"):
        read(path)


DESCRIPTION = Description(
    spec=Spec(
        network="tga", task="upscale", scales=(4,), strategy=Window(3), multiple=1, reach=40,
        halo=12, activations=500, paper="A paper",
    ),
    precision="fp16",
    size=(90, 160),
    parts={"step": Signature({"x": Value((1, "4*H"))}, {"y": Value(("N", "H/4"))})},
    weights="ab",
    version="1.2",
)  # fmt: skip


def _described(path: Path, metadata: dict[str, str]) -> Path:
    model = onnx.load(write_plain(path))
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


def test_descriptions_come_through(tmp_path: Path) -> None:
    metadata = DESCRIPTION.as_metadata()
    assert metadata["size"] == "90x160" and metadata["scale"] == "4"
    assert read(_described(tmp_path / "model.onnx", metadata)).description == DESCRIPTION


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", "dance"),
        ("scale", "-4"),
        ("scale", "x"),
        ("multiple", "0"),
        ("reach", str(10**9)),
        ("strategy", '{"kind": "window", "radius": 99999999}'),
        ("strategy", '{"kind": "print"}'),
        ("strategy", "[]"),
        ("parts", '{"step": 3}'),
        ("parts", '{"step": {"inputs": {"x": ["float64", [1]]}, "outputs": {}}}'),
        ("parts", '{"step": {"inputs": {"x": ["float32", [-1]]}, "outputs": {}}}'),
        ("parts", '{"step": {"inputs": {"x": ["float32", ["H-1"]]}, "outputs": {}}}'),
        ("parts", "{"),
        ("size", "90"),
        ("precision", "fp8"),
    ],
)
def test_broken_descriptions(tmp_path: Path, key: str, value: str) -> None:
    metadata = {**DESCRIPTION.as_metadata(), key: value}
    with pytest.raises(WeightsError, match="is damaged or no ONNX file"):
        read(_described(tmp_path / "model.onnx", metadata))


def test_missing_parts(tmp_path: Path) -> None:
    metadata = DESCRIPTION.as_metadata()
    del metadata["halo"]
    with pytest.raises(WeightsError, match="halo"):
        read(_described(tmp_path / "model.onnx", metadata))
    file = read(_described(tmp_path / "model.onnx", DESCRIPTION.as_metadata()))
    with pytest.raises(WeightsError, match="step"):
        file.part("step")


def test_exported_files_keep_their_data(tmp_path: Path) -> None:
    path = _described(tmp_path / "model.onnx", DESCRIPTION.as_metadata())
    keep_outside(path, "w.bin")
    with pytest.raises(WeightsError, match="keeps all data"):
        read(path)
