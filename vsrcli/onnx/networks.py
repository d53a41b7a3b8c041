"""Exported networks with the parts that the temporal strategies call (see `networks.spec`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vsrcli.errors import WeightsError
from vsrcli.networks.spec import (
    Bidirectional,
    Chunk,
    ChunkStream,
    Groups,
    Maps,
    Recurrent,
    Window,
    forward_bidirectional,
    forward_window,
)
from vsrcli.networks.stfan import STFANState
from vsrcli.onnx.file import OnnxFile
from vsrcli.onnx.session import Graph, Session
from vsrcli.onnx.shapes import sized


class _Exported:
    """The parts of a file that vsr exported, each in a session of its own on a device.

    Called like a network: (B, T, 3, H, W) in [0, 1] -> (B, T', 3, s*H, s*W) float32, not clamped.
    """

    parts: tuple[str, ...]
    """That the strategy needs."""

    def __init__(self, file: OnnxFile, device: torch.device) -> None:
        assert file.description is not None
        self.spec = file.description.spec
        self.device = device
        if set(self.parts) - set(file.description.parts):
            raise WeightsError(f"{file.path} lacks parts of its network; export it again")
        self._graphs = {
            name: Graph(Session(file.part(name), device, file.path), file.description.parts[name])
            for name in self.parts
        }

    def _run(self, part: str, *inputs: Tensor) -> Any:
        """The output of a part, or a list of them."""
        made = self._graphs[part](*inputs)
        return made[0] if len(made) == 1 else made


class ExportedWindow(_Exported):
    parts = ("frame_features", "from_features")

    def __call__(self, frames: Tensor) -> Tensor:
        assert isinstance(self.spec.strategy, Window)
        return forward_window(self, frames, self.spec.strategy.radius)

    def frame_features(self, frames: Tensor) -> Tensor:
        features: Tensor = self._run("frame_features", frames)
        return features

    def from_features(self, features: Sequence[Tensor], center: Tensor) -> Tensor:
        restored: Tensor = self._run("from_features", *features, center)
        return restored


class ExportedChunk(_Exported):
    parts = ("step",)

    def __call__(self, frames: Tensor) -> Tensor:
        clips = []
        for clip in frames:
            stream = self.open()
            clips.append(torch.cat((stream.push(clip), stream.finish())))
        return torch.stack(clips)

    def open(self) -> ChunkStream:
        return _Stream(self._graphs["step"], self.device)


class _Stream:
    """One clip on its way through an `FSTRNStep`, whose inputs say what it must be given."""

    def __init__(self, step: Graph, device: torch.device) -> None:
        self._step = step
        self._device = device
        (self._delay,) = sized(step.signature.inputs["valid"].shape, {})
        ages: dict[str, int] = {}
        for name in step.signature.inputs:
            stem, _, age = name.partition("@")
            if age:
                ages[stem] = max(int(age), ages.get(stem, 0))
        self._memory: dict[str, deque[Tensor]] = {
            stem: deque(maxlen=age) for stem, age in ages.items()
        }
        """What was remembered in the steps before, that of the last one first."""
        self._steps = 0
        self._frames = 0

    def push(self, frames: Tensor) -> Tensor:
        self._frames += len(frames)
        return self._advance(list(frames.float().split(1)))

    def finish(self) -> Tensor:
        if not self._frames:
            return torch.empty(0, 3, 0, 0)
        return self._advance([torch.zeros_like(self._memory["frame"][0])] * self._delay)

    def _advance(self, frames: Sequence[Tensor]) -> Tensor:
        """Steps with frames (1, 3, H, W) -> what is ready, (m, 3, s*H, s*W)."""
        made = []
        for frame in frames:
            restored = self._take(frame)
            made.append(restored[: self._steps > self._delay])
        return torch.cat(made)

    def _take(self, frame: Tensor) -> Tensor:
        inputs = []
        sizes = {"H": frame.shape[-2], "W": frame.shape[-1]}
        for name, value in self._step.signature.inputs.items():
            stem, _, age = name.partition("@")
            if name == "frame":
                inputs.append(frame)
            elif name == "valid":
                at = [self._steps - layer for layer in range(self._delay)]
                inputs.append(torch.tensor([float(0 <= t < self._frames) for t in at]))
            elif len(past := self._memory[stem]) >= int(age):
                inputs.append(past[int(age) - 1])
            else:
                shape = sized(value.shape, sizes)
                inputs.append(torch.zeros(shape, dtype=value.dtype, device=self._device))
        restored, *remembered = self._step(*inputs)
        names = list(self._step.signature.outputs)[1:]
        for name, x in zip(("frame", *names), (frame, *remembered), strict=True):
            self._memory[name].appendleft(x)
        self._steps += 1
        return restored


class ExportedGroup(_Exported):
    """STDAN; see `parts.stdan_parts` for what its parts do."""

    parts = (
        *("frame_features", "pair_features", "between", "fused"),
        *("offered", "found", "restored"),
    )

    def __call__(self, frames: Tensor) -> Tensor:
        clips = []
        for clip in frames:
            features = [self.frame_features(frame) for frame in clip.split(1)]
            neighbors = zip(features[:-1], features[1:], strict=True)
            pairs = [self.pair_features(*two) for two in neighbors]
            clips.append(self.from_features(features, pairs, range(2 * len(clip) - 1)))
        return torch.stack(clips)

    def frame_features(self, frames: Tensor) -> Maps:
        return tuple(self._run("frame_features", frames))

    def pair_features(self, first: Maps, second: Maps) -> Maps:
        return tuple(self._run("pair_features", *first, *second))

    def from_features(
        self, features: Sequence[Maps], pairs: Sequence[Maps], wanted: Sequence[int]
    ) -> Tensor:
        maps = [features[0][0]]
        for made, (finest, *_) in zip(self._between(pairs), features[1:], strict=True):
            maps += [made, finest]
        offers = [self._run("offered", x) for x in maps]
        return torch.cat([self._restored(index, maps[index], offers) for index in wanted])

    def _between(self, pairs: Sequence[Maps]) -> list[Tensor]:
        """The features between the frames of each pair; both directions at once."""
        both = [
            torch.cat((ahead, back))
            for (ahead, _), (_, back) in zip(pairs, reversed(pairs), strict=True)
        ]
        hidden = torch.zeros_like(both[0])
        found = []
        for pair in both:
            made, hidden = self._run("between", pair, hidden)
            found.append(made.chunk(2))
        return [
            self._run("fused", ahead, back)
            for (ahead, _), (_, back) in zip(found, reversed(found), strict=True)
        ]

    def _restored(self, own: int, x: Tensor, offers: Sequence[Sequence[Tensor]]) -> Tensor:
        query = offers[own][:2]
        others = [offer[2:] for index, offer in enumerate(offers) if index != own]
        # One by one: their samples take much memory.
        found = [self._run("found", *query, *source) for source in others]
        relevance, taken = (torch.stack(each) for each in zip(*found, strict=True))
        restored: Tensor = self._run("restored", x, relevance, taken)
        return restored


class ExportedRecurrent(_Exported):
    """STFAN."""

    parts = ("step",)

    def __call__(self, frames: Tensor) -> Tensor:
        clips = []
        for clip in frames:
            state: STFANState | None = None
            made = []
            for frame in clip.split(1):
                restored, state = self.step(frame, self.encode(frame), state)
                made.append(restored)
            clips.append(torch.cat(made))
        return torch.stack(clips)

    def encode(self, frames: Tensor) -> Tensor:
        """The frames themselves: the step encodes."""
        return frames

    def step(
        self, frame: Tensor, encoded: Tensor, state: STFANState | None
    ) -> tuple[Tensor, STFANState]:
        begins = frame.new_full((1,), float(state is None))
        if state is None:
            sizes = {"H": frame.shape[-2], "W": frame.shape[-1]}
            shape = self._graphs["step"].signature.inputs["previous_feature"].shape
            state = STFANState(frame, frame, frame.new_zeros(sized(shape, sizes)))
        restored, feature = self._run("step", frame, begins, *state)
        return restored, STFANState(frame, restored, feature)


class ExportedBidirectional(_Exported):
    parts = ("flows", "align", "step_backward", "step_forward")

    def __call__(self, frames: Tensor) -> Tensor:
        return forward_bidirectional(self, frames)

    def flows(self, frames: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        to_next, to_previous = self._run("flows", frames, following)
        return to_next, to_previous

    def align(self, state: Tensor, flow: Tensor) -> Tensor:
        aligned: Tensor = self._run("align", state, flow)
        return aligned

    def step_backward(self, frame: Tensor, aligned: Tensor | None) -> Tensor:
        behind: Tensor = self._run("step_backward", frame, self._known(aligned, frame))
        return behind

    def step_forward(
        self, frame: Tensor, behind: Tensor, aligned: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        known = self._known(aligned, frame)
        restored, state = self._run("step_forward", frame, behind, known)
        return restored, state

    def _known(self, aligned: Tensor | None, frame: Tensor) -> Tensor:
        """A graph cannot do without a state: zeros are the same."""
        if aligned is not None:
            return aligned
        state = self._graphs["align"].signature.outputs["aligned"]
        shape = sized(state.shape, {"H": frame.shape[-2], "W": frame.shape[-1]})
        return frame.new_zeros(shape, dtype=state.dtype)


ExportedNetwork = (
    ExportedWindow | ExportedChunk | ExportedGroup | ExportedRecurrent | ExportedBidirectional
)
_KINDS: dict[type, type[ExportedNetwork]] = {
    Window: ExportedWindow,
    Chunk: ExportedChunk,
    Groups: ExportedGroup,
    Recurrent: ExportedRecurrent,
    Bidirectional: ExportedBidirectional,
}


def exported_network(file: OnnxFile, device: torch.device) -> ExportedNetwork:
    """The network of a file that vsr exported, on a device.

    Raises WeightsError when the file does not hold what it says, DeviceError when ONNX Runtime has
    nothing for the device.
    """
    assert file.description is not None
    return _KINDS[type(file.description.spec.strategy)](file, device)
