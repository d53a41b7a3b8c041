"""A model ready to restore frames: network, device, precision, tiles, scene cuts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vsrcli.errors import InputError, UsageError
from vsrcli.networks.resample import Resample
from vsrcli.networks.spec import Spec, WindowNetwork
from vsrcli.networks.tga_inference import TGAInference
from vsrcli.restore.device import Precision, find_device, find_dtype
from vsrcli.restore.memory import choose_batch, choose_tile, free_memory
from vsrcli.restore.scenes import mark_cuts
from vsrcli.restore.tiles import SMALLEST
from vsrcli.restore.window import WindowRunner
from vsrcli.zoo.catalogue import BASELINES, default_model, find_entry
from vsrcli.zoo.weights import Network, load_entry, load_weights

Picture = Tensor | NDArray[np.uint8]
"""(3, H, W) float in [0, 1], or (H, W, 3) uint8; RGB."""

_LARGEST_ERROR = 1 / 255
"""Reduced precision may differ from fp32 by this much."""
_CHECKED_SIDE = 96
"""Pixels a side of the crop on which reduced precision is checked."""

Tile = int | Literal["auto", "off"]


def load(
    model: str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    scale: int | tuple[Fraction, Fraction] = 4,
    tile: Tile = "auto",
    scene_detection: bool = True,
) -> Restorer:
    """A model by name, or by the path of its weights, ready to restore frames.

    `weights` replaces the shipped weights of `model`. `scale`, vertical and horizontal if they
    differ, is for the baselines, which make any. `tile` is a side in input pixels.
    Raises UsageError for unknown names, WeightsError and DeviceError as they say.
    """
    if isinstance(tile, int) and tile < SMALLEST:
        raise UsageError(f"Tiles of {tile} pixels are too small; use {SMALLEST} or more")
    where = find_device(device)
    name = model or default_model(where.type)
    if name in BASELINES:
        if weights is not None:
            raise UsageError(f"{name} is plain resampling and takes no weights")
        factors = scale if isinstance(scale, tuple) else (Fraction(scale), Fraction(scale))
        resample = Resample("bicubic" if name == "bicubic" else "lanczos", factors)
        return Restorer(name, resample, where, torch.float32, "off", scene_detection=False)
    trained = _trained(name, weights)
    dtype = find_dtype(precision, where)
    return Restorer(name, trained, where, dtype, tile, scene_detection=scene_detection)


def _trained(name: str, weights: str | Path | None) -> Network:
    if weights is not None:
        return load_weights(Path(weights), find_entry(name).network)
    if Path(name).suffix == ".safetensors":
        return load_weights(Path(name))
    return load_entry(find_entry(name))


class Restorer:
    """Restores frames of one video after another; see `load`."""

    def __init__(
        self,
        name: str,
        network: Network | Resample,
        device: torch.device,
        dtype: torch.dtype,
        tile: Tile,
        *,
        scene_detection: bool,
    ) -> None:
        self.name = name
        self.device = device
        self.dtype = dtype
        self.spec: Spec = network.spec
        self.warnings: list[str] = []
        """What the user should know of, complete once the last frame is out."""
        self._trained = None if isinstance(network, Resample) else network
        self._tile = tile
        self._scene_detection = scene_detection
        self.network: nn.Module = network if self._trained is None else self._at(dtype)
        """frames (B, T, 3, H, W) in [0, 1] -> (B, T', 3, s*H, s*W), not clamped."""

    @property
    def scale(self) -> int | None:
        """The network's own enlargement; None for a baseline, which makes what it was loaded
        with."""
        return self.spec.scales[0] if self.spec.scales else None

    @property
    def rate(self) -> int:
        """Output frames for each input frame; 2 if one is made between every two."""
        return 1

    def stream(self, frames: Iterable[Picture]) -> Iterator[Tensor]:
        """One restored (3, s*H, s*W) float32 tensor in [0, 1] or slightly outside for each frame,
        in order, on the restorer's device.

        Frames are RGB: (3, H, W) float tensors in [0, 1] or (H, W, 3) uint8 arrays, all of one
        size. Takes what it needs of the iterable and holds no more than a few windows. Raises
        InputError when a frame has another shape, DeviceError when memory does not suffice.
        """
        tensors = self._tensors(frames)
        beginning = list(islice(tensors, 2 * self.spec.strategy.radius + 1))
        if not beginning:
            return
        self._check_precision(beginning)
        marked: Iterable[tuple[Tensor, bool]]
        if self._scene_detection:
            marked = mark_cuts(chain(beginning, tensors))
        else:
            marked = ((f, i == 0) for i, f in enumerate(chain(beginning, tensors)))
        runner = self._runner(beginning[0])
        yield from runner.stream(marked)
        if runner.tile is not None and runner.shrunk:
            self.warnings.append(
                f"Memory ran out; went on with tiles of {runner.tile} pixels "
                f"(start with --tile {runner.tile} to save the attempt)"
            )
        elif runner.shrunk:
            self.warnings.append("Memory ran out; went on with one frame at a time")

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

    def _runner(self, frame: Tensor) -> WindowRunner:
        size = (frame.shape[-2], frame.shape[-1])
        free = free_memory(self.device)
        if self._tile == "auto":
            tile = choose_tile(self.spec, size, self.dtype, free)
        else:
            tile = None if self._tile == "off" else self._tile
        batch = choose_batch(self.spec, size, self.dtype, self.device, free)
        network = cast(WindowNetwork, self.network)
        return WindowRunner(network, self.scale or 1, tile=tile, batch=batch)

    def _at(self, dtype: torch.dtype) -> nn.Module:
        assert self._trained is not None
        return TGAInference(self._trained, dtype).to(self.device).eval()

    def _check_precision(self, frames: list[Tensor]) -> None:
        """Fall back to fp32 when the reduced precision goes wrong on these frames."""
        if self._trained is None or self.dtype == torch.float32:
            return
        length = 2 * self.spec.strategy.radius + 1
        picked = [frames[min(i, len(frames) - 1)] for i in range(length)]
        window = torch.stack([_center(f, _CHECKED_SIDE) for f in picked])[None]
        exact = self._at(torch.float32)
        with torch.no_grad():
            error = float((self.network(window) - exact(window)).abs().max())
        if not error <= _LARGEST_ERROR:  # also true for NaN
            found = "not a number" if error != error else f"off by {error * 255:.1f}/255"
            self.warnings.append(f"precision {NAMES[self.dtype]} is {found} here; using fp32")
            self.dtype, self.network = torch.float32, exact


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
