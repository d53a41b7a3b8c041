"""A model ready to restore frames: network, device, precision, tiles, scene cuts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vsrcli.errors import InputError, UsageError
from vsrcli.networks.architectures import Network, for_inference
from vsrcli.networks.resample import Resample
from vsrcli.networks.spec import (
    Bidirectional,
    Chunk,
    Groups,
    Recurrent,
    Spec,
    Strategy,
    Window,
)
from vsrcli.restore.bidirectional import BidirectionalRunner
from vsrcli.restore.chunk import ChunkRunner
from vsrcli.restore.compiling import CompilingRecorder, is_compilable
from vsrcli.restore.device import Backend, Precision, find_device, find_dtype, is_slower_than_fp32
from vsrcli.restore.graphs import CudaRecorder, Graphs
from vsrcli.restore.groups import GroupRunner
from vsrcli.restore.memory import choose_batch, choose_length, choose_tile, free_memory
from vsrcli.restore.onnx_backend import (
    OnnxNetwork,
    device_for_onnx,
    is_onnx,
    load_exported,
    load_onnx,
)
from vsrcli.restore.ration import Ration
from vsrcli.restore.recurrent import RecurrentRunner
from vsrcli.restore.scenes import DELAY, mark_cuts, split_scenes
from vsrcli.restore.tiles import SMALLEST
from vsrcli.restore.window import WindowRunner
from vsrcli.zoo.catalogue import BASELINES, default_model, network_of
from vsrcli.zoo.weights import find_weights, load_weights

Picture = Tensor | NDArray[np.uint8]
"""(3, H, W) float in [0, 1], or (H, W, 3) uint8; RGB."""

_LARGEST_ERROR = 1 / 255
"""Reduced precision may differ from fp32 by this much."""
_CHECKED_SIDE = 16
"""Pixels a side of the crop on which reduced precision is checked: it shows half of the
largest error of 72x72 pixels or more (eight models, two clips), and costs little at the start."""

_CHECKED_FRAMES = 5
"""Their number where the strategy takes any."""

Tile = int | Literal["auto", "off"]
Scale = tuple[Fraction, Fraction]
"""Vertical, horizontal."""


def load(
    model: str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    scale: int | Scale | None = None,
    tile: Tile = "auto",
    batch: int | None = None,
    scene_detection: bool = True,
    between: bool = True,
    reset_every: int | None = None,
    backend: Backend | None = None,
) -> Restorer:
    """A model by name, or by the path of its weights or of an ONNX file, ready to restore frames.

    `weights` replaces the shipped weights of `model`; without a name they are of what their header
    says. `scale`, vertical and horizontal if they differ, is what baselines make (4 without it),
    and among weights of several scales the one to choose them for. `tile` is a side in input
    pixels. `batch`: whole pictures worked on at once by the strategies that can; without it as many
    as suit the device. `between`: whether a space-time model makes the moments between frames.
    `reset_every`: frames after which a recurrent model begins anew, beside scene cuts. `backend`:
    torch without it, but for ONNX files.
    Raises UsageError for unknown names, WeightsError and DeviceError as they say.
    """
    if isinstance(tile, int) and tile < SMALLEST:
        raise UsageError(f"Tiles of {tile} pixels are too small; use {SMALLEST} or more")
    if batch is not None and batch < 1:
        raise UsageError(f"Restoring {batch} pictures at once makes no sense")
    if reset_every is not None and reset_every < 1:
        raise UsageError(f"Beginning anew every {reset_every} frames makes no sense")
    where = find_device(device)
    if device == "auto" and (backend == "onnx" or is_onnx(model or "")):
        where = device_for_onnx(where)
    name = model or (str(weights) if weights else default_model(compressed=False))
    factors = scale if isinstance(scale, tuple) else (Fraction(scale or 4), Fraction(scale or 4))
    network: Network | Resample | OnnxNetwork
    if name in BASELINES:
        if weights is not None:
            raise UsageError(f"{name} is plain resampling and takes no weights")
        if backend == "onnx":
            raise UsageError(f"{name} is plain resampling and needs no ONNX Runtime")
        network = Resample("bicubic" if name == "bicubic" else "lanczos", factors)
        dtype, tile, scene_detection = torch.float32, "off", False
    elif is_onnx(name):
        if weights is not None or backend == "torch":
            raise UsageError(f"{name} holds its weights and runs in ONNX Runtime alone")
        network, dtype = load_onnx(Path(name), where, precision)
    else:
        path = find_weights(
            name,
            None if weights is None else Path(weights),
            None if scale is None else max(factors),
        )
        expected = None if weights is None or model is None else network_of(name)
        if backend == "onnx":
            network, dtype = load_exported(path, expected, where, precision)
        else:
            network, dtype = load_weights(path, expected), find_dtype(precision, where)
    restorer = Restorer(
        name,
        network,
        where,
        dtype,
        tile,
        batch=batch,
        scene_detection=scene_detection,
        between=between,
        reset_every=reset_every,
    )
    chosen = precision != "auto" and restorer.backend == "torch"
    if chosen and is_slower_than_fp32(dtype, where):
        restorer.warnings.append(
            f"This processor has no {precision} of its own, fp32 is faster; leave out --precision"
        )
    return restorer


class Restorer:
    """Restores frames of one video after another; see `load`."""

    def __init__(
        self,
        name: str,
        network: Network | Resample | OnnxNetwork,
        device: torch.device,
        dtype: torch.dtype,
        tile: Tile,
        *,
        batch: int | None = None,
        scene_detection: bool,
        between: bool = True,
        reset_every: int | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self.dtype = dtype
        self.spec: Spec = network.spec
        self.warnings: list[str] = []
        """What the user should know of, complete once the last frame is out."""
        self.backend: Backend = "onnx" if isinstance(network, OnnxNetwork) else "torch"
        self._trained = network if isinstance(network, Network) else None
        self.graphs = self._trained is not None and device.type == "cuda"
        """Whether the network's parts are recorded as CUDA graphs where that pays."""
        self._tile = tile
        self._batch = batch
        self._scene_detection = scene_detection
        self._between = between
        self._reset_every = reset_every
        self.network: Any = network if self._trained is None else self._at(dtype)
        """frames (B, T, 3, H, W) in [0, 1] -> (B, T', 3, s*H, s*W), not clamped; H and W
        multiples of `spec.multiple`."""

    @property
    def scale(self) -> int | None:
        """The network's own enlargement; None for a baseline, which makes what it was loaded
        with."""
        return self.spec.scales[0] if self.spec.scales else None

    @property
    def rate(self) -> int:
        """2 if a frame is made between every two of the input's, else 1."""
        return 2 if self.spec.task == "space-time" and self._between else 1

    def stream(self, frames: Iterable[Picture]) -> Iterator[Tensor]:
        """One restored (3, s*H, s*W) float32 tensor in [0, 1] or slightly outside for each frame,
        in order, on the restorer's device; with a `rate` of 2 also one between every two, which
        across a scene cut is the frame before it once more.

        Frames are RGB: (3, H, W) float tensors in [0, 1] or (H, W, 3) uint8 arrays, all of one
        size. Takes what it needs of the iterable and holds no more than a few windows. Raises
        InputError when a frame has another shape, DeviceError when memory does not suffice.
        """
        tensors = self._tensors(frames)
        beginning = list(islice(tensors, _tried_frames(self.spec.strategy)))
        if not beginning:
            return
        size = beginning[0].shape[-2:]
        self._check_precision([self._padded(frame) for frame in beginning])
        every = chain(beginning, tensors)
        marked: Iterable[tuple[Tensor, bool]]
        if self._scene_detection:
            marked = mark_cuts(every, delay=DELAY if self.device.type == "cuda" else 0)
        else:
            marked = ((frame, False) for frame in every)
        padded = ((self._padded(frame), cut) for frame, cut in marked)
        graphs = self._recordings() if self.graphs else None
        runner, ration = self._runner(self._padded(beginning[0]), graphs)
        last: Tensor | None = None
        for scene in split_scenes(padded, self._reset_every):
            if last is not None and self.rate == 2:
                yield last
            for restored in runner.run(scene):
                last = self._cropped(restored, size)
                yield last
        if ration.tile is not None and ration.shrunk:
            self.warnings.append(
                f"Memory ran out; went on with tiles of {ration.tile} pixels "
                f"(start with --tile {ration.tile} to save the attempt)"
            )
        elif ration.shrunk:
            self.warnings.append("Memory ran out; went on with one frame at a time")
        if graphs is not None and graphs.failure is not None:
            self.warnings.append(graphs.failure)

    def _tensors(self, frames: Iterable[Picture]) -> Iterator[Tensor]:
        shape: torch.Size | None = None
        for index, frame in enumerate(frames):
            tensor = _as_tensor(frame).to(self.device, non_blocking=True)
            if tensor.dim() != 3 or tensor.shape[0] != 3 or (shape and tensor.shape != shape):
                raise InputError(
                    f"Frame {index} has shape {tuple(frame.shape)}; all frames must be "
                    "(3, H, W) floats or (H, W, 3) uint8 of one size"
                )
            shape = tensor.shape
            yield tensor

    def _padded(self, frame: Tensor) -> Tensor:
        """(3, H, W) with its last row and column repeated up to the size that the network asks
        for."""
        height, width = frame.shape[-2:]
        bottom, right = -height % self.spec.multiple, -width % self.spec.multiple
        if not bottom and not right:
            return frame
        return F.pad(frame[None], (0, right, 0, bottom), mode="replicate")[0]

    def _cropped(self, restored: Tensor, size: Sequence[int]) -> Tensor:
        if self.scale is None:
            return restored
        return restored[:, : size[0] * self.scale, : size[1] * self.scale]

    def _runner(self, frame: Tensor, graphs: Graphs | None) -> tuple[SceneRunner, Ration]:
        size = (frame.shape[-2], frame.shape[-1])
        free = free_memory(self.device)
        if self._tile == "auto":
            tile = choose_tile(self.spec, size, self.dtype, free)
        else:
            tile = None if self._tile == "off" else self._tile
        batch = self._batch or choose_batch(self.spec, size, self.dtype, self.device, free)
        ration = Ration(tile, batch)
        network = self.network
        if graphs is not None:
            network = graphs.around(network, self.spec.strategy)
        runner: SceneRunner
        match self.spec.strategy:
            case Window(radius):
                runner = WindowRunner(network, radius, ration)
            case Chunk(radius):
                length = choose_length(self.spec, size, free)
                runner = ChunkRunner(network, radius, length, ration)
            case Groups(group):
                runner = GroupRunner(network, group, ration, between=self._between)
            case Recurrent():
                runner = RecurrentRunner(network, ration)
            case Bidirectional(ahead=ahead):
                length = choose_length(self.spec, size, free)
                runner = BidirectionalRunner(network, length, ahead, ration)
        return runner, ration

    def _recordings(self) -> Graphs:
        recorder = CudaRecorder(self.device)
        return Graphs(
            CompilingRecorder(recorder) if is_compilable(self.spec.strategy) else recorder
        )

    def _at(self, dtype: torch.dtype) -> nn.Module:
        assert self._trained is not None
        return for_inference(self._trained, dtype).to(self.device)

    def _check_precision(self, frames: list[Tensor]) -> None:
        """Fall back to fp32 when the reduced precision goes wrong on these frames."""
        if self._trained is None or self.dtype == torch.float32:
            return
        length = _tried_frames(self.spec.strategy)
        picked = [frames[min(i, len(frames) - 1)] for i in range(length)]
        clip = torch.stack([_center(f, _CHECKED_SIDE) for f in picked])[None]
        exact = self._at(torch.float32)
        with torch.no_grad():
            error = float((self.network(clip) - exact(clip)).abs().max())
        if not error <= _LARGEST_ERROR:  # also true for NaN
            found = "not a number" if error != error else f"off by {error * 255:.1f}/255"
            self.warnings.append(f"precision {NAMES[self.dtype]} is {found} here; using fp32")
            self.dtype, self.network = torch.float32, exact


class SceneRunner(Protocol):
    """What runs a network over a scene: a strategy."""

    def run(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The (3, H, W) frames of a scene -> its restored frames (3, s*H, s*W)."""


def _tried_frames(strategy: Strategy) -> int:
    """Frames on which reduced precision is checked: enough for the strategy to show itself."""
    match strategy:
        case Window(radius):
            return 2 * radius + 1
        case Groups(size):
            return size
        case _:
            return _CHECKED_FRAMES


NAMES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float32: "fp32"}


def _as_tensor(frame: Picture) -> Tensor:
    if isinstance(frame, Tensor):
        return frame.float()
    if frame.dtype != np.uint8 or frame.ndim != 3:
        raise InputError(f"Frames as arrays must be (H, W, 3) uint8, not {frame.dtype}")
    # torch takes no read-only memory, such as that of a bytes object, without a warning.
    writable = np.require(frame, requirements=["C", "W"])
    return torch.from_numpy(writable).permute(2, 0, 1).float().div_(255)


def _center(frame: Tensor, side: int) -> Tensor:
    """The middle of (3, H, W), at most `side` pixels high and wide."""
    height, width = frame.shape[-2:]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return frame[:, top : top + side, left : left + side]
