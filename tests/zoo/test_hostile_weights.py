"""Checkpoints and weights files made to run code, to take memory, or to be mistaken."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from models import TINY, tiny_tga, tiny_weights
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_models import keep_outside, write_plain
from parity import load_fixture
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from vsrcli.errors import VsrError, WeightsError
from vsrcli.restore.restorer import load
from vsrcli.zoo.official import import_checkpoint
from vsrcli.zoo.weights import LARGEST_HEADER, build_network, load_weights


class _Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.canary),)


def _torch(evil: object) -> bytes:
    file = BytesIO()
    torch.save(evil, file)
    return file.getvalue()


def _legacy(evil: object) -> bytes:
    file = BytesIO()
    torch.save(evil, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def _zipped(evil: object) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.pth", _torch(evil))
    return file.getvalue()


def _zipped_legacy(evil: object) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.pt", _legacy(evil))
    return file.getvalue()


def _tar(evil: object) -> bytes:
    """Torch's oldest format: an archive of pickles."""
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(evil, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return file.getvalue()


def _script(evil: object) -> bytes:
    """An archive with the marks of TorchScript, which is loaded in another way."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("constants.pkl", "data.pkl", "version", "byteorder"):
            archive.writestr(f"x/{name}", pickle.dumps(evil, protocol=2))
    return file.getvalue()


def _hidden(evil: object) -> bytes:
    """An archive behind a pickle: the two ways to tell the kind of a file differ."""
    return pickle.dumps(evil, protocol=2) + _torch({"a": torch.zeros(1)})


def _bare(evil: object) -> bytes:
    return pickle.dumps(evil)


@pytest.mark.parametrize(
    "wrap",
    [_torch, _legacy, _zipped, _zipped_legacy, _tar, _script, _hidden, _bare],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("suffix", [".pth", ".pth.tar", ".zip", ".safetensors", ".onnx", ""])
def test_no_code_runs(tmp_path: Path, wrap: Callable[[object], bytes], suffix: str) -> None:
    """Whatever the file is called and whichever way it gets in."""
    canary, path = tmp_path / "canary", tmp_path / f"evil{suffix}"
    path.write_bytes(wrap({"conv3d_1.weight": torch.zeros(1), "x": _Payload(canary)}))
    with pytest.raises(WeightsError):
        import_checkpoint("tga", path)
    for model, weights in ((str(path), None), ("tga", path), (None, path)):
        with pytest.raises(VsrError):
            load(model, weights, "cpu")
    assert not canary.exists()
    assert pickle.loads(pickle.dumps(_Payload(canary))) is None and canary.exists(), "it can"


def _rewritten(source: bytes, change: Callable[[str, bytes], bytes], compress: bool) -> bytes:
    """A torch file with other contents of its members."""
    file = BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(BytesIO(source)) as old, zipfile.ZipFile(file, "w", kind) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def _bomb(name: str, content: bytes) -> bytes:
    return bytes(1 << 28) if name.endswith("data/0") else content


def test_compressed_torch_files_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    path.write_bytes(_rewritten(_torch({"a": torch.zeros(1)}), _bomb, compress=True))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(WeightsError, match="is compressed in a way"):
        import_checkpoint("tga", path)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(path, "bomb.pth")
    with pytest.raises(WeightsError, match="is compressed in a way"):
        import_checkpoint("tga", tmp_path / "outer.zip")


def test_zip_bomb_around_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsrcli.zoo.official._LARGEST_MEMBER", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.pth", bytes((1 << 20) + 1))
    with pytest.raises(WeightsError, match="too large to be one"):
        import_checkpoint("tga", tmp_path / "x.zip")


def test_tensors_larger_than_their_bytes(tmp_path: Path) -> None:
    """Which would show what else lies in memory."""
    path = tmp_path / "short.pth"
    state = load_fixture("tga").state
    path.write_bytes(
        _rewritten(_torch(state), lambda n, c: c[:16] if "/data/" in n else c, compress=False)
    )
    with pytest.raises(WeightsError, match=r"short\.pth"):
        import_checkpoint("tga", path)


ODD: dict[str, Callable[[int], Tensor]] = {
    "integer": lambda n: torch.zeros(n, dtype=torch.int64),
    "complex": lambda n: torch.zeros(n, dtype=torch.complex64),
    "bool": lambda n: torch.zeros(n, dtype=torch.bool),
    "without content": lambda n: torch.zeros(n, device="meta"),
    "sparse": lambda n: torch.sparse_coo_tensor(
        torch.zeros(1, 1), torch.zeros(1), (n,), check_invariants=True
    ),
    "infinite": lambda n: torch.full((n,), torch.inf),
    "not a number": lambda n: torch.full((n,), torch.nan, dtype=torch.float64),
    "endless": lambda n: torch.zeros(1).expand(1 << 40),
}


@pytest.mark.parametrize("kind", ODD)
def test_tensors_that_are_no_weights(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd.pth"
    state = load_fixture("basicvsr").state
    name = next(key for key in state if key.endswith("bias"))
    torch.save({**state, name: ODD[kind](len(state[name]))}, path)
    with pytest.raises(WeightsError, match=r"odd\.pth"):
        import_checkpoint("basicvsr", path)


def _safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _tensor(start: int, end: int, shape: list[int], kind: str = "F32") -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


ABOUT = {"network": "tga", "config": json.dumps(TINY.__dict__)}
TWICE = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, ' * 2

FILES = {
    "header of petabytes": struct.pack("<Q", 1 << 60) + b"{}",
    "header beyond the file": struct.pack("<Q", LARGEST_HEADER) + b"{}",
    "header without end": _safetensors(b'{"a":' + b"[" * 200_000),
    "header that is no object": _safetensors(b"[]"),
    "overlapping": _safetensors({"a": _tensor(0, 4, [1]), "b": _tensor(0, 4, [1])}, bytes(4)),
    "hole": _safetensors({"a": _tensor(0, 4, [1]), "b": _tensor(8, 12, [1])}, bytes(12)),
    "beyond the end": _safetensors({"a": _tensor(0, 8, [2])}, bytes(4)),
    "backwards": _safetensors({"a": _tensor(4, 0, [1])}, bytes(4)),
    "twice": _safetensors(TWICE[:-2] + b"}", bytes(4)),
    "gigantic": _safetensors({"a": _tensor(0, 4, [1 << 40])}, bytes(4)),
    "overflowing": _safetensors({"a": _tensor(0, 4, [1 << 62, 4])}, bytes(4)),
    "negative": _safetensors({"a": _tensor(0, 4, [-1])}, bytes(4)),
    "no such type": _safetensors({"a": _tensor(0, 4, [1], "F31")}, bytes(4)),
    "trailing": _safetensors({"a": _tensor(0, 4, [1])}, bytes(9)),
}


@pytest.mark.parametrize("kind", FILES)
def test_headers(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(FILES[kind])
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        load_weights(path)
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        import_checkpoint("tga", path)


def test_a_long_header_is_not_read(tmp_path: Path) -> None:
    content = save({"a": torch.zeros(1)}, metadata={"x": "x" * LARGEST_HEADER})
    (tmp_path / "long.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="a header of 10"):
        load_weights(tmp_path / "long.safetensors")


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.complex64])
def test_types_that_are_no_weights(tmp_path: Path, kind: torch.dtype) -> None:
    state = load_file(tiny_weights(tmp_path))
    state["compress.bias"] = state["compress.bias"].to(kind)
    save_file(state, tmp_path / "odd.safetensors", metadata=ABOUT)
    with pytest.raises(WeightsError, match=r"compress\.bias does not hold plain"):
        load_weights(tmp_path / "odd.safetensors")


@pytest.mark.parametrize(
    ("network", "config"),
    [
        ("tga", {"intra_blocks": 10**9}),
        ("tga", {"features": 9_999}),
        ("tga", {"features": [[1]]}),
        ("stdan", {"window": 300}),
        ("stdan", {"blocks": 10**9}),
        ("stdan", {"encoder_groups": 9_999}),
        ("spmc", {"frames": 10**12}),
        ("spmc", {"scale": 1e300}),
        ("stfan", {"channels": [9_999] * 3}),
        ("stfan", {"channels": []}),
        ("fstrn", {"blocks": 10**9}),
        ("fstrn", {"scale": 10**6}),
        ("basicvsr", {"features": -1}),
        ("basicvsr", {"features": 9_999}),
    ],
)
def test_configurations_that_would_take_all_memory(network: str, config: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match=f"Not a configuration of {network}"):
        build_network(network, config)


def test_the_limits_end_with_the_block() -> None:
    """Other modules of the program may be as large as they like."""
    assert tiny_tga().config == TINY
    large = torch.nn.ParameterList(torch.empty(1, device="meta") for _ in range(10_001))
    assert len(large) == 10_001


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "missing"])
def test_onnx_data_that_leads_outside(tmp_path: Path, kind: str) -> None:
    """A name inside the folder may stand for something outside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    path = write_plain(folder / "model.onnx")
    keep_outside(path, "w.bin")
    data = folder / "w.bin"
    assert load(str(path), device="cpu").spec.scales == (2,)
    data.rename(tmp_path / "w.bin")
    if kind == "link":
        data.symlink_to(tmp_path / "w.bin")
    elif kind == "pipe":
        os.mkfifo(data)
    elif kind == "folder":
        data.mkdir()
    said = "cannot run" if kind == "missing" else "outside its folder"
    with pytest.raises(WeightsError, match=said):
        load(str(path), device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        (b"blurred", b"bl\xf4rred"),
        (b"\x04Conv", b"\x04Evil"),
        (b"kernel", b"kernez"),
    ],
    ids=["no text", "no such operator", "no such tensor"],
)
def test_onnx_models_that_cannot_run(
    tmp_path: Path, change: tuple[bytes, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_plain(tmp_path / "model.onnx")
    data = path.read_bytes()
    path.write_bytes(data.replace(change[0], change[1], 1))
    with pytest.raises(WeightsError, match=r"model\.onnx"):
        load(str(path), device="cpu")
    assert capfd.readouterr() == ("", "")


def _onnx(folder: Path, nodes: list[NodeProto], tensor: TensorProto, *domains: str) -> Path:
    """A model of these nodes and one initializer."""
    picture, larger = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, f"h{name}", f"w{name}"])
        for name in ("input", "output")
    )
    graph = helper.make_graph(nodes, "g", [picture], [larger], [tensor])
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(each, 1) for each in domains)]
    path = folder / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


@pytest.mark.parametrize("shape", [[200_000, 3, 100, 100], [1 << 62, 3, 1 << 40, 9], [-1, 3, 9, 9]])
def test_onnx_tensors_larger_than_the_file(tmp_path: Path, shape: list[int]) -> None:
    kernel = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=shape, raw_data=bytes(16))
    conv = helper.make_node("Conv", ["input", "k"], ["output"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match=r"cannot run .*model\.onnx"):
        load(str(_onnx(tmp_path, [conv], kernel)), device="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10


def test_onnx_operators_of_others(tmp_path: Path) -> None:
    """There is no way for a file to bring code along."""
    unused = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[1], raw_data=bytes(4))
    node = helper.make_node("Evil", ["input"], ["output"], domain="evil.operators")
    with pytest.raises(WeightsError, match=r"cannot run .* is not a registered function/op"):
        load(str(_onnx(tmp_path, [node], unused, "evil.operators")), device="cpu")


def test_onnx_that_computes_terabytes(tmp_path: Path) -> None:
    size = numpy_helper.from_array(np.array([1, 3, 10**6, 10**6], np.int64), "k")
    nodes = [
        helper.make_node("ConstantOfShape", ["k"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["one"], keepdims=1),
        helper.make_node("Add", ["input", "one"], ["output"]),
    ]
    with pytest.raises(WeightsError, match="needs more memory than there is"):
        load(str(_onnx(tmp_path, nodes, size)), device="cpu")
