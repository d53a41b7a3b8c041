"""ONNX files read: what they say of themselves, and the graphs in them that are run.

A file that vsr exported holds each part of its network as a function; its own graph, for other
programs, is made of them. `OnnxFile.part` is the model of one part alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

import torch

from vsrcli.errors import WeightsError
from vsrcli.onnx.description import Description, described
from vsrcli.onnx.shapes import Value, Values
from vsrcli.onnx.wire import fields, parts, texts, written

DOMAIN = "vsr"
"""Of the functions that exported files define."""
_LARGEST = 2**31 - 1
"""Bytes; protocol buffers hold no more."""
_ELEMENT_TYPES = {torch.float32: 1, torch.float16: 10}
_DEEPEST = 32
"""Graphs within graphs."""

# Numbers of fields: of a model,
_IR_VERSION, _OPSET_IMPORT, _GRAPH, _METADATA, _FUNCTIONS = 1, 8, 7, 14, 25
# of a graph,
_NODE, _GRAPH_NAME, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE_INITIALIZER = 1, 2, 5, 11, 12, 15
# of a function,
_FUNCTION_NAME, _FUNCTION_INPUT, _FUNCTION_NODE = 1, 4, 7
# of a node,
_NODE_INPUT, _NODE_OUTPUT, _OPERATOR, _ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
# of an attribute, one and several of each,
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
# and of a tensor.
_TENSOR_NAME, _EXTERNAL_DATA = 8, 13


@dataclass(frozen=True)
class OnnxFile:
    """A file whose outline is harmless."""

    path: Path
    content: bytes = field(repr=False)
    description: Description | None
    """None of files that vsr did not write."""

    def part(self, name: str) -> bytes:
        """The model that is one function of an exported file alone; raises WeightsError when the
        file has no such function."""
        assert self.description is not None
        signature = self.description.parts[name]
        try:
            return _part(memoryview(self.content), name, signature.inputs, signature.outputs)
        except (ValueError, KeyError) as error:
            raise _damaged(self.path, error) from None


def read(path: Path) -> OnnxFile:
    """An ONNX file.

    Raises WeightsError when it is missing, too large, damaged, not ONNX, or wants data from outside
    its own folder.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise WeightsError(f"{path} is larger than the 2 GB that an ONNX file can be")
        return opened(path.read_bytes(), path)
    except FileNotFoundError:
        raise WeightsError(f"No ONNX file {path}") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror})") from None


def opened(content: bytes, path: Path) -> OnnxFile:
    """The file with this content; see `read`."""
    message = memoryview(content)
    try:
        if not any(parts(message, _GRAPH)):
            raise ValueError("it holds no graph")
        description = described(dict(_metadata(message)))
        for place in _external_places(message):
            if not _is_inside(place) or not _leads_inside(path.parent, place):
                raise WeightsError(f"{path} wants data from {place!r}, outside its folder")
            if description is not None:
                raise ValueError("vsr keeps all data in the file")
        return OnnxFile(path, content, description)
    except ValueError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, reason: object) -> WeightsError:
    return WeightsError(f"{path} is damaged or no ONNX file ({reason})")


def _metadata(model: memoryview) -> Iterator[tuple[str, str]]:
    for entry in parts(model, _METADATA):
        yield _text(entry, 1), _text(entry, 2)


def _text(message: memoryview, number: int) -> str:
    """The string in a field; empty when the field is missing, as the format has it."""
    return "".join(texts(message, number)[-1:])


def _is_inside(place: str) -> bool:
    """Whether a path, read as this system or another would, stays in the folder it is relative
    to."""
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(place)
        if path.is_absolute() or path.drive or path.root or ".." in path.parts:
            return False
    return True


def _leads_inside(folder: Path, place: str) -> bool:
    """Whether a place in the folder is still inside it, and no pipe or device, once every link is
    followed; also when nothing is there."""
    found = (folder / place).resolve()
    return found.is_relative_to(folder.resolve()) and (found.is_file() or not found.exists())


def _external_places(model: memoryview) -> Iterator[str]:
    """The places outside the file that its tensors name."""
    for graph in parts(model, _GRAPH):
        yield from _places_of_graph(graph, 0)
    for function in parts(model, _FUNCTIONS):
        for node in parts(function, _FUNCTION_NODE):
            yield from _places_of_node(node, 0)


def _places_of_graph(graph: memoryview, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError("graphs lie too deep within graphs")
    for tensor in parts(graph, _INITIALIZER):
        yield from _places_of_tensor(tensor)
    for sparse in parts(graph, _SPARSE_INITIALIZER):
        yield from _places_of_sparse(sparse)
    for node in parts(graph, _NODE):
        yield from _places_of_node(node, depth)


def _places_of_node(node: memoryview, depth: int) -> Iterator[str]:
    for attribute in parts(node, _ATTRIBUTE):
        for number in _ATTRIBUTE_TENSORS:
            for tensor in parts(attribute, number):
                yield from _places_of_tensor(tensor)
        for number in _ATTRIBUTE_SPARSE:
            for sparse in parts(attribute, number):
                yield from _places_of_sparse(sparse)
        for number in _ATTRIBUTE_GRAPHS:
            for graph in parts(attribute, number):
                yield from _places_of_graph(graph, depth + 1)


def _places_of_sparse(sparse: memoryview) -> Iterator[str]:
    for number in (1, 2):  # values, indices
        for tensor in parts(sparse, number):
            yield from _places_of_tensor(tensor)


def _places_of_tensor(tensor: memoryview) -> Iterator[str]:
    for entry in parts(tensor, _EXTERNAL_DATA):
        if _text(entry, 1) == "location":
            yield _text(entry, 2)


def _part(model: memoryview, name: str, inputs: Values, outputs: Values) -> bytes:
    functions = {_text(f, _FUNCTION_NAME): f for f in parts(model, _FUNCTIONS)}
    function = functions[name]
    # The function's inputs are those of the part, then the initializers that it uses.
    given = texts(function, _FUNCTION_INPUT)
    (graph,) = parts(model, _GRAPH)
    initializers = {_text(x, _TENSOR_NAME): x for x in parts(graph, _INITIALIZER)}
    call = [
        *(written(_NODE_INPUT, x) for x in given),
        *(written(_NODE_OUTPUT, x) for x in outputs),
        written(_OPERATOR, name),
        written(_NODE_DOMAIN, DOMAIN),
    ]
    body = [
        written(_NODE, b"".join(call)),
        written(_GRAPH_NAME, name),
        *(written(_INITIALIZER, initializers[x]) for x in given[len(inputs) :]),
        *(written(_INPUT, typed(x, value)) for x, value in inputs.items()),
        *(written(_OUTPUT, typed(x, value)) for x, value in outputs.items()),
    ]
    header = [written(_IR_VERSION, x) for n, x in fields(model) if n == _IR_VERSION]
    header += [written(_OPSET_IMPORT, x) for x in parts(model, _OPSET_IMPORT)]
    return b"".join([*header, written(_FUNCTIONS, function), written(_GRAPH, b"".join(body))])


def typed(name: str, value: Value) -> bytes:
    """A named tensor of a graph's interface."""
    shape = b"".join(
        written(1, written(1, length) if isinstance(length, int) else written(2, length))
        for length in value.shape
    )
    tensor = written(1, _ELEMENT_TYPES[value.dtype]) + written(2, shape)
    return written(1, name) + written(2, written(1, tensor))
