"""FSTRN as a graph: one frame of a stream, what the layers remember of earlier ones handed in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vsrcli.networks.architectures import for_inference
from vsrcli.networks.fstrn import FSTRN, residual, restore
from vsrcli.onnx.shapes import PICTURE, Value, Values, enlarged
from vsrcli.ops.ycbcr import rgb_to_luma


class FSTRNStep(nn.Module):
    """The step of a stream with frame t, which gives the restored frame t - `delay`.

    Layer k, of those with three taps in time, works on frame t - k, given the two frames it was
    given before. Beyond the clip's ends it must see zeros: `valid` holds a 1 for each layer whose
    frame is of the clip, else a 0. What a layer was given n steps ago is the input `layer@n`; what
    it is given now is the output `layer`.
    """

    def __init__(self, network: FSTRN, dtype: torch.dtype) -> None:
        super().__init__()
        self.config, self.spec = network.config, network.spec
        for name, value in for_inference(network, dtype).named_buffers():
            self.register_buffer(name, value)
        memory = _Memory(None, self.config.blocks)
        self._residual(torch.zeros(1, 3, 4, 4), memory)
        self.delay = len(memory.layers)
        self.inputs: Values = {
            "frame": Value(PICTURE),
            f"frame@{self.delay}": Value(PICTURE),
            "valid": Value((self.delay,)),
        }
        self.outputs: Values = {"restored": Value((1, *enlarged(self.config.scale)[1:]))}
        for name, x in memory.given.items():
            remembered = Value((1, 1, "H", "W", x.shape[-1]), x.dtype)
            self.outputs[name] = remembered
            for age in memory.ages(name):
                self.inputs[f"{name}@{age}"] = remembered

    def step(self, *inputs: Tensor) -> list[Tensor]:
        values = dict(zip(self.inputs, inputs, strict=True))
        memory = _Memory(values, self.config.blocks)
        made = self._residual(values["frame"], memory)
        restored = restore(self.config, values[f"frame@{self.delay}"], made)
        return [restored, *memory.given.values()]

    def _residual(self, frame: Tensor, memory: _Memory) -> Tensor:
        """(1, 3, H, W) -> (1, 1, s*H, s*W)"""
        luma = rgb_to_luma(frame)[:, None]
        return residual(self.config, dict(self.named_buffers()), luma, memory)[:, 0]


class _Memory:
    """The `Time` of one step; tensors are (1, 1, H, W, C)."""

    def __init__(self, inputs: dict[str, Tensor] | None, blocks: int) -> None:
        """`inputs` are those of the step; without them zeros stand for all that was."""
        self._inputs = inputs
        self._blocks = blocks
        self.layers: list[str] = []
        """Those with three taps in time, in their order."""
        self.given: dict[str, Tensor] = {}
        """What must be remembered of this step."""

    def ages(self, name: str) -> tuple[int, ...]:
        """Steps after which what is remembered under `name` is needed."""
        if name in self.layers:
            return 1, 2
        return (self._blocks,) if name == "blocks" else (1,)

    def around(self, layer: str, x: Tensor) -> Tensor:
        if self._inputs is not None:
            x = x * self._inputs["valid"][len(self.layers)].to(x.dtype)
        self.layers.append(layer)
        self.given[layer] = x
        newer, older = self._past(layer)
        return torch.cat((older, newer, x), 1)

    def wait(self, layer: str, x: Tensor, frames: int) -> Tensor:
        self.given[layer] = x
        (past,) = self._past(layer)
        return past

    def _past(self, name: str) -> list[Tensor]:
        ages = self.ages(name)
        if self._inputs is None:
            return [torch.zeros_like(self.given[name])] * len(ages)
        return [self._inputs[f"{name}@{age}"] for age in ages]
