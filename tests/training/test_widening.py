"""A trained network placed inside a larger one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from vsrcli.errors import UsageError
from vsrcli.networks import stdan_initialization, stfan_initialization
from vsrcli.networks.stdan import STDAN, STDANConfig
from vsrcli.networks.stfan import STFAN, STFANConfig
from vsrcli.networks.tga import TGA, TGAConfig, initialize
from vsrcli.training.widening import widen

SMALL = TGAConfig(features=6, growth=4, intra_blocks=2, inter_blocks=1, up_features=8)
LARGE = TGAConfig(features=10, growth=4, intra_blocks=4, inter_blocks=3, up_features=12)
SHALLOW = STDANConfig(
    features=8, embedding=24, window=4, groups=2, encoder_groups=1, decoder_groups=1, blocks=1
)
NARROW = STFANConfig(channels=(3, 4, 6), fac_kernel=3)


@pytest.fixture
def small() -> TGA:
    """A network whose every parameter and statistic matters."""
    generator = torch.Generator().manual_seed(1)
    network = TGA(SMALL).eval()
    initialize(network, generator)
    nn.init.normal_(network.conv3d_r3.weight, generator=generator)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.uniform_(-0.5, 0.5, generator=generator)
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
        elif isinstance(module, (nn.Conv2d, nn.Conv3d)) and module.bias is not None:
            module.bias.data.uniform_(-0.3, 0.3, generator=generator)
    return network


@pytest.mark.parametrize("config", [LARGE, replace(LARGE, features=6, up_features=8)])
@pytest.mark.parametrize("training", [False, True])
def test_widened_network_computes_the_same(small: TGA, config: TGAConfig, training: bool) -> None:
    large = TGA(config)
    initialize(large, torch.Generator().manual_seed(2))
    assert widen(small, large)
    frames = torch.rand(2, 7, 3, 9, 11)
    small.train(training)
    large.train(training)
    with torch.no_grad():
        expected = small(frames)
        assert (expected - small(frames.flip(1))).abs().max() > 1e-3
        torch.testing.assert_close(large(frames), expected, rtol=1e-4, atol=1e-4)


def test_new_channels_can_learn(small: TGA) -> None:
    large = TGA(LARGE).train()
    initialize(large, torch.Generator().manual_seed(2))
    widen(small, large)
    large(torch.rand(2, 7, 3, 9, 11)).square().mean().backward()
    # What listens to a new block has a gradient, though its weight is still zero.
    places = slice(10 + 12, 10 + 24)  # the block middle_1, which the small network lacks
    assert large.last.conv3d_1.weight[:6, places].abs().max() == 0
    assert large.last.conv3d_1.weight.grad[:6, places].abs().max() > 0


@pytest.mark.parametrize(
    "change", [{"features": 5}, {"growth": 5}, {"inter_blocks": 0}, {"dilated": True}]
)
def test_networks_that_do_not_fit_are_refused(small: TGA, change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="cannot be widened"):
        widen(small, TGA(replace(LARGE, **change)))


def test_networks_of_one_size_and_of_different_kinds_are_left_alone(small: TGA) -> None:
    same, other = TGA(SMALL), STFAN(NARROW)
    before = same.last.conv3d_1.weight.clone()
    assert not widen(small, same) and not widen(small, other)
    assert torch.equal(same.last.conv3d_1.weight, before)


@pytest.fixture
def narrow() -> STFAN:
    """An STFAN whose every parameter matters."""
    generator = torch.Generator().manual_seed(1)
    network = STFAN(NARROW)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.15, generator=generator)
    return network


@torch.no_grad()
def test_widened_stfan_computes_the_same(narrow: STFAN) -> None:
    large = STFAN(STFANConfig(channels=(5, 8, 7), fac_kernel=3))
    stfan_initialization.initialize(large, torch.Generator().manual_seed(2))
    assert widen(narrow, large)
    frames = torch.rand(2, 3, 3, 16, 20)
    expected = narrow(frames)
    assert (expected - frames).abs().max() > 1e-2
    torch.testing.assert_close(large(frames), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", [{"channels": (2, 8, 8)}, {"fac_kernel": 5}])
def test_stfans_that_do_not_fit_are_refused(narrow: STFAN, change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="cannot be widened"):
        widen(narrow, STFAN(replace(NARROW, **change)))


@pytest.fixture
def shallow() -> STDAN:
    """A STDAN whose every parameter matters."""
    generator = torch.Generator().manual_seed(1)
    network = STDAN(SHALLOW).eval()
    stdan_initialization.initialize(network, generator)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    return network


def test_deepened_stdan_computes_the_same(shallow: STDAN) -> None:
    large = STDAN(replace(SHALLOW, encoder_groups=2, decoder_groups=3, blocks=4)).eval()
    stdan_initialization.initialize(large, torch.Generator().manual_seed(2))
    assert widen(shallow, large)
    frames = torch.rand(1, 3, 3, 16, 20)
    with torch.no_grad():
        expected = shallow(frames)
        assert expected.std() > 0.1
        torch.testing.assert_close(large(frames), expected, rtol=1e-4, atol=1e-5)
    # Whatever ends a new block can learn.
    large(frames).square().mean().backward()
    for layer in (
        large.feature_recon.layers[2].conv,
        large.feature_recon.layers[0].residual_group["blocks"][3].mlp.fc2,
    ):
        assert layer.weight.abs().max() == 0 < layer.weight.grad.abs().max()


@pytest.mark.parametrize("change", [{"embedding": 48}, {"blocks": 0}])
def test_stdans_that_do_not_fit_are_refused(shallow: STDAN, change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="cannot be widened"):
        widen(shallow, STDAN(replace(SHALLOW, **change)))
