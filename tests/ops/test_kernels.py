"""The kernels written in Triton, each against the function that it stands in for."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from vsrcli.ops import kernels
from vsrcli.ops.clamp import clamped
from vsrcli.ops.deform import TAPS, Points, Sampler, deform_conv
from vsrcli.ops.fac import filter_adaptively, filter_layer
from vsrcli.ops.kernels import triton_kernel
from vsrcli.ops.splat import Border, Grid, splat

CUDA = pytest.mark.cuda


@pytest.mark.parametrize(("channels", "groups"), [(64, 8), (72, 8), (6, 3), (5, 1)])
@pytest.mark.parametrize("spread", [0.0, 2.0, 1e12])
def test_samples(kernels_on: torch.device, channels: int, groups: int, spread: float) -> None:
    kernel = import_module("vsrcli.ops.deform_triton")
    x = torch.randn(2, channels, 7, 9)
    shape = (2, 7, 9, TAPS * groups)
    points = Points(
        spread * torch.randn(shape), spread * torch.randn(shape), torch.rand(shape)
    ).positions(slice(1, 6))
    with torch.no_grad():
        expected = Sampler(x, groups)(points)
    source = x.permute(0, 2, 3, 1).contiguous().to(kernels_on)
    made = kernel.sample(source, *(part.to(kernels_on) for part in points), groups)
    assert made.shape == expected.shape
    assert (made.cpu() - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("border", "grid"), [("drop", "corner"), ("clamp", "corner"), ("drop", "center")]
)
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_splat(
    kernels_on: torch.device, channels: int, scale: int, border: Border, grid: Grid
) -> None:
    kernel = import_module("vsrcli.ops.splat_triton")
    image, flow = torch.rand(2, channels, 9, 13) - 0.1, 3 * torch.randn(2, 2, 9, 13)
    flow[0, :, 2:4] = 0  # many on the same pixel
    flow[1, :, 0, 0] = torch.tensor([1e20, -1e20])
    flow[1, :, 8, 12] = -0.25
    expected = splat(image.double(), flow.double().clamp(-1e9, 1e9), scale, border, grid)
    offset = (scale - 1) / 2 if grid == "center" else 0.0
    arguments = image.to(kernels_on), flow.to(kernels_on), scale, border == "clamp", offset
    made = kernel.splat(*arguments)
    assert made.dtype == torch.float32
    assert (made.cpu() - expected).abs().max() < 1e-5
    assert torch.equal(made, kernel.splat(*arguments))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels", [16, 70])
def test_clamp(kernels_on: torch.device, channels: int, dtype: torch.dtype) -> None:
    kernel = import_module("vsrcli.ops.clamp_triton")
    wide = torch.randn(3, 96, 7, 5).to(dtype).contiguous(memory_format=torch.channels_last)
    wide[0, 0, 0, 0] = torch.nan
    x = wide[:, :channels]
    low = torch.randn(channels, 1, 1).to(dtype)
    high = low + torch.rand(channels, 1, 1).to(dtype)
    low[::3], high[1::3] = -torch.inf, torch.inf
    there = wide.to(kernels_on)[:, :channels]
    assert kernel.can_run(there)
    made = kernel.clamped(there, low.to(kernels_on), high.to(kernels_on))
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(made.cpu().nan_to_num(9), torch.clamp(x, low, high).nan_to_num(9))


def test_clamp_needs_channels_last(kernels_on: torch.device) -> None:
    kernel = import_module("vsrcli.ops.clamp_triton")
    x = torch.rand(2, 8, 4, 6)
    last = x.contiguous(memory_format=torch.channels_last)
    assert kernel.can_run(last) and kernel.can_run(last[:, :3]) and kernel.can_run(last[:1])
    for other in (x, last[..., 1:], last[:, 1::2], last[..., 1:, :], last.mT):
        assert not kernel.can_run(other)


def test_filters(kernels_on: torch.device) -> None:
    kernel = import_module("vsrcli.ops.fac_triton")
    emitter, reader = nn.Conv2d(16, 32 * 9, 1), nn.Conv2d(32 * 9, 64, 1)
    layer = filter_layer(emitter, 3, reader)
    x, hidden = torch.randn(2, 32, 5, 13).half(), torch.randn(2, 16, 5, 13).half()
    halved = type(layer)(*(part.detach().half() for part in layer if part is not None))
    with torch.no_grad():
        expected = filter_adaptively(
            x.float(), hidden.float(), type(layer)(*(p.float() for p in halved)), 0.1
        )
        there = type(layer)(*(part.to(kernels_on) for part in halved))
        made = kernel.filter_adaptively(x.to(kernels_on), hidden.to(kernels_on), there, 0.1)
    for a, b in zip(made, expected, strict=True):
        assert (a.cpu() - b).abs().max() < 0.01 * b.abs().max()


def test_a_cpu_has_its_own_ways() -> None:
    assert triton_kernel("clamp_triton", torch.ones(1)) is None


def test_without_triton_there_is_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(kernels, "import_module", missing)
    assert not kernels._triton_works.__wrapped__(torch.device("cpu"))


@CUDA
def test_the_kernels_are_found_and_used() -> None:
    """Where a card is promised, so is Triton; gradients go the other way."""
    x = torch.rand(1, 16, 4, 4, device="cuda")
    assert triton_kernel("splat_triton", x) is not None
    assert triton_kernel("splat_triton", x.requires_grad_()) is None


@CUDA
@torch.no_grad()
def test_what_calls_them_gives_the_same_on_a_card() -> None:
    def both(made: object, expected: object, close: float) -> None:
        assert isinstance(made, Tensor) and isinstance(expected, Tensor) and made.is_cuda
        assert (made.cpu().float() - expected.float()).abs().max() < close

    x = torch.randn(2, 16, 9, 11)
    shape = (2, 9, 11, TAPS * 4)
    points = Points(3 * torch.randn(shape), 3 * torch.randn(shape), torch.rand(shape))
    weight, bias = torch.randn(8, 16, 3, 3) / 12, torch.randn(8)
    there = Points(*(part.cuda() for part in points))
    both(
        deform_conv(x.cuda(), there, weight.cuda(), bias.cuda(), 4),
        deform_conv(x, points, weight, bias, 4),
        5e-3,  # products may be rounded to TF32
    )
    image, flow = torch.rand(2, 1, 9, 11), 3 * torch.randn(2, 2, 9, 11)
    both(
        splat(image.cuda(), flow.cuda(), 4, "clamp", "corner"),
        splat(image, flow, 4, "clamp", "corner"),
        1e-5,
    )
    low, high = torch.full((16, 1, 1), -0.5), torch.rand(16, 1, 1)
    both(clamped(x.cuda(), low.cuda(), high.cuda()), clamped(x, low, high), 1e-7)
