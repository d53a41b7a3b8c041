"""What a network needs around it, as data, and the parts that each temporal strategy calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor

Task = Literal["upscale", "space-time", "deblur"]
"""space-time: enlarges, and makes a frame between every two."""


@dataclass(frozen=True)
class Window:
    """One output frame from `2 * radius + 1` input frames; at the ends of a scene the end frame
    is repeated."""

    radius: int


@dataclass(frozen=True)
class Chunk:
    """All frames of a scene at once, as far as the result goes; a frame depends on `radius` frames
    on each side. Computed in a stream, layer by layer."""

    radius: int


@dataclass(frozen=True)
class Groups:
    """`2 * size - 1` output frames from `size` input frames: those, and the moments between."""

    size: int


@dataclass(frozen=True)
class Recurrent:
    """Frame by frame, with a state that begins anew with each scene."""

    period: int
    """Frames after which the authors begin anew as well."""


@dataclass(frozen=True)
class Bidirectional:
    """Frame by frame in both directions, each with a state. A scene is restored `length` frames
    at a time: the state from behind begins `ahead` frames after them, or at the scene's end if
    that is nearer; the one from before is carried on."""

    length: int
    """At most: fewer frames where memory does not hold their states."""
    ahead: int
    """At least 1."""
    features: int
    """Channels of a state."""


Strategy = Window | Chunk | Groups | Recurrent | Bidirectional


@dataclass(frozen=True)
class Spec:
    """What the rest of the program must know of a network, so that nobody asks the network."""

    network: str
    """The module's name: `tga`, `resample` ..."""
    task: Task
    scales: tuple[int, ...]
    """The enlargement that the network makes by itself (1 for deblurring); empty when it makes
    any."""
    strategy: Strategy
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


class ChunkStream(Protocol):
    """One clip on its way through a network of the chunk strategy."""

    def push(self, frames: Tensor) -> Tensor:
        """The next frames (n, 3, H, W) -> those that nothing can change any more, (m, 3, s*H,
        s*W), in order; m may be 0."""

    def finish(self) -> Tensor:
        """The clip has ended -> its remaining frames (m, 3, s*H, s*W)."""


class ChunkNetwork(Protocol):
    """A network of the chunk strategy. However a clip is divided among `push` calls, the frames
    that come out are those of `forward` over the whole clip."""

    spec: Spec

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, s*H, s*W), not clamped; any T."""

    def open(self) -> ChunkStream:
        """A stream for one clip."""


Maps = tuple[Tensor, ...]
"""What a network keeps of a frame, or of two; each (N, F, h, w)."""


class GroupNetwork(Protocol):
    """A network of the groups strategy: forward is `from_features` over all outputs."""

    spec: Spec

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, T, 3, H, W) in [0, 1], T >= 2 -> (B, 2T-1, 3, s*H, s*W), not clamped."""

    def frame_features(self, frames: Tensor) -> Maps:
        """(N, 3, H, W) -> what every group takes from a frame."""

    def pair_features(self, first: Maps, second: Maps) -> Maps:
        """Two neighbouring frames' features -> what every group takes from the two."""

    def from_features(
        self, features: Sequence[Maps], pairs: Sequence[Maps], wanted: Sequence[int]
    ) -> Tensor:
        """T frames' features and T-1 pairs' -> (len(wanted), 3, s*H, s*W), the outputs whose
        positions among the 2T-1 are `wanted`; nothing is computed for the others alone."""


State = TypeVar("State")
"""A NamedTuple of tensors (B, F, h, w), of the frame's size or an even part of it."""


class RecurrentNetwork(Protocol[State]):
    """A network of the recurrent strategy: `forward` is `step` over all frames."""

    spec: Spec

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, s*H, s*W), not clamped; state begun anew."""

    def encode(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, F, h, w): what a step needs of its frame and no state, so that it
        can run ahead."""

    def step(self, frame: Tensor, encoded: Tensor, state: State | None) -> tuple[Tensor, State]:
        """A frame (B, 3, H, W), its `encode`, and the state after the frame before (None at the
        beginning) -> the restored frame (B, 3, s*H, s*W), not clamped, and the new state, which
        no later step changes in place."""


class BidirectionalNetwork(Protocol):
    """A network of the bidirectional strategy: `forward` is `forward_bidirectional`.

    A state is (B, F, H, W), of the frame's size, and is not changed in place.
    """

    spec: Spec

    def __call__(self, frames: Tensor) -> Tensor:
        """(B, T, 3, H, W) in [0, 1] -> (B, T, 3, s*H, s*W), not clamped; any T."""

    def flows(self, frames: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) twice, frames and those after them -> the flows (N, 2, H, W) to those, and
        back from them. Always of whole pictures: their memory is little."""

    def align(self, state: Tensor, flow: Tensor) -> Tensor:
        """The state of one frame as its neighbour sees it, whose flow to the frame is given. Of
        whole pictures as well."""

    def step_backward(self, frame: Tensor, aligned: Tensor | None) -> Tensor:
        """A frame (B, 3, H, W) and the state of the frame after it, aligned (None at the end) ->
        its own."""

    def step_forward(
        self, frame: Tensor, behind: Tensor, aligned: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """A frame (B, 3, H, W), what `step_backward` gave for it, and the state of the frame
        before it, aligned (None at the beginning) -> the restored frame (B, 3, s*H, s*W), not
        clamped, and its own state."""


def forward_bidirectional(network: BidirectionalNetwork, frames: Tensor) -> Tensor:
    """(B, T, 3, H, W) -> (B, T, 3, s*H, s*W): a network's `forward` out of its parts."""
    batch, length = frames.shape[:2]
    clip = frames.unbind(1)
    to_next: Sequence[Tensor] = ()
    to_previous: Sequence[Tensor] = ()
    if length > 1:
        pairs = (frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1))
        to_next, to_previous = (
            flow.unflatten(0, (batch, -1)).unbind(1) for flow in network.flows(*pairs)
        )
    behind = [network.step_backward(clip[-1], None)]
    for frame, flow in zip(reversed(clip[:-1]), reversed(to_next), strict=True):
        behind.append(network.step_backward(frame, network.align(behind[-1], flow)))
    restored, state = network.step_forward(clip[0], behind.pop(), None)
    made = [restored]
    for frame, flow in zip(clip[1:], to_previous, strict=True):
        aligned = network.align(state, flow)
        restored, state = network.step_forward(frame, behind.pop(), aligned)
        made.append(restored)
    return torch.stack(made, 1)
