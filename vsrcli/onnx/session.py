"""Graphs run by ONNX Runtime, with torch tensors in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsrcli.errors import DeviceError, InputError, WeightsError
from vsrcli.onnx.shapes import Signature, sized, sizes_of
from vsrcli.zoo.cache import cache_folder

_CUDA, _TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
_SILENT = 4
"""Of the runtime's levels of logging: what fails is raised too."""
_MEMORY = ("allocate memory", "bad_alloc", "out of memory", "bad allocation")
"""What the runtime says when there is too little, on any device."""


class Session:
    """An ONNX Runtime session on a device, with as many threads as torch has."""

    def __init__(self, model: bytes | Path, device: torch.device, source: Path) -> None:
        """`source` is the file that errors name. Raises WeightsError when the runtime refuses the
        model, DeviceError when it has nothing for the device."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        options.intra_op_num_threads = torch.get_num_threads()
        given = str(model) if isinstance(model, Path) else model
        providers = providers_for(device)
        self.device = device
        self.source = source
        self.runtime: Any = self.attempt(
            lambda: onnxruntime.InferenceSession(
                given,
                options,
                providers=providers,
                # Which tries the same again and prints that.
                enable_fallback=device.type != "cpu",
            )
        )

    def run(self, outputs: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs of these names, from the host's memory into it."""
        made: list[NDArray[Any]] = self.attempt(lambda: self.runtime.run(outputs, feed))
        return made

    def attempt(self, work: Callable[[], Any]) -> Any:
        """What `work` gives; raises failures of the runtime as WeightsError, or as torch's
        out-of-memory error."""
        try:
            return work()
        except Exception as error:
            # The runtime's exceptions have no base of their own; names in a file may be no text.
            own = type(error).__module__.startswith("onnxruntime")
            if not own and not isinstance(error, UnicodeDecodeError):
                raise
            reason = " ".join(str(error).split())
            if any(words in reason for words in _MEMORY):
                raise torch.OutOfMemoryError(f"out of memory in ONNX Runtime: {reason}") from None
            raise WeightsError(f"ONNX Runtime cannot run {self.source} ({reason})") from None


class Graph:
    """A graph in a session."""

    def __init__(self, session: Session, signature: Signature) -> None:
        self.signature = signature
        self._session = session

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """The outputs for inputs in the signature's order, which are converted to its types.

        Raises InputError when they have other shapes, WeightsError when the graph fails or gives
        other shapes than it says, and torch's out-of-memory error.
        """
        values = self.signature.inputs.values()
        try:
            shapes = ((v.shape, x.shape) for v, x in zip(values, inputs, strict=True))
            sizes = sizes_of(shapes)
        except ValueError as error:
            raise InputError(
                f"{self._session.source} takes other sizes: {error}; for any size export the "
                "model with --size dynamic"
            ) from None
        device = self._session.device
        given = [
            x.detach().to(device, v.dtype).contiguous() for v, x in zip(values, inputs, strict=True)
        ]
        shapes_out = [sized(value.shape, sizes) for value in self.signature.outputs.values()]
        if device.type == "cuda":
            return self._bound(given, shapes_out)
        feed = dict(zip(self.signature.inputs, (x.numpy() for x in given), strict=True))
        made = self._session.run(list(self.signature.outputs), feed)
        for array, shape in zip(made, shapes_out, strict=True):
            if array.shape != shape:
                source = self._session.source
                raise WeightsError(f"{source} gives {array.shape} where it says {shape}")
        return [torch.from_numpy(array) for array in made]

    def _bound(self, inputs: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """The outputs without leaving the card."""
        types = {torch.float32: np.float32, torch.float16: np.float16}
        device, runtime = self._session.device, self._session.runtime
        values = self.signature.outputs
        outputs = [
            torch.empty(shape, dtype=value.dtype, device=device)
            for shape, value in zip(shapes, values.values(), strict=True)
        ]
        binding = runtime.io_binding()
        place = {"device_type": "cuda", "device_id": _number(device)}
        for bind, names, tensors in (
            (binding.bind_input, self.signature.inputs, inputs),
            (binding.bind_output, values, outputs),
        ):
            for name, x in zip(names, tensors, strict=True):
                bind(
                    name=name,
                    **place,
                    element_type=types[x.dtype],
                    shape=tuple(x.shape),
                    buffer_ptr=x.data_ptr(),
                )
        # The runtime has a stream of its own.
        torch.cuda.current_stream(device).synchronize()
        self._session.attempt(lambda: runtime.run_with_iobinding(binding))
        binding.synchronize_outputs()
        return outputs


def runs_on(device: torch.device) -> bool:
    """Whether this build of ONNX Runtime has something for a device."""
    import onnxruntime

    if device.type == "cuda":
        return _CUDA in onnxruntime.get_available_providers()
    return device.type == "cpu"


def providers_for(device: torch.device) -> list[Any]:
    """What runs graphs on a device, the fastest first, with their settings.

    TensorRT takes minutes to build its engines, and keeps them in the user's cache. Raises
    DeviceError when there is nothing for the device.
    """
    import onnxruntime

    if not runs_on(device):
        raise DeviceError(
            f"This ONNX Runtime has nothing for {device}; use --device cpu, --backend torch, or "
            "install onnxruntime-gpu"
        )
    if device.type == "cpu":
        return ["CPUExecutionProvider"]
    chosen: list[Any] = [(_CUDA, {"device_id": _number(device)}), "CPUExecutionProvider"]
    if _TENSORRT in onnxruntime.get_available_providers() and find_spec("tensorrt") is not None:
        engines = cache_folder() / "engines"
        engines.mkdir(parents=True, exist_ok=True)
        settings = {
            "device_id": _number(device),
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": True,
        }
        chosen.insert(0, (_TENSORRT, settings))
    return chosen


def _number(device: torch.device) -> int:
    """Of a card."""
    return torch.cuda.current_device() if device.index is None else device.index
