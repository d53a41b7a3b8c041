"""BasicVSR against a recorded run of its reference, and its inference form against it."""

from __future__ import annotations

import pytest
import torch
from models import tiny
from parity import Fixture, load_fixture
from torch import Tensor

from vsrcli.networks import basicvsr_flow
from vsrcli.networks.basicvsr import BasicVSR, enlarge
from vsrcli.networks.basicvsr_inference import BasicVSRInference

CONSTANTS = ("spynet.mean", "spynet.std")
"""Buffers of the published checkpoints, which the fixture does not fill."""


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return load_fixture("basicvsr")


@pytest.fixture(scope="module")
def published(fixture: Fixture) -> BasicVSR:
    network = BasicVSR().eval()
    filled = {key: value for key, value in fixture.state.items() if key not in CONSTANTS}
    network.load_state_dict({**network.state_dict(), **filled})
    return network


@pytest.fixture(scope="module")
def small() -> BasicVSR:
    network = tiny("basicvsr")
    assert isinstance(network, BasicVSR)
    return network


def _difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@torch.no_grad()
def test_equals_the_reference(published: BasicVSR, fixture: Fixture) -> None:
    made = published(fixture["frames"])
    assert _difference(made[..., 1::4, 2::4], fixture["output_every_4th"]) < fixture.tolerance
    assert _difference(made[..., :48, :48], fixture["output_corner"]) < fixture.tolerance


@torch.no_grad()
def test_inference_form_equals_the_network(published: BasicVSR, fixture: Fixture) -> None:
    part = fixture["frames"][:, :2, :, :32, :32]
    made = BasicVSRInference(published)(part)
    assert _difference(made, published(part)) < fixture.tolerance


@torch.no_grad()
def test_flows_equal_the_reference(published: BasicVSR, fixture: Fixture) -> None:
    clip = fixture["frames"][0]
    to_next, to_previous = published.flows(clip[:-1], clip[1:])
    assert fixture["flows_backward"].abs().max() > 1
    assert _difference(to_next, fixture["flows_backward"][0]) < fixture.tolerance
    assert _difference(to_previous, fixture["flows_forward"][0]) < fixture.tolerance


def test_takes_the_published_checkpoints(published: BasicVSR, fixture: Fixture) -> None:
    shapes = {key: list(value.shape) for key, value in published.state_dict().items()}
    assert shapes == fixture.meta["state"]
    assert sum(parameter.numel() for parameter in published.parameters()) == 6_291_311


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (7, 33)])
@pytest.mark.parametrize("length", [1, 3])
def test_takes_any_size_and_length(small: BasicVSR, size: tuple[int, int], length: int) -> None:
    frames = torch.rand(2, length, 3, *size)
    made = small(frames)
    assert made.shape == (2, length, 3, 4 * size[0], 4 * size[1])
    assert _difference(made[1:], small(frames[1:])) < 1e-5, "clips have nothing to do with others"
    assert _difference(BasicVSRInference(small)(frames), made) < 1e-5


@torch.no_grad()
def test_every_frame_depends_on_all(small: BasicVSR) -> None:
    frames = torch.rand(1, 4, 3, 16, 16)
    made = small(frames)
    for index in range(4):
        changed = frames.clone()
        changed[:, index] = 1 - changed[:, index]
        assert ((small(changed) - made).abs().amax((0, 2, 3, 4)) > 1e-6).all()


@torch.no_grad()
def test_bands_of_large_pictures_change_nothing(
    small: BasicVSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = torch.rand(2, 3, 70, 40)
    whole = small.flows(pair[:1], pair[1:])
    monkeypatch.setattr(basicvsr_flow, "_PIXELS_AT_ONCE", 20 * 64)
    banded = small.flows(pair[:1], pair[1:])
    assert max(map(_difference, whole, banded)) < 1e-5


@torch.no_grad()
def test_bf16_stays_close(small: BasicVSR, real_clip: Tensor) -> None:
    frames = real_clip[None, :3, :, :64, :64]
    exact = small(frames)
    made = BasicVSRInference(small, torch.bfloat16)(frames)
    assert made.dtype == torch.float32
    assert 0 < _difference(made, exact) < 1 / 255
    assert _difference(exact, torch.stack([enlarge(clip) for clip in frames])) > 10 / 255


@torch.no_grad()
def test_values_beyond_the_range_reach_the_base_alone(small: BasicVSR) -> None:
    network = BasicVSRInference(small)
    frames = torch.rand(1, 2, 3, 8, 8) * 1.4 - 0.2
    inside = frames.clamp(0, 1)
    change = torch.stack([enlarge(clip) for clip in frames - inside])
    assert _difference(network(frames), network(inside) + change) < 1e-5


@pytest.mark.parametrize("autocast", [False, True])
def test_trains(autocast: bool) -> None:
    network = tiny("basicvsr").train()
    frames = torch.rand(1, 3, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        made = network(frames)
        flow, _ = network.flows(frames[:, 0], frames[:, 1])
    assert flow.dtype == torch.float32
    made.float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.cuda
@torch.no_grad()
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-3), (torch.float16, 1 / 255)])
def test_a_card_equals_a_cpu(small: BasicVSR, dtype: torch.dtype, bound: float) -> None:
    frames = torch.rand(1, 3, 3, 40, 56)
    made = BasicVSRInference(small, dtype).cuda()(frames.cuda())
    assert _difference(made.cpu(), small(frames)) < bound
