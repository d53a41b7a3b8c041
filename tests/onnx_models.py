"""ONNX files made for tests: tiny networks exported, and models as others publish them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from models import tiny
from onnx import TensorProto, helper, numpy_helper

from vsrcli.onnx.export import export_network

SHA = "ab" * 32
"""Stands for the hash of a weights file."""


def write_tiny(path: Path, name: str, **options: Any) -> Path:
    """The `tiny` network of this name, exported."""
    path.write_bytes(export_network(tiny(name), weights=SHA, **options).content)
    return path


def write_plain(
    path: Path,
    shape: Sequence[int | str] = ("n", 3, "h", "w"),
    *,
    scale: int = 2,
    channels: int = 3,
    element: int = TensorProto.FLOAT,
    multiple: int = 1,
) -> Path:
    """A model that blurs a picture, 5x5 with zeros around, and repeats its pixels.

    With a `multiple` it folds the picture into blocks of that size and back first, which fails for
    other sizes.
    """
    kind = helper.tensor_dtype_to_np_dtype(element)
    kernel = np.zeros((channels, 3, 5, 5))
    kernel[np.arange(channels), np.arange(channels) % 3] = np.outer(*[[1, 4, 6, 4, 1]] * 2) / 256
    nodes = []
    x = "input"
    if multiple > 1:
        nodes = [
            helper.make_node("SpaceToDepth", [x], ["folded"], blocksize=multiple),
            helper.make_node("DepthToSpace", ["folded"], ["unfolded"], blocksize=multiple),
        ]
        x = "unfolded"
    nodes += [
        helper.make_node("Conv", [x, "kernel"], ["blurred"], pads=[2, 2, 2, 2]),
        helper.make_node("Resize", ["blurred", "", "scales"], ["output"], mode="nearest"),
    ]
    larger = [
        *(shape[0], channels),
        *(scale * each if isinstance(each, int) else f"{scale}{each}" for each in shape[2:]),
    ]
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("input", element, shape)],
        [helper.make_tensor_value_info("output", element, larger)],
        [
            numpy_helper.from_array(kernel.astype(kind), "kernel"),
            numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "scales"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def keep_outside(path: Path, location: str) -> None:
    """Move the data of the first tensor of a model into the file `location` beside it."""
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    place = path.parent / location
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(data)))):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
