"""What each network is trained to do: its batches, and how wrong it is about them.

Samples are given to the network as in `networks.spec`: B clips, T frames, in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from vsrcli.degradation.kernels import degrade
from vsrcli.degradation.real import real_batch
from vsrcli.errors import UsageError
from vsrcli.networks.architectures import Network
from vsrcli.networks.fstrn import FSTRN
from vsrcli.networks.spmc import SPMC
from vsrcli.networks.stdan import STDAN
from vsrcli.networks.stfan import STFAN, STFANState
from vsrcli.networks.stfan_initialization import SMEAR, restored_alike, restored_alone
from vsrcli.networks.tga import RADIUS, TGA
from vsrcli.ops.ycbcr import rgb_to_luma
from vsrcli.training.blur import BlurSource
from vsrcli.training.camera import CameraSource, flows_to_middle
from vsrcli.training.data.cut import FRAMES
from vsrcli.training.data.shard import TrainingSet
from vsrcli.training.losses import difference, flow_error
from vsrcli.training.recipes import Recipe
from vsrcli.training.shake import ShakeSource
from vsrcli.training.synthesis import ClipSource

_FUSION_ONLY, _BETWEEN_ONLY = 0.28, 0.16
"""Share of what SPMC's and STDAN's first stage leaves of the budget, for the second one."""
_TEACHER_WEIGHT = 0.75
"""Of the error beside a teacher's picture; the rest is of that beside the truth."""
_LENGTHS = (3, 5, 7)
"""Frames of STDAN's clips in the third stage: of short ones, which cost less, there can be more."""
_KNOWN_MOTION = 0.7
"""Share of the batches in the last stages of SPMC and STFAN whose motion is known."""
_TOLD, _TOLD_LATER = 0.6, 0.15
"""Share of the samples of known motion for which it takes the place of the estimated one; and that
in STFAN's third and last stage, for which it has learnt to see."""
_FLOW_WEIGHT, _SMEAR_WEIGHT = 0.03, 0.003
"""Of the estimates' errors in the last stages of SPMC and STFAN."""
_FRAMES_ALONE = 0.8
"""Share of the budget at which STFAN's third stage ends."""
_BORDER = 8
"""Pixels at the border of a patch that do not count in STFAN's second and third stage."""
_SEEN_CHANGE = 6 / 255
"""Root mean square of what blur changes in a frame that fully counts in errors of smears."""


class Pair(NamedTuple):
    """A batch."""

    given: Tensor
    """What the network gets."""
    wanted: Tensor
    """What it should make of it."""
    motion: Tensor | None = None
    """SPMC's true flows, where they are known and not themselves what is wanted; or STFAN's true
    smears (B, T, SMEAR), where they are known."""

    def to(self, device: torch.device) -> Pair:
        """The batch on `device`."""
        motion = None if self.motion is None else self.motion.to(device)
        return Pair(self.given.to(device), self.wanted.to(device), motion)


class Objective(Protocol):
    """What a training needs to know of its network."""

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        """Samples for when `share` of the budget is spent, on the training set's device."""

    def loss(self, network: Any, pair: Pair, share: float) -> Tensor:
        """A number to be made smaller."""


@dataclass(frozen=True)
class CenterFrame:
    """TGA: the middle frame of a window."""

    recipe: Recipe
    data: TrainingSet

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        truth = _clips(self.recipe, self.data, generator, share)
        return Pair(_shrunk(truth, self.recipe, generator), truth[:, RADIUS])

    def loss(self, network: TGA, pair: Pair, share: float) -> Tensor:
        restored = network(pair.given)[:, 0].float()
        return _difference(restored, pair.wanted, self.recipe)


@dataclass(frozen=True)
class LumaOfAllFrames:
    """FSTRN: the luma of a whole clip, so that the ends, where there are fewer neighbours, are
    learnt too."""

    recipe: Recipe
    data: TrainingSet

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        truth = _clips(self.recipe, self.data, generator, share)
        return Pair(rgb_to_luma(_shrunk(truth, self.recipe, generator)), rgb_to_luma(truth))

    def loss(self, network: FSTRN, pair: Pair, share: float) -> Tensor:
        restored = network.luma(pair.given).float()
        return _difference(restored, pair.wanted, self.recipe)


@dataclass(frozen=True)
class FlowThenFusion:
    """SPMC: the luma of a window's middle frame, in three stages: the flow alone, the fusion alone,
    both together. Trained together from the start the flow would stay zero (Tao et al. 2017).

    The paper's first stage makes neighbors resemble the middle frame, without knowing the flow; in
    the minutes there are it stayed at zero. Here it is taught with cameras of known motion. They
    are seen later too: a fusion that gets nothing but estimated flows, wrong by half an output
    pixel at first, learns to ignore what they carry; along true ones it learns what that is worth.
    """

    recipe: Recipe
    data: TrainingSet

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        """In the first stage windows and their flows; then windows from anywhere in the clips, and
        the luma of their middle frames, for some with the flows too."""
        if self.recipe.part(share) < self.recipe.first_share:
            given, _, flows = self._known(generator, share)
            return Pair(given, flows)
        known = float(torch.rand((), generator=generator)) < _KNOWN_MOTION
        if known and self.data.stills:
            return Pair(*self._known(generator, share))
        clips = _clips(self.recipe, self.data, generator, share)
        length = self.recipe.frames
        starts = torch.randint(clips.shape[1] - length + 1, (len(clips),), generator=generator)
        windows = [clip[at : at + length] for clip, at in zip(clips, starts.tolist(), strict=True)]
        return Pair(*self._windows(torch.stack(windows), generator))

    def _known(self, generator: torch.Generator, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """Windows of known motion, the luma of their middle frames, and their flows."""
        patch, count = self.recipe.sizes(share)
        cameras = CameraSource(self.data, patch * self.recipe.scale, self.recipe.slow_share)
        clips, paths = cameras.batch(count, generator)
        flows = flows_to_middle(paths, clips.shape[-1], self.recipe.scale)
        return *self._windows(clips, generator), flows

    def _windows(self, truth: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, N, 3, H, W) -> its luma made smaller, and the middle frames' (B, 1, H, W)."""
        given = rgb_to_luma(_shrunk(truth, self.recipe, generator))
        return given, rgb_to_luma(truth[:, truth.shape[1] // 2])

    def loss(self, network: SPMC, pair: Pair, share: float) -> Tensor:
        part, flow_ends = self.recipe.part(share), self.recipe.first_share
        fusion_ends = _second_ends(self.recipe, _FUSION_ONLY)
        network.easyflow.requires_grad_(not flow_ends <= part < fusion_ends)
        estimated = network.estimate_flows(pair.given)
        if part < flow_ends:
            return flow_error(_neighbors(estimated), _neighbors(pair.wanted))
        if pair.motion is None:
            return self._fusion_loss(network.steps(pair.given, estimated).float(), pair.wanted)
        flows = torch.where(_told(estimated), pair.motion, estimated)
        loss = self._fusion_loss(network.steps(pair.given, flows).float(), pair.wanted)
        if part < fusion_ends:
            return loss
        return loss + _FLOW_WEIGHT * flow_error(_neighbors(estimated), _neighbors(pair.motion))

    def _fusion_loss(self, estimates: Tensor, wanted: Tensor) -> Tensor:
        """The later a step, the more it counts: weights rise from 0.5 to 1."""
        weights = torch.linspace(0.5, 1, estimates.shape[1])
        losses = [_difference(e, wanted, self.recipe) for e in estimates.unbind(1)]
        parts = [w * loss for w, loss in zip(weights.tolist(), losses, strict=True)]
        return torch.stack(parts).sum() / float(weights.sum())


@dataclass(frozen=True)
class TwiceTheFrames:
    """STDAN: all frames of a clip from every second one, in three stages: single frames, which
    cost a fifteenth of a clip; the features between frames; what is made of several frames, by one
    of the given frames and one of the new ones, since all seven of a clip would teach little more
    than two. What single frames go through stays then: they have taught it better than clips could.

    Most of what a frame lost cannot be known from it, so that errors beside the truth are mostly
    noise. A teacher's picture holds nothing else than what can be known.
    """

    recipe: Recipe
    data: TrainingSet
    teacher: TGA | None = None
    """Shows in the first stage how it would enlarge the frame."""

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        """Clips and what the network is to make of them; in the first stage their first frames;
        in the second all frames of them, small."""
        part = self.recipe.part(share)
        together = part >= _second_ends(self.recipe, _BETWEEN_ONLY)
        frames = 1 if part < self.recipe.first_share else FRAMES
        if together:
            frames = _LENGTHS[int(torch.randint(len(_LENGTHS), (), generator=generator))]
        truth = _clips(self.recipe, self.data, generator, share, frames)
        given = _shrunk(truth, self.recipe, generator)
        return Pair(given[:, ::2] if together else given, truth)

    def loss(self, network: STDAN, pair: Pair, share: float) -> Tensor:
        network.eval()  # leaves no blocks out, against overfitting: trainings are too short for it
        part = self.recipe.part(share)
        for layers in _for_single_frames(network):
            layers.requires_grad_(part < self.recipe.first_share or self.recipe.joint)
        if part < self.recipe.first_share:
            maps, *_ = network.frame_features(pair.given.flatten(0, 1))
            restored = network.upsampled(network.feature_recon(maps)).float()
            error = _difference(restored, pair.wanted.flatten(0, 1), self.recipe)
            if self.teacher is None:
                return error
            shown = _enlarged_alone(self.teacher, pair.given.flatten(0, 1))
            return error.lerp(_difference(restored, shown, self.recipe), _TEACHER_WEIGHT)
        if part < _second_ends(self.recipe, _BETWEEN_ONLY):
            return _feature_error(network, pair.given)
        length = pair.given.shape[1]
        given, new = int(torch.randint(length, ())), int(torch.randint(length - 1, ()))
        places = [2 * given, 2 * new + 1]
        restored = network(pair.given, places).float()
        return _difference(restored, pair.wanted[:, places], self.recipe)


def _for_single_frames(network: STDAN) -> Sequence[nn.Module]:
    """What a frame goes through by itself."""
    before = (network.conv_first, network.feature_extraction)
    after = (network.conv_before_upsample, network.upsample, network.conv_last)
    return *before, network.feature_recon, *after


@torch.no_grad()
def _enlarged_alone(network: TGA, frames: Tensor) -> Tensor:
    """Frames (B, 3, H, W) four times larger, as if nothing moved for seven of them."""
    features = network.frame_features(frames)
    return network.from_features([features] * (2 * RADIUS + 1), frames)


def _feature_error(network: STDAN, frames: Tensor) -> Tensor:
    """How wrong the features that STDAN makes between every second of the frames (B, T, 3, H, W)
    are, beside those of the frames that are there; only the interpolation learns of it."""
    with torch.no_grad():
        levels = [
            x.unflatten(0, frames.shape[:2]) for x in network.frame_features(frames.flatten(0, 1))
        ]
    by_time = list(zip(*(level[:, ::2].unbind(1) for level in levels), strict=True))
    wanted = levels[0][:, 1::2].float()
    made = torch.stack(network.features_between(by_time), 1).float()
    error: Tensor = (made - wanted).abs().mean() / wanted.std()
    return error


@dataclass(frozen=True)
class Deblurring:
    """STFAN: every frame of a blurred clip, after three stages: to see how frames are smeared; to
    filter by that, told; and both together, of single frames and with the linear layers alone.
    Its authors cut the gradient from frame to frame; here it goes through the whole clip, which is
    short.

    From pictures alone its filters learn to be the same everywhere, as nothing tells them what they
    are made from: at first that says nothing of the blur, and only disturbs. So some of what they
    are made from, the first channels of what it sees, is taught to describe the smear; and for some
    samples the truth takes its place, as with SPMC's flow.
    """

    recipe: Recipe
    data: TrainingSet

    def batch(self, generator: torch.Generator, share: float) -> Pair:
        """Clips of known smears; in the last stage others too, in which cameras turn and things
        move by themselves."""
        patch, count = self.recipe.sizes(share)
        known = float(torch.rand((), generator=generator)) < _KNOWN_MOTION
        if known or self.recipe.part(share) < _FRAMES_ALONE:
            shaken = ShakeSource(self.data, patch, self.recipe.frames).batch(count, generator)
            return Pair(*shaken)
        return Pair(*BlurSource(self.data, patch, self.recipe.frames).batch(count, generator))

    def loss(self, network: STFAN, pair: Pair, share: float) -> Tensor:
        if pair.motion is None:
            return _difference(network(pair.given).float(), pair.wanted, self.recipe)
        part = self.recipe.part(share)
        if part < self.recipe.first_share:
            return _smear_error(_seen(network, pair.given, pair.given), pair)
        if part < self.recipe.taught_until:
            smears, given = pair.motion.flatten(0, 1), pair.given.flatten(0, 1)
            mixed = torch.where(_told(smears), smears, _seen_somewhere(network, given))
            return self._error_inside(restored_alike(network, given, mixed), pair)
        if part < _FRAMES_ALONE:
            restored, seen = _restored_frames(network, pair.given, pair.motion)
            error = self._error_inside(restored, pair)
        else:
            restored, seen = _restored_clips(network, pair.given, pair.motion)
            error = _difference(restored, pair.wanted, self.recipe)
        return error + _SMEAR_WEIGHT * _smear_error(seen, pair)

    def _error_inside(self, frames: Tensor, pair: Pair) -> Tensor:
        """Of restored frames (B*T, 3, H, W), without the border, whose surroundings are missing in
        a patch and not in a video."""
        inside = (..., slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
        wanted = pair.wanted.flatten(0, 1)
        return _difference(frames.float()[inside], wanted[inside], self.recipe)


def _restored_frames(network: STFAN, frames: Tensor, smears: Tensor) -> tuple[Tensor, Tensor]:
    """Clips (B, T, 3, H, W) and their smears (B, T, SMEAR) -> each frame restored by itself, some
    of them with their smear told, (B*T, 3, H, W); and what the network saw itself, (B, T, c, h, w).
    What it sees of the restored frame before teaches nothing about that one."""
    given, smears = frames.flatten(0, 1), smears.flatten(0, 1)
    with torch.no_grad():
        first = restored_alone(network, given, _seen(network, frames, frames).flatten(0, 1))
    seen = _seen(network, frames, first.view_as(frames))
    mixed = _mixed(_told(smears, _TOLD_LATER), smears, seen.flatten(0, 1))
    return restored_alone(network, given, mixed), seen


def _restored_clips(network: STFAN, frames: Tensor, smears: Tensor) -> tuple[Tensor, Tensor]:
    """Clips (B, T, 3, H, W) and their smears (B, T, SMEAR) -> the clips restored, some of them with
    their smears told; and what the network saw itself, (B, T, c, h, w)."""
    told = _told(frames[:, 0], _TOLD_LATER)
    encoded = network.encode(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    restored, seen = [], []
    state: STFANState | None = None
    for frame, code, smear in zip(
        frames.unbind(1), encoded.unbind(1), smears.unbind(1), strict=True
    ):
        before = (frame, frame) if state is None else (state.frame, state.restored)
        own = network.look(frame, *before)
        made, state = network.step(frame, code, state, _mixed(told, smear, own))
        restored.append(made)
        seen.append(own)
    return torch.stack(restored, 1), torch.stack(seen, 1)


def _mixed(told: Tensor, smears: Tensor, seen: Tensor) -> Tensor:
    """What the network sees (N, c, h, w), with the true smears (N, SMEAR) in place of its first
    channels where `told` (N, 1, ...) says so."""
    first, rest = seen.split((SMEAR, seen.shape[1] - SMEAR), 1)
    true = smears[:, :, None, None].to(seen.dtype)
    return torch.cat((torch.where(told.view(-1, 1, 1, 1), true, first), rest), 1)


def _seen(network: STFAN, frames: Tensor, restored: Tensor) -> Tensor:
    """Clips (B, T, 3, H, W), and the same restored -> what the network sees of each frame,
    (B, T, c, h, w)."""
    before, restored_before = (
        torch.cat((frames[:, :1], clip[:, :-1]), 1).flatten(0, 1) for clip in (frames, restored)
    )
    seen = network.look(frames.flatten(0, 1), before, restored_before)
    return torch.unflatten(seen, 0, frames.shape[:2])


@torch.no_grad()
def _seen_somewhere(network: STFAN, frames: Tensor) -> Tensor:
    """Frames (N, 3, H, W) -> the smears that the network sees at one place of each, (N, SMEAR):
    filters that trust what is seen do harm where that is wrong, so they must know how wrong."""
    seen = network.look(frames, frames, frames)[:, :SMEAR].flatten(2)
    places = torch.randint(seen.shape[2], (len(seen), 1, 1)).to(seen.device)
    return seen.gather(2, places.expand(-1, SMEAR, 1))[:, :, 0].float()


def _smear_error(seen: Tensor, pair: Pair) -> Tensor:
    """How wrong the first channels of `seen` (B, T, c, h, w) are about the smears; what blur hardly
    changes counts less, since there it can't be seen."""
    assert pair.motion is not None
    change = (pair.given - pair.wanted).square().mean((2, 3, 4)).sqrt()
    error = (seen[:, :, :SMEAR].float() - pair.motion[..., None, None]).abs().mean((2, 3, 4))
    return (error * (change / _SEEN_CHANGE).clamp(max=1)).mean()


def objective_of(recipe: Recipe, data: TrainingSet, teacher: Network | None = None) -> Objective:
    """The objective of the recipe's network, with samples from `data`.

    Raises UsageError if that network does not learn from such a teacher, or not in this training.
    """
    if teacher is not None and not (recipe.architecture == "stdan" and isinstance(teacher, TGA)):
        raise UsageError("Only STDAN learns from a teacher, and only from a TGA")
    if teacher is not None and recipe.part(0) >= recipe.first_share:
        raise UsageError("A teacher is for single frames; leave out --joint and --first-share 0")
    match recipe.architecture:
        case "fstrn":
            return LumaOfAllFrames(recipe, data)
        case "spmc":
            return FlowThenFusion(recipe, data)
        case "stdan":
            return TwiceTheFrames(recipe, data, teacher)
        case "stfan":
            return Deblurring(recipe, data)
        case _:
            return CenterFrame(recipe, data)


def _second_ends(recipe: Recipe, share: float) -> float:
    """Share of the budget at which a second stage ends that gets `share` of what the first one
    leaves."""
    return recipe.first_share + share * (1 - recipe.first_share)


def _clips(
    recipe: Recipe,
    data: TrainingSet,
    generator: torch.Generator,
    share: float,
    frames: int = FRAMES,
) -> Tensor:
    """(B, frames, 3, H, W) in [0, 1], what the network is to make."""
    patch, count = recipe.sizes(share)
    source = ClipSource(
        data,
        patch * recipe.scale,
        recipe.moved_share,
        recipe.text_share,
        recipe.slow_share,
        frames,
    )
    return source.batch(count, generator)


def _shrunk(truth: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """(B, T, 3, H, W) -> (B, T, 3, H/scale, W/scale), what the network gets."""
    match recipe.degradation:
        case "blur":
            raise AssertionError("deblurring has batches of its own")
        case "real":
            return real_batch(truth, recipe.scale, generator)
        case kernel:
            return degrade(truth, kernel, recipe.scale)


def _told(samples: Tensor, share: float = _TOLD) -> Tensor:
    """Which of the samples (N, ...) are told their true motion: (N, 1, ...)."""
    told = torch.rand(len(samples)) < share
    return told.to(samples.device).view(-1, *[1] * (samples.dim() - 1))


def _difference(restored: Tensor, wanted: Tensor, recipe: Recipe) -> Tensor:
    return difference(restored, wanted, recipe.loss, recipe.charbonnier)


def _neighbors(x: Tensor) -> Tensor:
    """(B, 3, C, H, W) -> (2*B, C, H, W): without the middle frames."""
    return x[:, ::2].flatten(0, 1)
