"""TGA against the authors' network, and its inference form against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from parity import Fixture, load_fixture
from torch import Tensor

from vsrcli.networks.layout import channels_last
from vsrcli.networks.tga import LITE, PUBLISHED, TGA, TGAConfig, group_features, softmax_over_groups
from vsrcli.networks.tga_inference import TGAInference
from vsrcli.zoo.official import network_from_state

VARIANTS = ("tga", "tga_dilated")
FIRST_FRAME = [0, 0, 0, 0, 1, 2, 3]
"""The window of frame 0, its past filled with the frame itself."""


@pytest.fixture(scope="module", params=VARIANTS)
def reference(request: pytest.FixtureRequest) -> tuple[TGA, Fixture]:
    fixture = load_fixture(request.param)
    return network_from_state("tga", fixture.state, request.param), fixture


def _random(config: TGAConfig) -> TGA:
    """A network whose batch norms do something, negative and zero scales included."""
    network = TGA(config).eval()
    for name, value in network.state_dict().items():
        if "bn3d" in name and value.is_floating_point():
            spread = torch.rand_like(value) if name.endswith("var") else torch.randn_like(value)
            value.copy_(spread + (0.5 if name.endswith("var") else 0.0))
            if name.endswith("bn3d_1.weight"):
                value[0] = 0.0
        elif value.dim() > 3:
            value.mul_(0.5)
    return network


@torch.no_grad()
@pytest.mark.parametrize("build", [lambda n: n, TGAInference], ids=["plain", "inference"])
def test_equals_the_authors_network(build, reference: tuple[TGA, Fixture]) -> None:  # type: ignore[no-untyped-def]
    network, fixture = build(reference[0]), reference[1]
    middle = network(fixture["lr"])[:, 0]
    first = network(fixture["lr"][:, FIRST_FRAME])[:, 0]
    assert (middle - fixture["output"]).abs().max() < fixture.tolerance
    assert (first - fixture["output_first"]).abs().max() < fixture.tolerance


@torch.no_grad()
def test_attention_equals_the_authors() -> None:
    fixture = load_fixture("tga")
    network = network_from_state("tga", fixture.state, "fixture")
    seen: list[Tensor] = []
    network.last.conv3d_6.register_forward_hook(lambda _m, _i, out: seen.append(out[:, 16:]))
    network(fixture["lr"])
    attention = softmax_over_groups(seen[0])[:, 0]
    assert (attention - fixture["attention"][0]).abs().max() < fixture.tolerance


def test_published_size() -> None:
    count = sum(p.numel() for p in TGA(PUBLISHED).parameters())
    assert count == 7_057_853
    assert sum(p.numel() for p in TGA(replace(PUBLISHED, dilated=True)).parameters()) == 7_057_597


def test_lite_is_about_a_tenth_of_the_arithmetic() -> None:
    def multiplications(config: TGAConfig) -> int:
        network, total = TGA(config).eval(), 0

        def count(module, inputs, output) -> None:  # type: ignore[no-untyped-def]
            nonlocal total
            total += output.numel() * module.weight[0].numel()

        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count)
        with torch.no_grad():
            network(torch.rand(1, 7, 3, 8, 8))
        return total

    assert 0.08 < multiplications(LITE) / multiplications(PUBLISHED) < 0.14


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 11)])
def test_any_size(size: tuple[int, int]) -> None:
    frames = torch.rand(2, 7, 3, *size)
    expected = (2, 1, 3, 4 * size[0], 4 * size[1])
    for network in (TGA(LITE).eval(), TGAInference(TGA(LITE).eval())):
        assert network(frames).shape == expected


@torch.no_grad()
@pytest.mark.parametrize("config", [LITE, replace(LITE, dilated=True)], ids=["plain", "dilated"])
def test_inference_form_folds_every_batch_norm(config: TGAConfig) -> None:
    network = _random(config)
    frames = torch.rand(2, 7, 3, 12, 10)
    expected = network.double()(frames.double())
    made = TGAInference(network.float())(frames)
    scale = (expected - network.double()(frames.double() * 0)).abs().max()
    assert scale > 0.05, "the comparison would say nothing of an idle network"
    assert (made - expected).abs().max() < 1e-4 * scale


@torch.no_grad()
def test_windows_of_a_batch_do_not_mix() -> None:
    network = TGAInference(_random(LITE))
    frames = torch.rand(3, 7, 3, 9, 8)
    together = network(frames)
    alone = torch.cat([network(frames[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


@torch.no_grad()
def test_reach_is_the_receptive_field() -> None:
    """A pixel changes what lies within `reach` of it and nothing beyond."""
    config = TGAConfig(features=8, growth=4, intra_blocks=2, inter_blocks=1, up_features=8)
    network = TGA(config).eval().double()
    for parameter in network.parameters():  # averages only: no ReLU is ever shut
        if parameter.dim() >= 4:
            parameter.fill_(1 / parameter[0].numel())
    reach = network.spec.reach
    frames = torch.rand(1, 7, 3, 3, 2 * reach + 9, dtype=torch.float64)
    changed = frames.clone()
    changed[..., 0] += 1e20  # less than a third of it is left after each convolution
    difference = (network(changed) - network(frames)).abs().amax((0, 1, 2, 3))
    assert difference[4 * (reach + 1) :].max() == 0
    assert difference[4 * reach : 4 * (reach + 1)].max() > 0


def test_groups_take_the_frames_of_the_paper() -> None:
    """Groups (f0 f3 f6), (f2 f3 f4), (f1 f3 f5): past, reference and future slices."""
    config = TGAConfig(features=1)
    features = [
        torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1) * (frame + 1) for frame in range(7)
    ]
    sums = [float(group) for group in group_features(features, config, None)]
    assert sums == [1 + 40 + 700, 3 + 40 + 500, 2 + 40 + 600]


def test_trains() -> None:
    network = channels_last(TGA(LITE)).train()
    frames, truth = torch.rand(2, 7, 3, 8, 8), torch.rand(2, 1, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = (network(frames) - truth).abs().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
