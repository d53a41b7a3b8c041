"""The traced parts of a network put together into one ONNX file.

Parts become functions of the file, whose weights are handed to them, so that each is stored once.
The file's own graph is what another program would want: for a window its middle frame, for a group
or a clip all of its frames, for the others one step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from vsrcli.networks.spec import Bidirectional, Groups, Window
from vsrcli.onnx.description import Description
from vsrcli.onnx.file import DOMAIN, typed
from vsrcli.onnx.shapes import PICTURE, Shape, Value, Values, enlarged, fixed, sized
from vsrcli.onnx.tracing import OPSET

_IR_VERSION = 8
"""Of the files: the first in which functions may be defined."""
_CLIP = 5
"""Frames of the graph where the strategy takes any."""


def assembled(description: Description, models: Mapping[str, bytes]) -> bytes:
    """The file of a network, out of the model of each part by its name."""
    import onnx

    weights: dict[str, Any] = {}
    functions = [_function(name, data, weights) for name, data in models.items()]
    graph = _Graph(description, {function.name: list(function.input) for function in functions})
    match description.spec.strategy:
        case Window(radius):
            interface = graph.window(2 * radius + 1)
        case Groups(size):
            interface = graph.group(size)
        case Bidirectional():
            interface = graph.clip(_CLIP)
        case _:
            interface = graph.step()
    inputs, outputs = (
        [onnx.ValueInfoProto.FromString(typed(*item)) for item in values.items()]
        for values in interface
    )
    body = onnx.helper.make_graph(
        graph.nodes, description.spec.network, inputs, outputs, list(weights.values())
    )
    model = onnx.helper.make_model(
        body,
        functions=functions,
        ir_version=_IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid(*each) for each in (("", OPSET), (DOMAIN, 1))],
        producer_name="vsr",
        producer_version=description.version,
    )
    onnx.helper.set_model_props(model, description.as_metadata())
    onnx.checker.check_model(model)
    made: bytes = model.SerializeToString()
    return made


def _function(name: str, data: bytes, weights: dict[str, Any]) -> Any:
    """The model of a part as a function, which takes its weights last; those join `weights`."""
    import onnx

    graph = onnx.load_model_from_string(data).graph
    renamed: dict[str, str] = {}
    for tensor in graph.initializer:
        own = tensor.name
        if own in weights and weights[own] != tensor:  # made by the exporter, which counts anew
            tensor.name = f"{name}.{own}"
        weights[tensor.name] = tensor
        renamed[own] = tensor.name
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            # Of a file's nodes these would be the most, as every call makes its own.
            tensor = node.attribute[0].t
            digest = hashlib.sha256(tensor.SerializeToString()).hexdigest()
            renamed[node.output[0]] = tensor.name = f"constant.{digest[:16]}"
            weights[tensor.name] = tensor
            continue
        for index, each in enumerate(node.input):
            node.input[index] = renamed.get(each, each)
        nodes.append(node)
    return onnx.helper.make_function(
        DOMAIN,
        name,
        [*(value.name for value in graph.input), *dict.fromkeys(renamed.values())],
        [value.name for value in graph.output],
        nodes,
        [onnx.helper.make_opsetid("", OPSET)],
    )


Interface = tuple[Values, Values]
"""Inputs and outputs of a graph."""


class _Graph:
    """The file's own graph, on its way."""

    def __init__(self, description: Description, takes: Mapping[str, Sequence[str]]) -> None:
        """`takes`: the inputs of each function, weights included."""
        self.nodes: list[Any] = []
        self._parts = description.parts
        self._scale = description.spec.scales[0]
        self._size = description.size
        self._takes = takes

    def step(self) -> Interface:
        signature = self._parts["step"]
        self._add("step", self._takes["step"], list(signature.outputs), domain=DOMAIN)
        return signature.inputs, signature.outputs

    def window(self, count: int) -> Interface:
        """(count, 3, H, W) -> (1, 3, s*H, s*W)"""
        (features,) = self._call("frame_features", "frames")
        center = self._picked("frames", [count // 2])
        self._call("from_features", *self._split(features, count), center, outputs=["restored"])
        return self._interface(count, 1)

    def group(self, size: int) -> Interface:
        """(size, 3, H, W) -> (2 * size - 1, 3, s*H, s*W), as STDAN has it."""
        pyramid = self._call("frame_features", "frames")
        neighbors = [self._picked(level, range(size - 1)) for level in pyramid]
        neighbors += [self._picked(level, range(1, size)) for level in pyramid]
        ahead, back = (self._split(x, size - 1) for x in self._call("pair_features", *neighbors))
        # Both directions at once; the state begins with zeros.
        pairs = [self._join(*two) for two in zip(ahead, reversed(back), strict=True)]
        (hidden,) = self._add("Sub", [pairs[0], pairs[0]])
        made = []
        for pair in pairs:
            both, hidden = self._call("between", pair, hidden)
            made.append(self._split(both, 2))
        forward = self._join(*(ahead for ahead, _ in made))
        backward = self._join(*(back for _, back in reversed(made)))
        (fused,) = self._call("fused", forward, backward)
        # Frames at even places, what is between them at odd ones.
        order = [index // 2 + index % 2 * size for index in range(2 * size - 1)]
        maps = self._picked(self._join(pyramid[0], fused), order)
        offers = self._call("offered", maps)
        answers = []
        for own in range(len(order)):
            query = [self._picked(offer, [own]) for offer in offers[:2]]
            rest = [index for index in range(len(order)) if index != own]
            source = [self._picked(offer, rest) for offer in offers[2:]]
            found = self._call("found", *query, *source)
            answers.append([self._add("Unsqueeze", [x, self._numbers([1])])[0] for x in found])
        relevance, taken = (self._join(*each, axis=1) for each in zip(*answers, strict=True))
        self._call("restored", maps, relevance, taken, outputs=["restored"])
        return self._interface(size, 2 * size - 1)

    def clip(self, count: int) -> Interface:
        """(count, 3, H, W) -> (count, 3, s*H, s*W), as BasicVSR has it."""
        frames = self._split("frames", count)
        flows = self._call("flows", self._join(*frames[:-1]), self._join(*frames[1:]))
        to_next, to_previous = (self._split(flow, count - 1) for flow in flows)
        nothing = self._no_state(frames[0])
        behind = self._call("step_backward", frames[-1], nothing)
        for frame, flow in zip(reversed(frames[:-1]), reversed(to_next), strict=True):
            (aligned,) = self._call("align", behind[-1], flow)
            behind += self._call("step_backward", frame, aligned)
        restored, state = self._call("step_forward", frames[0], behind.pop(), nothing)
        made = [restored]
        for frame, flow in zip(frames[1:], to_previous, strict=True):
            (aligned,) = self._call("align", state, flow)
            restored, state = self._call("step_forward", frame, behind.pop(), aligned)
            made.append(restored)
        self._add("Concat", made, ["restored"], axis=0)
        return self._interface(count, count)

    def _no_state(self, frame: str) -> str:
        """Zeros in the shape of a state."""
        from onnx.numpy_helper import from_array

        state = self._parts["align"].outputs["aligned"]
        (lengths,) = self._add("Shape", [frame], start=2)
        shape = self._join(self._numbers(sized(state.shape[:2], {})), lengths)
        zero = from_array(torch.zeros(1, dtype=state.dtype).numpy())
        return self._add("ConstantOfShape", [shape], value=zero)[0]

    def _interface(self, taken: int, given: int) -> Interface:
        frames: Shape = (taken, *PICTURE[1:])
        restored: Shape = (given, *enlarged(self._scale)[1:])
        names = dict(zip("HW", self._size or (), strict=False))
        values = (Value(fixed(shape, names)) for shape in (frames, restored))
        return {"frames": next(values)}, {"restored": next(values)}

    def _call(self, part: str, *given: str, outputs: Sequence[str] = ()) -> list[str]:
        """What a function makes of these inputs."""
        signature = self._parts[part]
        weights = self._takes[part][len(signature.inputs) :]
        made = list(outputs) or self._fresh(part, len(signature.outputs))
        return self._add(part, [*given, *weights], made, domain=DOMAIN)

    def _split(self, x: str, count: int) -> list[str]:
        """Along the first axis."""
        return self._add("Split", [x], self._fresh(x, count), axis=0, num_outputs=count)

    def _join(self, *pieces: str, axis: int = 0) -> str:
        return self._add("Concat", pieces, axis=axis)[0]

    def _picked(self, x: str, places: Iterable[int]) -> str:
        """Of the first axis."""
        return self._add("Gather", [x, self._numbers(places)], axis=0)[0]

    def _numbers(self, values: Iterable[int]) -> str:
        return self._add("Constant", [], value_ints=list(values))[0]

    def _add(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str] = (), **settings: Any
    ) -> list[str]:
        from onnx.helper import make_node

        made = list(outputs) or self._fresh(operator, 1)
        self.nodes.append(make_node(operator, list(inputs), made, **settings))
        return made

    def _fresh(self, stem: str, count: int) -> list[str]:
        """Names that nothing has yet."""
        return [f"{stem}.{len(self.nodes)}.{index}" for index in range(count)]
