"""Models of other makers, built here as they publish theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx_models import keep_outside, write_plain

from vsrcli.errors import WeightsError
from vsrcli.onnx.file import read
from vsrcli.onnx.plain import PlainModel, plain_model

CPU = torch.device("cpu")


def _model(path: Path) -> PlainModel:
    return plain_model(read(path), CPU)


def _blurred(pictures: torch.Tensor, scale: int) -> torch.Tensor:
    """What the model of `write_plain` does."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = (line[:, None] * line).expand(3, 1, 5, 5)
    blurred = torch.nn.functional.conv2d(pictures, kernel, padding=2, groups=3)
    return blurred.repeat_interleave(scale, 2).repeat_interleave(scale, 3)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_scale_shows_itself(tmp_path: Path, scale: int) -> None:
    model = _model(write_plain(tmp_path / "model.onnx", scale=scale))
    assert (model.scale, model.multiple, model.size, model.batches) == (scale, 1, None, True)
    pictures = torch.rand(2, 3, 9, 14)
    (made,) = model.graph(pictures)
    assert (made - _blurred(pictures, scale)).abs().max() < 1e-6


@pytest.mark.parametrize("multiple", [2, 4, 16, 64])
def test_sizes_that_must_be_multiples(tmp_path: Path, multiple: int) -> None:
    model = _model(write_plain(tmp_path / "model.onnx", multiple=multiple))
    assert (model.multiple, model.batches) == (multiple, True)


@pytest.mark.parametrize(
    ("shape", "size", "batches"),
    [
        ((1, 3, 48, 64), (48, 64), False),
        (("n", 3, 48, 64), (48, 64), True),
        ((1, 3, "h", "w"), None, False),
        (("n", "c", "h", "w"), None, True),
    ],
)
def test_fixed_shapes(
    tmp_path: Path, shape: Sequence[int | str], size: tuple[int, int] | None, batches: bool
) -> None:
    model = _model(write_plain(tmp_path / "model.onnx", shape))
    assert (model.size, model.batches, model.scale) == (size, batches, 2)


def test_half_precision(tmp_path: Path) -> None:
    model = _model(write_plain(tmp_path / "model.onnx", element=TensorProto.FLOAT16))
    assert model.dtype == torch.float16
    pictures = torch.rand(1, 3, 8, 8)
    (made,) = model.graph(pictures)
    assert (made - _blurred(pictures, 2)).abs().max() < 2e-3


def test_weights_beside_the_file(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "model.onnx")
    keep_outside(path, "data/weights.bin")
    assert _model(path).scale == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shape": (1, 1, "h", "w")}, r"input has shape \(1, 1, 'h', 'w'\)"),
        ({"shape": (4, 3, "h", "w")}, "input has shape"),
        ({"channels": 1}, r"becomes an output of shape \(1, 1, "),
        ({"scale": 17}, "becomes an output"),
        ({"multiple": 128}, "ONNX Runtime cannot run"),
    ],
)
def test_other_models(tmp_path: Path, options: dict[str, object], said: str) -> None:
    path = write_plain(tmp_path / "model.onnx", **options)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=said) as found:
        _model(path)
    assert "\n" not in str(found.value)


def test_more_than_a_picture(tmp_path: Path) -> None:
    model = onnx.load(write_plain(tmp_path / "model.onnx"))
    model.graph.input.append(helper.make_tensor_value_info("strength", TensorProto.FLOAT, [1]))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match="2 inputs and 1 outputs"):
        _model(tmp_path / "model.onnx")


def test_other_types(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(n, TensorProto.UINT8, [1, 3, 8, 8]) for n in "xy"]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match=r"x is of type tensor\(uint8\)"):
        _model(tmp_path / "model.onnx")


def test_operators_that_nobody_knows(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No library of operators is ever loaded for a file; and the runtime itself is silent."""
    model = onnx.load(write_plain(tmp_path / "model.onnx"))
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match=r"ONNX Runtime cannot run .*com.example"):
        _model(tmp_path / "model.onnx")
    assert capfd.readouterr().err == ""
