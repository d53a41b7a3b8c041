"""What a network needs around it, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Window:
    """One output frame from `2 * radius + 1` input frames; at the ends of a scene the end frame
    is repeated."""

    radius: int


@dataclass(frozen=True)
class Spec:
    """What the rest of the program must know of a network, so that nobody asks the network."""

    network: str
    """The module's name: `tga`, `resample` ..."""
    task: Literal["upscale"]
    scales: tuple[int, ...]
    """Enlargements the network makes by itself; empty when it makes any."""
    strategy: Window
    multiple: int
    """Height and width must be a multiple of this; the caller pads and crops."""
    reach: int
    """Receptive field: input pixels on each side that an output pixel can depend on."""
    halo: int
    """Context around a tile that keeps the tile within 0.5/255 of the untiled picture; at most
    `reach`."""
    activations: int
    """Numbers held at once for each input pixel at the peak of a forward pass, for choosing
    tiles."""
    paper: str
    """Citation; empty for the baselines."""


class WindowNetwork(Protocol):
    """A network of the window strategy.

    `forward` is `from_features([frame_features(f) for f in frames], frames[radius])`; the
    strategy calls the parts, so that the features of a frame are computed once and not once for
    every window the frame is in.
    """

    spec: Spec

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, 2r+1, 3, H, W) in [0, 1] -> (B, 1, 3, s*H, s*W), not clamped."""

    def frame_features(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, F, H, W): what every window takes from a frame."""

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        """2r+1 tensors (B, F, H, W) and the centre frames (B, 3, H, W) -> (B, 3, s*H, s*W)."""


def forward_window(network: WindowNetwork, frames: Tensor, radius: int) -> Tensor:
    """(B, 2r+1, 3, H, W) -> (B, 1, 3, s*H, s*W): a network's `forward` out of its two parts."""
    batch, length = frames.shape[:2]
    features = network.frame_features(frames.flatten(0, 1))
    windows = features.reshape(batch, length, *features.shape[1:])
    return network.from_features(windows.unbind(1), frames[:, radius])[:, None]
