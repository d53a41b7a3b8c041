"""Protocol buffers, against the messages of Google's implementation in the onnx package."""

from __future__ import annotations

import onnx
import pytest

from vsrcli.onnx.wire import fields, parts, texts, written


def test_reads_what_others_write() -> None:
    entry = onnx.StringStringEntryProto(key="a key", value="größe")
    model = onnx.ModelProto(ir_version=300, producer_name="x", metadata_props=[entry] * 2)
    model.graph.name = "a" * 200
    message = memoryview(model.SerializeToString())
    assert dict(fields(message))[1] == 300
    assert texts(message, 2) == ["x"]
    assert [texts(each, 2) for each in parts(message, 14)] == [["größe"], ["größe"]]
    (graph,) = parts(message, 7)
    assert texts(graph, 2) == ["a" * 200]


def test_passes_over_numbers_of_fixed_size() -> None:
    attribute = onnx.AttributeProto(name="n", f=1.5, i=-1, floats=[1.0, 2.0])
    assert texts(memoryview(attribute.SerializeToString()), 1) == ["n"]


def test_others_read_what_it_writes() -> None:
    message = written(1, 2**40) + written(2, "größe") + written(7, written(2, b"x" * 1000))
    model = onnx.ModelProto.FromString(message)
    assert (model.ir_version, model.producer_name) == (2**40, "größe")
    assert model.graph.name == "x" * 1000


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",  # no length
        b"\x0a\x05abc",  # shorter than it says
        b"\x08",  # no number
        b"\x08" + b"\xff" * 12,  # a number without end
        b"\x0b",  # groups, which are long out of use
        b"\x0d\x00",  # half a float
    ],
)
def test_broken_messages(message: bytes) -> None:
    with pytest.raises(ValueError):
        list(fields(memoryview(message)))
