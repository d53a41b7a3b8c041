"""FSTRN against the published code's numbers, and its stream against the whole clip."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from parity import Fixture, load_fixture
from torch import Tensor

from vsrcli.networks.fstrn import FSTRN, PUBLISHED, REFERENCE, FSTRNConfig, initialize
from vsrcli.networks.fstrn_inference import FSTRNInference
from vsrcli.networks.spec import Chunk
from vsrcli.ops.resize import resize
from vsrcli.ops.ycbcr import rgb_to_ycbcr, ycbcr_to_rgb

THIN = FSTRNConfig(channels=6)
THIN_REFERENCE = FSTRNConfig(channels=6, reference=True)
variants = pytest.mark.parametrize("config", [THIN, THIN_REFERENCE], ids=["ours", "reference"])


def _lively(config: FSTRNConfig) -> FSTRN:
    """A network whose every layer matters, biases too."""
    network = FSTRN(config).eval()
    initialize(network, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("frb_k311"):
                parameter.mul_(5)
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
        network.sr_feature.weight.mul_(30)
    return network


def _radius(network: FSTRN) -> int:
    assert isinstance(network.spec.strategy, Chunk)
    return network.spec.strategy.radius


@pytest.fixture(scope="module")
def reference() -> tuple[FSTRN, Fixture]:
    fixture = load_fixture("fstrn")
    network = FSTRN(REFERENCE).eval()
    network.load_state_dict(fixture.state)
    return network, fixture


@torch.no_grad()
@pytest.mark.parametrize("case", ["net.x4", "net.x4_t7"])
def test_equals_the_published_code(case: str, reference: tuple[FSTRN, Fixture]) -> None:
    network, fixture = reference
    luma = fixture[f"{case}.frames"]
    residual, made = network.residual(luma)[:, :, 0], network.luma(luma)[:, :, 0]
    assert (residual - fixture[f"{case}.residual"]).abs().max() < fixture.tolerance
    assert (made - fixture[f"{case}.out"]).abs().max() < fixture.tolerance


@torch.no_grad()
def test_equals_the_published_code_in_windows(reference: tuple[FSTRN, Fixture]) -> None:
    network, fixture = reference
    clip = fixture["pipe.frames"][0]
    index = torch.arange(len(clip))[:, None] + torch.arange(-2, 3)
    made = network.luma(clip[index.clamp(0, len(clip) - 1)])[:, 2]
    assert (made - fixture["pipe.y"]).abs().max() < fixture.tolerance


@torch.no_grad()
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_equals_convolutions_in_three_dimensions(scale: int) -> None:
    network = _lively(FSTRNConfig(scale, channels=6, blocks=2)).double()
    state = network.state_dict()

    def conv(x: Tensor, name: str) -> Tensor:
        weight = state[f"{name}.weight"]
        padding = [size // 2 for size in weight.shape[2:]]
        return F.conv3d(x, weight, state[f"{name}.bias"], padding=padding)

    luma = torch.rand(2, 5, 1, 6, 7, dtype=torch.float64)
    x = first = conv(luma.transpose(1, 2), "LFENet")
    for block in range(2):
        y = conv(F.prelu(x, state[f"prelu_D{block}.weight"]), f"frb_k133{block}")
        x = x + conv(y, f"frb_k311{block}")
    x = conv(F.prelu(x + first, state["prelu_feature.weight"]), "upconv_feature")
    x = F.pixel_shuffle(x.transpose(1, 2), scale).transpose(1, 2)
    expected = conv(x, "sr_feature").transpose(1, 2)
    assert torch.allclose(network.residual(luma), expected, rtol=0, atol=1e-12)


@torch.no_grad()
@variants
def test_only_luma_goes_through_the_network(config: FSTRNConfig) -> None:
    network, frames = _lively(config).double(), torch.rand(1, 3, 3, 6, 5, dtype=torch.float64)
    luma, chroma = rgb_to_ycbcr(frames).split((1, 2), 2)
    enlarged = torch.cat((network.luma(luma), resize(chroma, (24, 20))), 2)
    assert torch.allclose(network(frames), ycbcr_to_rgb(enlarged), rtol=0, atol=1e-12)


def test_published_sizes() -> None:
    def parameters(config: FSTRNConfig) -> int:
        return sum(parameter.numel() for parameter in FSTRN(config).parameters())

    assert parameters(REFERENCE) == 802_241
    assert parameters(PUBLISHED) == 691_633
    assert [parameters(FSTRNConfig(scale)) for scale in (3, 2)] == [497_985, 359_665]
    assert (_radius(FSTRN(PUBLISHED)), _radius(FSTRN(REFERENCE))) == (8, 9)


def test_the_reference_enlarges_four_times_only() -> None:
    with pytest.raises(ValueError, match="4 times"):
        FSTRNConfig(scale=2, reference=True)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (5, 3)])
@pytest.mark.parametrize("length", [1, 2, 5])
@variants
def test_any_length_and_size(config: FSTRNConfig, length: int, size: tuple[int, int]) -> None:
    network = _lively(config)
    frames = torch.rand(2, length, 3, *size)
    made = network(frames)
    assert made.shape == (2, length, 3, 4 * size[0], 4 * size[1])
    assert torch.allclose(FSTRNInference(network)(frames), made, atol=1e-5)


@torch.no_grad()
@variants
def test_chunk_radius_is_the_reach_in_time(config: FSTRNConfig) -> None:
    network = _lively(config).double()
    radius = _radius(network)
    frames = torch.rand(1, 2 * radius + 3, 3, 4, 4, dtype=torch.float64)
    middle = radius + 1
    whole = network(frames)[:, middle]

    def error(context: int) -> float:
        part = network(frames[:, middle - context : middle + context + 1])
        return float((part[:, context] - whole).abs().max())

    assert error(radius) < 1e-12
    assert error(radius - 1) > 1e-9


@torch.no_grad()
@variants
def test_reach_is_the_receptive_field(config: FSTRNConfig) -> None:
    """A pixel changes what lies within `reach` of it and nothing beyond. To the left of it: the
    gaps of the reference's transposed convolution lie on the other side."""
    network = _lively(config).double()
    reach = network.spec.reach
    frames = torch.rand(1, 10, 3, 2, reach + 4, dtype=torch.float64)
    changed = frames.clone()
    changed[..., -1] += 1
    difference = (network(changed) - network(frames)).abs().amax((0, 1, 2, 3))
    difference = difference.view(-1, 4).amax(1).flip(0)
    assert reach == 8
    assert difference[reach] > 1e-9
    assert difference[reach + 1 :].max() < 1e-12


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 2, 21])
@pytest.mark.parametrize("pushed", [1, 2, 7, 21])
@variants
def test_stream_equals_the_whole_clip(config: FSTRNConfig, pushed: int, length: int) -> None:
    network = _lively(config)
    frames = torch.rand(length, 3, 5, 6)
    stream = FSTRNInference(network).open()
    parts = [stream.push(part) for part in frames.split(pushed)]
    ready = sum(len(part) for part in parts)
    assert ready == max(0, length - _radius(network)), "frames wait no longer than they must"
    made = torch.cat([*parts, stream.finish()])
    assert torch.allclose(made, network(frames[None])[0], atol=1e-5)


@torch.no_grad()
def test_stream_works_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pushes and small frames: several frames, but not all, go through the layers at once."""
    monkeypatch.setattr("vsrcli.networks.fstrn_inference._PIXELS_AT_ONCE", {"cpu": 100})
    network = _lively(THIN)
    frames = torch.rand(1, 14, 3, 5, 6)
    assert torch.allclose(FSTRNInference(network)(frames), network(frames), atol=1e-5)


def test_stream_of_nothing() -> None:
    stream = FSTRNInference(FSTRN(THIN)).open()
    assert len(stream.push(torch.rand(0, 3, 5, 6))) == 0
    assert len(stream.finish()) == 0
    assert len(FSTRNInference(FSTRN(THIN)).open().finish()) == 0


@torch.no_grad()
def test_copied_stream_goes_on_by_itself() -> None:
    network = FSTRNInference(_lively(THIN))
    frames, others = torch.rand(2, 14, 3, 5, 6)
    stream = network.open()
    head = stream.push(frames[:9])
    kept = copy.deepcopy(stream)
    stream.push(others)
    stream.finish()
    resumed = torch.cat((head, kept.push(frames[9:]), kept.finish()))
    whole = network.open()
    uninterrupted = torch.cat((whole.push(frames[:9]), whole.push(frames[9:]), whole.finish()))
    assert torch.equal(resumed, uninterrupted)


@torch.no_grad()
def test_stream_holds_its_own_frames() -> None:
    network = FSTRNInference(_lively(THIN))
    frames = torch.rand(6, 3, 5, 6)
    stream, buffer = network.open(), torch.empty(1, 3, 5, 6)
    parts = [stream.push(buffer.copy_(frame)) for frame in frames]
    buffer.zero_()
    made = torch.cat([*parts, stream.finish()])
    assert torch.allclose(made, network(frames[None])[0], atol=1e-5)


@torch.no_grad()
def test_stream_does_not_grow() -> None:
    stream = FSTRNInference(_lively(THIN)).open()

    def held() -> int:
        tensors = [*stream._layers.past.values(), *stream._layers.waiting.values()]
        storages = {t.untyped_storage() for frames in tensors for t in frames}
        return sum(storage.nbytes() for storage in storages)

    sizes = []
    for _ in range(8):
        stream.push(torch.rand(4, 3, 5, 6))
        sizes.append(held())
    assert len(set(sizes[4:])) == 1


def _shown(config: FSTRNConfig) -> FSTRN:
    """A network whose corrections are as large as a trained one's."""
    network = FSTRN(config).eval()
    initialize(network, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.sr_feature.weight.mul_(3)
    return network


@torch.no_grad()
def test_half_precision_on_real_frames(real_clip: Tensor) -> None:
    network = _shown(PUBLISHED)
    frames = real_clip[None, :4, :, 20:60, 40:104]
    made = network(frames)
    assert (made - resize(frames, (160, 256))).square().mean().sqrt() > 0.03
    for dtype in (torch.bfloat16, torch.float16):
        assert (FSTRNInference(network, dtype)(frames) - made).abs().max() < 1 / 255


@pytest.mark.cuda
@torch.no_grad()
def test_card_equals_cpu(real_clip: Tensor) -> None:
    network, frames = _shown(PUBLISHED), real_clip[None]
    expected = FSTRNInference(network)(frames)
    made = FSTRNInference(network, torch.float16).cuda()(frames.cuda()).cpu()
    assert (made - expected).abs().max() < 1 / 255


def test_training_begins_near_bicubic() -> None:
    network = FSTRN(PUBLISHED)
    initialize(network, torch.Generator().manual_seed(0))
    frames = torch.rand(1, 3, 3, 8, 8)
    change = (network(frames) - resize(frames, (32, 32))).abs().max()
    assert 1e-3 < change < 0.2


@variants
def test_trains(config: FSTRNConfig) -> None:
    network = FSTRN(config).train()
    frames, truth = torch.rand(2, 3, 3, 8, 8), torch.rand(2, 3, 3, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = (network(frames) - truth).abs().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.grad is not None)
