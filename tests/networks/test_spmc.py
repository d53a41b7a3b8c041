"""SPMC against the rebuild of the authors' network, and its inference form against itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from parity import Fixture, load_fixture
from torch import Tensor, nn

from vsrcli.networks.layout import channels_last
from vsrcli.networks.spmc import (
    REFERENCE,
    SPMC,
    STANDARD,
    SameConv,
    SPMCConfig,
    enlarge,
    initialize,
    splat_window,
)
from vsrcli.networks.spmc_inference import SPMCInference
from vsrcli.ops.splat import splat
from vsrcli.ops.ycbcr import rgb_to_luma, rgb_to_ycbcr

SCALES = (2, 3, 4)
WINDOWS = [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]
"""Those of a clip of four frames."""
CONFIGS = {"reference": REFERENCE, "standard": STANDARD}


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return load_fixture("spmc")


def _filled(fixture: Fixture, config: SPMCConfig) -> SPMC:
    """A network with the recorded parameters, which make flows near their limit and corrections
    that are plain to see."""
    network = SPMC(config).eval()
    network.load_state_dict(fixture.state)
    return network


def _windows(frames: Tensor) -> Tensor:
    """(4, 3, H, W) -> (4, 3, 3, H, W)"""
    return torch.stack([frames[window] for window in WINDOWS])


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())


@torch.no_grad()
@pytest.mark.parametrize("scale", SCALES)
def test_every_part_equals_the_reference(fixture: Fixture, scale: int) -> None:
    network = _filled(fixture, replace(REFERENCE, scale=scale))
    recorded = {
        key.rsplit(".", 1)[1]: value
        for key, value in fixture.arrays.items()
        if key.startswith(f"net.x{scale}.")
    }
    # At x3 TensorFlow rounds the phases of the interpolation.
    loose = fixture.meta["tolerances"]["net.x3.out, net.x3.bicubic, net.x3.rgb"]
    interpolated = loose if scale == 3 else fixture.tolerance

    luma = rgb_to_luma(recorded["frames"])
    target = luma[:, 1].expand(3, -1, -1, -1)
    coarse = network.easyflow.coarse(torch.cat((luma[0], target), 1))
    assert _largest(coarse - recorded["coarse"]) < fixture.tolerance
    flows = network.estimate_flows(luma)
    estimates = network.steps(luma, flows)
    assert recorded["uv"].abs().max() > 1
    assert _largest(flows[0] - recorded["uv"]) < fixture.tolerance
    splats = splat_window(luma, flows, network.config)
    assert _largest(splats - recorded["splat"]) < fixture.tolerance
    base = enlarge(luma[0, 1], network.config)
    assert _largest(base - recorded["bicubic"]) < interpolated
    assert _largest(estimates[0] - recorded["out"]) < interpolated
    assert _largest(estimates[0, -1] - base) > 0.1, "the network should have something to say"

    maps = network.srmodel.encode(splats)[2].chunk(3)
    state = network.srmodel.convLSTM.begin(maps[0])
    for x in maps[1:]:
        state = network.srmodel.convLSTM(x, state)
    assert _largest(state.cell[0, :4] - recorded["c_head"]) < fixture.tolerance
    assert _largest(state.hidden[0, :4] - recorded["h_head"]) < fixture.tolerance

    for build in (lambda n: n, SPMCInference):
        rgb = build(network)(recorded["frames"])[:, 0]
        assert _largest(rgb - recorded["rgb"]) < interpolated


@torch.no_grad()
def test_whole_clip_of_odd_size_equals_the_reference(fixture: Fixture) -> None:
    """All windows as one batch, of frames padded by their edges to a multiple of 4."""
    network = SPMCInference(_filled(fixture, REFERENCE))
    frames = F.pad(fixture["pipe.frames"][0], (0, 2, 0, 2), "replicate")
    rgb = network(_windows(frames))[:, 0, :, : 4 * 14, : 4 * 18]
    assert _largest(rgb - fixture["pipe.rgb"]) < fixture.tolerance
    assert _largest(rgb_to_luma(rgb) - fixture["pipe.y"]) < fixture.tolerance


def test_published_size() -> None:
    network = SPMC(REFERENCE)

    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    assert count(network.easyflow) == 53_392
    assert count(network.srmodel) == 1_668_769
    assert count(network) == 1_722_161


@torch.no_grad()
@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_is_tensorflows(kernel: int, stride: int) -> None:
    """Output i of a line reads from i * stride - (total padding // 2) on."""
    conv = SameConv(1, 1, kernel, stride).double()
    weight, bias = conv.weight[0, 0], float(conv.bias)
    for height, width in ((5, 6), (6, 7), (1, 2)):
        x = torch.rand(height, width, dtype=torch.float64)
        high, wide = -(-height // stride), -(-width // stride)
        top = max((high - 1) * stride + kernel - height, 0) // 2
        left = max((wide - 1) * stride + kernel - width, 0) // 2
        expected = torch.full((high, wide), bias, dtype=torch.float64)
        for row in range(high):
            for column in range(wide):
                for a in range(kernel):
                    for b in range(kernel):
                        y, z = row * stride - top + a, column * stride - left + b
                        if 0 <= y < height and 0 <= z < width:
                            expected[row, column] += weight[a, b] * x[y, z]
        assert _largest(conv(x[None, None])[0, 0] - expected) < 1e-12


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_savings_change_nothing(fixture: Fixture, config: SPMCConfig) -> None:
    """The recurrence over whole concatenations from a state of zeros, and every step decoded."""
    network = _filled(fixture, config)
    frames = fixture["net.x4.frames"]
    luma = rgb_to_luma(frames)
    flows = network.estimate_flows(luma)
    estimates = network.steps(luma, flows)
    fusion, width = network.srmodel, 128
    base = enlarge(luma[:, 1], config)
    cell = hidden = torch.zeros(1, width, 16, 24)
    for index in range(3):
        x = splat(luma[:, index], flows[:, index], 4, config.border, config.grid)
        full = fusion.enc1(x).relu()
        half = fusion.enc2_1(fusion.enc2(full).relu()).relu()
        x = torch.cat((fusion.enc3(half).relu(), hidden), 1)
        i, j, f, o = fusion.convLSTM.LSTM_conv(x).split(width, 1)
        cell = cell * (f + 1).sigmoid() + i.sigmoid() * j.tanh()
        hidden = cell.tanh() * o.sigmoid()
        x = fusion.dec1(fusion.enc3_1(hidden).relu()).relu() + half
        x = fusion.dec2(fusion.dec1_1(x).relu()).relu() + full
        expected = base + fusion.dec3(fusion.dec2_1(x).relu())
        assert _largest(estimates[:, index] - expected) < 1e-5
    for build in (lambda n: n, SPMCInference):
        last = build(network)(frames)[:, 0]
        assert _largest(rgb_to_luma(last) - estimates[:, -1]) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_chroma_is_interpolated_and_luma_corrected(fixture: Fixture, config: SPMCConfig) -> None:
    network = _filled(fixture, config)
    frames = fixture["net.x4.frames"]
    made = rgb_to_ycbcr(network(frames)[:, 0])
    chroma = enlarge(rgb_to_ycbcr(frames[:, 1])[:, 1:], config)
    assert _largest(made[:, 1:] - chroma) < 1e-6
    luma = rgb_to_luma(frames)
    known = network.steps(luma, network.estimate_flows(luma))
    assert _largest(made[:, :1] - known[:, -1]) < 1e-6


@torch.no_grad()
def test_center_frame_does_not_move_unless_asked(fixture: Fixture) -> None:
    luma = rgb_to_luma(fixture["net.x4.frames"])
    still = _filled(fixture, STANDARD).estimate_flows(luma)
    estimated = _filled(fixture, replace(STANDARD, self_flow=True)).estimate_flows(luma)
    assert still[:, 1].abs().max() == 0
    assert estimated[:, 1].abs().max() > 0
    assert torch.allclose(still[:, [0, 2]], estimated[:, [0, 2]], atol=1e-5)
    assert 2 < still.abs().max() < STANDARD.coarse_reach + STANDARD.fine_reach


@torch.no_grad()
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("frames", [3, 5])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_shapes(config: SPMCConfig, scale: int, frames: int) -> None:
    network = SPMC(replace(config, scale=scale, frames=frames)).eval()
    clip = torch.rand(2, frames, 3, 8, 12)
    assert network.spec.strategy.radius == frames // 2
    assert network(clip).shape == (2, 1, 3, 8 * scale, 12 * scale)
    assert torch.allclose(SPMCInference(network)(clip), network(clip), atol=1e-5)
    luma = rgb_to_luma(clip)
    flows = network.estimate_flows(luma)
    estimates = network.steps(luma, flows)
    assert estimates.shape == (2, frames, 1, 8 * scale, 12 * scale)
    assert flows.shape == (2, frames, 2, 8, 12)


@torch.no_grad()
@pytest.mark.parametrize("build", [lambda n: n, SPMCInference], ids=["plain", "inference"])
def test_cached_features_give_the_same(
    fixture: Fixture, build: Callable[[SPMC], SPMC | SPMCInference]
) -> None:
    network = build(_filled(fixture, STANDARD))
    frames = fixture["pipe.frames"][0, :, :, :12, :16]
    together = network(_windows(frames))[:, 0]
    features = [network.frame_features(frame[None]) for frame in frames]
    for window, expected in zip(WINDOWS, together, strict=True):
        made = network.from_features([features[i] for i in window], frames[window[1]][None])
        assert _largest(made[0] - expected) < 1e-5


@torch.no_grad()
def test_same_bits_every_time(fixture: Fixture) -> None:
    network = SPMCInference(_filled(fixture, STANDARD))
    frames = fixture["net.x4.frames"]
    first = network(frames)
    assert all(torch.equal(network(frames), first) for _ in range(3))


@torch.no_grad()
@pytest.mark.parametrize(("config", "scale"), [(REFERENCE, 2), (STANDARD, 4)])
def test_cut_pictures_are_whole_beyond_the_reach(
    fixture: Fixture, config: SPMCConfig, scale: int
) -> None:
    """What is cut away changes nothing farther off than `reach`, but much that is nearer, and
    less than half a code beyond `halo`."""
    network = _filled(fixture, replace(config, scale=scale)).double()
    frames = rgb_to_luma(fixture["net.x2.frames"]).repeat(1, 1, 3, 1, 3)[..., :4, :].double()
    whole, cut = network(frames), 20
    left = (network(frames[..., cut:]) - whole[..., cut * scale :]).flip(-1)
    right = network(frames[..., :-cut]) - whole[..., : -cut * scale]
    change = torch.maximum(left.abs(), right.abs()).amax((0, 1, 2, 3)).flip(-1)
    reach, halo = network.spec.reach, network.spec.halo
    assert halo <= reach
    assert change[reach * scale :].max() < 1e-9 < change[reach * scale // 2 :].max()
    assert change[halo * scale :].max() < 0.5 / 255


@torch.no_grad()
def test_bf16_holds_its_precision(fixture: Fixture, real_clip: Tensor) -> None:
    network = _filled(fixture, STANDARD)
    frames = real_clip[None, :3, :, 20:60, 40:104]
    exact = network(frames)
    made = SPMCInference(network, torch.bfloat16)(frames)
    assert made.dtype == torch.float32
    assert _largest(exact[:, 0] - enlarge(frames[:, 1], STANDARD)) > 10 / 255
    assert _largest(made - exact) < 1 / 255
    assert _largest(SPMCInference(network)(frames) - exact) < 2e-5


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_trains(config: SPMCConfig) -> None:
    network = channels_last(SPMC(config)).train()
    initialize(network, torch.Generator().manual_seed(0))
    nn.init.normal_(network.srmodel.dec3.weight, std=0.05)  # at zero nothing else would learn
    luma, truth = torch.rand(2, 3, 1, 8, 8), torch.rand(2, 3, 1, 32, 32)
    exact = network.estimate_flows(luma)
    with torch.autocast("cpu", torch.bfloat16):
        flows = network.estimate_flows(luma)
        estimates = network.steps(luma, flows)
        loss = (estimates - truth).square().mean() + 0.01 * flows.abs().mean()
    assert torch.equal(flows, exact), "positions stay in float32"
    assert estimates.dtype == torch.float32
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name


def test_motion_learns_from_the_fusion_alone() -> None:
    """Gradients reach the flow through the splat's positions."""
    network = SPMC(STANDARD)
    frames = torch.rand(1, 3, 3, 8, 8)
    network(frames).square().mean().backward()
    assert network.easyflow.c1.weight.grad is not None
    assert network.easyflow.c1.weight.grad.abs().max() > 0


@torch.no_grad()
def test_training_starts_at_the_interpolation() -> None:
    network, again = SPMC(STANDARD).eval(), SPMC(STANDARD)
    initialize(network, torch.Generator().manual_seed(3))
    initialize(again, torch.Generator().manual_seed(3))
    assert all(
        torch.equal(*two) for two in zip(network.parameters(), again.parameters(), strict=True)
    )
    frames = torch.rand(1, 3, 3, 16, 16)
    assert torch.equal(network(frames)[:, 0], enlarge(frames[:, 1], STANDARD))
    assert not any(p.any() for p in network.parameters() if p.dim() == 1)


@torch.no_grad()
def test_details_go_through_the_untrained_fusion() -> None:
    """What reaches the last layer is neither silent nor dead, and more than brightness."""
    network = SPMC(STANDARD)
    initialize(network, torch.Generator().manual_seed(3))
    fusion = network.srmodel
    fusion.dec3.weight.fill_(0.05)

    def splats(luma: Tensor) -> Tensor:
        return splat_window(luma, torch.zeros(1, 3, 2, 16, 16), STANDARD)

    flat = torch.full((1, 3, 1, 16, 16), 0.5)
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(4))
    quiet, loud = (fusion(splats(flat + 0.05 * x), 3) for x in (0 * noise, noise))
    inner = (..., slice(12, -12), slice(12, -12))
    assert (loud - quiet)[inner].std() > 0.1 * quiet[inner].std()
    state = fusion.convLSTM.begin(fusion.encode(splats(flat))[2])
    assert state.hidden[..., 4:-4, 4:-4].abs().max() < 1e-5, "brightness alone is not remembered"


@pytest.mark.cuda
@torch.no_grad()
def test_card_equals_cpu_every_time(fixture: Fixture, real_clip: Tensor) -> None:
    network = _filled(fixture, STANDARD)
    frames = real_clip[None, :3, :, 20:60, 40:104]
    expected = network(frames)
    card = SPMCInference(network, torch.float16).cuda()
    first = card(frames.cuda())
    assert _largest(first.cpu() - expected) < 1 / 255
    assert all(torch.equal(card(frames.cuda()), first) for _ in range(3))
