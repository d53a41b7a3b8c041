"""STFAN against the authors' network, its inference form, and its state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from parity import Fixture, load_fixture
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vsrcli.networks.layout import channels_last
from vsrcli.networks.stfan import (
    LITE,
    PUBLISHED,
    STFAN,
    STFANConfig,
    STFANState,
    bgr_to_rgb,
)
from vsrcli.networks.stfan_inference import STFANInference

THIN = STFANConfig(channels=(4, 6, 8))
forms = pytest.mark.parametrize("build", [lambda n: n, STFANInference], ids=["plain", "inference"])
Build = Callable[[STFAN], STFAN]


@pytest.fixture(scope="module")
def reference() -> tuple[STFAN, Fixture]:
    fixture = load_fixture("stfan")
    network = STFAN(PUBLISHED).eval()
    network.load_state_dict(fixture.state)
    return network, fixture


def _lively(config: STFANConfig) -> STFAN:
    """A network of which everything counts, that changes its frames by about 0.05."""
    network = STFAN(config).eval()
    random = torch.Generator().manual_seed(0)
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            quiet = name in ("img_prd.0", "fac_warp.3.0", "fac_deblur.3.0")
            nn.init.xavier_uniform_(module.weight, 0.1 if quiet else 1.0, generator=random)
            nn.init.zeros_(module.bias)
    taps = config.fac_kernel**2
    for name in ("fac_warp.3.0", "fac_deblur.3.0"):
        nn.init.ones_(network.get_submodule(name).bias[taps // 2 :: taps])
    probe = torch.rand(1, 2, 3, 32, 32)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.add_(0.02 * torch.randn_like(parameter))
        for parameter in network.img_prd.parameters():
            parameter.mul_(0.05 / (network(probe) - probe).std())
    return network


def _run(network: STFAN, frames: Tensor, state: STFANState | None) -> tuple[Tensor, STFANState]:
    """Frames (B, T, 3, H, W) one by one from `state` -> the same shape, and the state after."""
    restored = []
    for frame in frames.unbind(1):
        one, state = network.step(frame, network.encode(frame), state)
        restored.append(one)
    assert state is not None
    return torch.stack(restored, 1), state


@torch.no_grad()
@forms
def test_equals_the_authors_network(build: Build, reference: tuple[STFAN, Fixture]) -> None:
    network, fixture = build(reference[0]), reference[1]
    frames, expected = fixture["blur"], fixture["output"]
    restored, state = _run(network, frames, None)
    assert (restored - expected).abs().max() < fixture.tolerance
    assert (state.feature - fixture["feature"]).abs().max() < fixture.tolerance
    assert (network(frames) - expected).abs().max() < fixture.tolerance


def test_published_size() -> None:
    state = STFAN(PUBLISHED).state_dict()
    assert len(state) == 110
    assert sum(value.numel() for value in state.values()) == 5_372_547


@torch.no_grad()
def test_checkpoint_for_bgr_runs_on_rgb(reference: tuple[STFAN, Fixture]) -> None:
    fixture = reference[1]
    network = STFAN(PUBLISHED).eval()
    network.load_state_dict(bgr_to_rgb(fixture.state))
    restored = network(fixture["blur"].flip(2))
    assert (restored.flip(2) - fixture["output"]).abs().max() < fixture.tolerance


@torch.no_grad()
@forms
@pytest.mark.parametrize("size", [(4, 4), (8, 20)])
def test_any_multiple_of_four(build: Build, size: tuple[int, int]) -> None:
    frames = torch.rand(2, 3, 3, *size)
    assert build(_lively(THIN))(frames).shape == frames.shape


@torch.no_grad()
def test_resumed_is_uninterrupted() -> None:
    network, frames = STFANInference(_lively(THIN)), torch.rand(1, 5, 3, 16, 12)
    first, state = _run(network, frames[:, :2], None)
    kept = [part.clone() for part in state]
    second, _ = _run(network, frames[:, 2:], state)
    assert torch.allclose(torch.cat((first, second), 1), network(frames), atol=1e-6)
    for part, before in zip(state, kept, strict=True):
        assert torch.equal(part, before), "a step changed the state it was given"
    anew, _ = _run(network, frames[:, 2:], None)
    assert (anew - second).abs().max() > 1e-3, "the comparison would say nothing of the state"


@torch.no_grad()
def test_clips_of_a_batch_do_not_mix() -> None:
    network, clips = STFANInference(_lively(THIN)), torch.rand(3, 2, 3, 12, 16)
    alone = torch.cat([network(clip[None]) for clip in clips])
    assert torch.allclose(network(clips), alone, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_half_precision_stays_close_over_time(dtype: torch.dtype, real_clip: Tensor) -> None:
    """In bf16 the error of a frame is some 1.5 % of its largest residual."""
    network, frames = _lively(LITE), real_clip[None, :, :, 16:48, 40:88]
    expected = STFANInference(network)(frames)
    made = STFANInference(network, dtype)(frames)
    assert (expected - frames).abs().amax((0, 2, 3, 4)).min() > 0.1
    assert made.dtype == torch.float32
    assert (made - expected).abs().max() < 1 / 255


@torch.no_grad()
def test_frames_beyond_the_range_are_only_added_to() -> None:
    """What the layers see is clamped, the frame in the sum is not."""
    network, frames = _lively(THIN), 2 * torch.rand(1, 2, 3, 8, 8) - 0.5
    clamped = frames.clamp(0, 1)
    expected, _ = network.step(clamped[:, 0], network.encode(clamped[:, 0]), None)
    made, _ = network.step(frames[:, 0], network.encode(frames[:, 0]), None)
    assert torch.allclose(made - frames[:, 0], expected - clamped[:, 0], atol=1e-6)


class _Largest(TorchFunctionMode):
    """The most numbers that a tensor held."""

    numbers = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        for value in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(value, Tensor):
                self.numbers = max(self.numbers, value.numel())
        return made


@torch.no_grad()
def test_filters_never_exist_at_once() -> None:
    network, frame = STFANInference(STFAN(LITE)), torch.rand(1, 3, 64, 64)
    encoded = network.encode(frame)
    with _Largest() as largest:
        network.step(frame, encoded, None)
    assert largest.numbers <= 5 * encoded.numel(), "a kernel's row is 5 of its 25 taps"


def test_reach_is_the_receptive_field_of_a_step() -> None:
    network = STFAN(STFANConfig(channels=(1, 1, 1))).double()
    with torch.no_grad():
        for parameter in network.parameters():  # positive, so that nothing cancels
            parameter.fill_(1 / parameter[0].numel())
    reach = network.spec.reach
    center = 4 * (reach // 4 + 1)
    frame = torch.rand(1, 3, 4, 2 * center + 8, dtype=torch.float64, requires_grad=True)
    distances = set()
    for column in range(center, center + 4):
        restored, _ = network.step(frame, network.encode(frame), None)
        (gradient,) = torch.autograd.grad(restored[..., column].sum(), frame)
        felt = gradient.abs().amax((0, 1, 2)).nonzero()[:, 0]
        distances |= {column - int(felt[0]), int(felt[-1]) - column}
    assert max(distances) == reach


def test_trains_through_time() -> None:
    network = channels_last(_lively(THIN)).train()
    blurry, truth = torch.rand(2, 2, 3, 3, 16, 16)
    blurry.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        restored = network(blurry)
    (restored[:, 2] - truth[:, 2]).abs().mean().backward()
    assert restored.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert (network.fea[0].weight.grad != 0).any()
    assert blurry.grad is not None
    # The frame before is an input of the step; the one before that is felt through the state only.
    assert (blurry.grad[:, 0] != 0).any()
