"""STDAN against the authors' network, its parts against its whole, and its inference form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from models import TINY_STDAN as TINY
from parity import Fixture, load_fixture
from parity_fill import clip, uniform
from torch import Tensor

from vsrcli.networks.layout import channels_last
from vsrcli.networks.stdan import PUBLISHED, STDAN, STDANConfig
from vsrcli.networks.stdan_inference import STDANInference
from vsrcli.ops.deform import OffsetConv, Sampler

CONSTANTS = ("relative_position_index", "attn_mask")
"""Buffers of the authors' checkpoint that a map's size or nothing determines."""


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return load_fixture("stdan")


@pytest.fixture(scope="module")
def published(fixture: Fixture) -> STDAN:
    network = STDAN(PUBLISHED).eval()
    network.load_state_dict({k: v for k, v in fixture.state.items() if not k.endswith(CONSTANTS)})
    return network


def _lively(config: STDANConfig = TINY) -> STDAN:
    """A network whose offsets are not zero; its output is about as lively as a picture."""
    torch.manual_seed(3)
    network = STDAN(config).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, OffsetConv):
                module.weight.normal_(std=0.1)
        made = network(_frames(3, (16, 24)))
        network.conv_last.weight.mul_(0.25 / made.std())
    return network


def _frames(length: int, size: tuple[int, int] = (8, 16)) -> Tensor:
    return torch.from_numpy(clip("stdan", (1, length, 3, *size)))


def _samples(x: Tensor) -> Tensor:
    """The 64 values that the fixture's traces keep of an output."""
    return x.flatten()[torch.arange(64) * (x.numel() - 1) // 63]


@torch.no_grad()
def test_equals_the_authors_network(published: STDAN, fixture: Fixture) -> None:
    """The output, and stage by stage what leads to it."""
    seen: dict[str, list[Tensor]] = {}
    hooks = []
    for name in (
        "conv_first",
        "feature_extraction.conv_first",
        "feature_extraction.layers.0.residual_group.blocks.0",
        "feature_extraction.layers.0.residual_group.blocks.1",
        "feature_extraction.layers.0",
        "feature_extraction.layers.1",
        "feature_extraction",
        "fea_L2_conv2",
        "fea_L3_conv2",
        "feature_recon",
        "upsample",
        "conv_last",
    ):

        def keep(_module, _inputs, output, name=name) -> None:  # type: ignore[no-untyped-def]
            seen.setdefault(name, []).append(output.clone())

        hooks.append(published.get_submodule(name).register_forward_hook(keep))
    difference = (published(fixture["input"]) - fixture["output"]).abs()
    for hook in hooks:
        hook.remove()
    for name, outputs in seen.items():
        wrong = (_samples(torch.cat(outputs)) - fixture[f"trace/{name}#0.0"]).abs().max()
        assert wrong < fixture.tolerance, name
    assert difference.max() < fixture.tolerance
    assert difference.mean() < fixture.meta["tolerance"]["mean_abs"]


@torch.no_grad()
def test_inference_form_equals_the_authors_network(published: STDAN, fixture: Fixture) -> None:
    difference = (STDANInference(published)(fixture["input"]) - fixture["output"]).abs()
    assert difference.max() < fixture.tolerance
    assert difference.mean() < fixture.meta["tolerance"]["mean_abs"]


def _pyramid(given: dict[str, Tensor], name: str) -> tuple[Tensor, ...]:
    return tuple(given[f"{name}_L{level}"] for level in (1, 2, 3))


def _dcn(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    layer = network.get_submodule("pcd_align_modified.L1_dcnpack_1")
    return {"out": layer(given["x"], given["feat"])}


def _dsp(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    layer = network.stdfa.deformable_corr.dcn_attention["conv_offset_mask"]
    assert isinstance(layer, OffsetConv)
    points = layer.points(given["feat"])
    sampled = Sampler(given["x"], groups=8)(points.positions(slice(0, given["x"].shape[2])))
    return {"out": sampled.flatten(1, 2).permute(0, 3, 2, 1)}


def _lstfi_step(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    cell = network.pcd_align_modified
    pair = cell.pair(_pyramid(given, "fea1"), _pyramid(given, "fea2"))
    between = cell.between(pair, given["hid"])
    return {"y": between, "hid": cell.next_hidden(between)}


def _hidden_align(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"out": network.pcd_align_modified.pcd_h(given["f1"], given["f2"])}


def _pair_attention(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    correlation = network.stdfa.deformable_corr
    source = correlation.source(given["key"], given["value"])
    half = correlation.query_half(given["query"])
    relevance, taken = correlation(given["query"], half, source)
    return {"weight": relevance.flatten(1), "value": taken.flatten(1, 2).transpose(1, 2)}


def _stdfa(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"out": torch.cat(network.stdfa(given["x"].unbind(1), (0, 1, 2)))}


def _upsampler(network: STDAN, given: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"out": network.upsampled(given["x"])}


CASES: dict[str, Callable[[STDAN, dict[str, Tensor]], dict[str, Tensor]]] = {
    "dcn": _dcn,
    "dsp": _dsp,
    "lstfi_step": _lstfi_step,
    "hidden_align": _hidden_align,
    "pair_attention": _pair_attention,
    "stdfa": _stdfa,
    "upsampler": _upsampler,
}
"""The fixture's modules but the two that `test_swin` has."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("graph", [False, True], ids=["inference", "training"])
def test_module_equals_the_authors(
    published: STDAN, fixture: Fixture, case: str, graph: bool
) -> None:
    given = {}
    for name, entry in fixture.meta["modules"]["list"][case]["inputs"].items():
        values = uniform(entry["uniform_name"], tuple(entry["shape"]))
        given[name] = torch.from_numpy(values).float()
    with torch.set_grad_enabled(graph):
        made = CASES[case](published, given)
    for name, output in made.items():
        difference = (output - fixture[f"mod/{case}/{name}"]).abs().max()
        assert difference < fixture.meta["tolerance"]["modules_max_abs"], name


def test_published_size(published: STDAN, fixture: Fixture) -> None:
    assert sum(parameter.numel() for parameter in published.parameters()) == 8_292_843
    dropped = fixture.state.keys() - published.state_dict().keys()
    assert len(dropped) == 72
    assert all(key.endswith(CONSTANTS) for key in dropped)


@torch.no_grad()
@pytest.mark.parametrize("build", [lambda n: n, STDANInference], ids=["plain", "inference"])
@pytest.mark.parametrize("length", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [(8, 8), (16, 40)])
def test_any_length_and_size(build, length: int, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    made = build(STDAN(TINY).eval())(torch.rand(2, length, 3, *size))
    assert made.shape == (2, 2 * length - 1, 3, 4 * size[0], 4 * size[1])


@torch.no_grad()
@pytest.mark.parametrize("wanted", [(2, 3), (2,), (0, 1, 2, 3), (4, 5, 6)])
def test_wanted_outputs_are_those_of_the_whole(wanted: tuple[int, ...]) -> None:
    """Frame by frame, as a strategy that keeps the parts calls them."""
    network, frames = STDANInference(_lively()), _frames(4)
    whole = network(frames)[0]
    features = [network.frame_features(frame[None]) for frame in frames[0]]
    pairs = [network.pair_features(*two) for two in zip(features[:-1], features[1:], strict=True)]
    made = network.from_features(features, pairs, wanted)
    assert made.shape == (len(wanted), *whole.shape[1:])
    assert (made - whole[list(wanted)]).abs().max() < 1e-5 * whole.abs().max()


@torch.no_grad()
def test_clips_of_a_batch_do_not_mix() -> None:
    network = _lively()
    frames = torch.cat((_frames(3), _frames(3).flip(1), torch.rand(1, 3, 3, 8, 16)))
    together = network(frames)
    alone = torch.cat([network(clip[None]) for clip in frames])
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()


@torch.no_grad()
def test_what_lies_beyond_the_reach_does_not_matter() -> None:
    network, frames = _lively(), _frames(2, (8, 128))
    end = 96
    difference = (network(frames)[..., : 4 * end] - network(frames[..., :end])).abs()
    spec = network.spec
    assert difference.max() > 0.1, "what is cut off must matter somewhere"
    assert difference[..., : 4 * (end - spec.halo)].max() < 0.5 / 255
    assert difference[..., : 4 * (end - spec.reach)].max() < 1e-4


@torch.no_grad()
def test_state_at_the_beginning_is_zero() -> None:
    cell = _lively().pcd_align_modified
    pair = torch.randn(1, TINY.features, 8, 16)
    expected = cell.between(pair, torch.zeros_like(pair))
    assert (cell.between(pair, None) - expected).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("size", [(4, 4), (5, 9)])
def test_end_of_the_inference_form_is_that_of_the_network(size: tuple[int, int]) -> None:
    network = _lively().double()
    x = torch.randn(2, TINY.features, *size, dtype=torch.float64)
    expected = network.upsampled(x)
    made = STDANInference(network.float()).upsampled(x.float())
    assert (made - expected).abs().max() < 1e-5


@torch.no_grad()
def test_bfloat16_is_within_one_grey_level() -> None:
    network, frames = _lively(), _frames(3, (16, 24))
    expected = network(frames)
    made = STDANInference(network, torch.bfloat16)(frames)
    assert made.dtype == torch.float32
    assert 0.15 < expected.std() < 0.3, "the comparison would say nothing of another contrast"
    assert (made - expected).abs().mean() < 0.2 / 255
    assert (made - expected).abs().max() < 1 / 255


@torch.no_grad()
def test_inference_form_clamps_its_frames() -> None:
    network, frames = STDANInference(_lively()), 3 * _frames(2) - 1
    assert torch.equal(network(frames), network(frames.clamp(0, 1)))


def test_offsets_begin_at_zero() -> None:
    offsets = [m for m in STDAN(TINY).modules() if isinstance(m, OffsetConv)]
    assert len(offsets) == 13
    assert all(float(p.detach().abs().max()) == 0 for m in offsets for p in m.parameters())


def test_trains() -> None:
    network = channels_last(_lively()).train()
    frames, truth = torch.rand(2, 3, 3, 8, 8), torch.rand(2, 5, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = (network(frames) - truth).abs().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
