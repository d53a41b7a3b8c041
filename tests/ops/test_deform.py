"""Deformable sampling against a loop over pixels, taps and corners."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.ops import deform
from vsrcli.ops.deform import TAPS, OffsetConv, Points, Sampler, deform_conv

BATCH, CHANNELS, GROUPS, HEIGHT, WIDTH = 2, 6, 3, 4, 5


def _points(spread: float, dtype: torch.dtype = torch.float64) -> Points:
    generator = torch.Generator().manual_seed(1)
    shape = (BATCH, HEIGHT, WIDTH, TAPS * GROUPS)

    def values() -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    return Points(spread * values(), spread * values(), values().sigmoid())


def _map(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (BATCH, CHANNELS, HEIGHT, WIDTH)
    return torch.randn(shape, generator=generator, dtype=dtype)


def _looped(x: Tensor, points: Points) -> Tensor:
    """(N, H, W, 9, C), each value by itself."""
    made = torch.zeros(BATCH, HEIGHT, WIDTH, TAPS, CHANNELS, dtype=torch.float64)
    for n, row, column, tap, c in torch.cartesian_prod(*map(torch.arange, made.shape)).tolist():
        place = (n, row, column, tap * GROUPS + c // (CHANNELS // GROUPS))
        y = row + tap // 3 - 1 + float(points.down[place])
        x_ = column + tap % 3 - 1 + float(points.right[place])
        total = 0.0
        for yy in (math.floor(y), math.floor(y) + 1):
            for xx in (math.floor(x_), math.floor(x_) + 1):
                if 0 <= yy < HEIGHT and 0 <= xx < WIDTH:
                    share = (1 - abs(y - yy)) * (1 - abs(x_ - xx))
                    total += share * float(x[n, c, yy, xx])
        made[n, row, column, tap, c] = total * float(points.mask[place])
    return made


def _sampled(x: Tensor, points: Points) -> Tensor:
    sampler = Sampler(x, GROUPS)
    made = [sampler(points.positions(rows)) for rows in sampler.portions(points)]
    return torch.cat(made, 1)


@pytest.fixture(params=[False, True], ids=["lookup", "grid"])
def way(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """Both ways of sampling: without and with a graph for gradients."""
    with torch.set_grad_enabled(request.param):
        yield


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("spread", [0.0, 1.5, 40.0])
def test_equals_a_loop(spread: float) -> None:
    x, points = _map(), _points(spread)
    expected = _looped(x, points)
    assert (_sampled(x, points) - expected).abs().max() < 1e-12
    made = _sampled(x.float(), Points(*(part.float() for part in points)))
    assert made.dtype == torch.float32
    assert (made - expected).abs().max() < 2e-5


@pytest.mark.usefixtures("way")
def test_is_zero_from_one_pixel_outside() -> None:
    """Positions on the border's whole pixels: the last inside, the first outside."""
    x, points = torch.ones_like(_map()), _points(0.0)
    inside = F.pad(torch.ones(HEIGHT, WIDTH), (1, 1, 1, 1))
    expected = inside.unfold(0, 3, 1).unfold(1, 3, 1).flatten(2).double()[None, ..., None]
    points = points._replace(mask=torch.ones_like(points.mask))
    assert (_sampled(x, points) - expected).abs().max() < 1e-12


def test_portions_join_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x, points = _map(), _points(1.5)
    with torch.no_grad():
        whole = _sampled(x, points)
        monkeypatch.setattr(deform, "_CPU_PORTION", 3 * WIDTH * BATCH)
        assert [r.stop for r in Sampler(x, GROUPS).portions(points)] == [3, HEIGHT]
        assert torch.equal(_sampled(x, points), whole)
    assert [r.stop for r in Sampler(x, GROUPS).portions(points)] == [HEIGHT]
    below = Sampler(x, GROUPS)(points.positions(slice(2, HEIGHT)))
    assert torch.allclose(below, whole[:, 2:], atol=1e-12)


@pytest.mark.usefixtures("way")
def test_chosen_samples_are_those_of_the_nine() -> None:
    x, points = _map(), _points(1.5)
    chosen = torch.tensor([7, 2]).expand(BATCH, HEIGHT, WIDTH, 2)
    made = Sampler(x, GROUPS)(points.positions(slice(0, HEIGHT)).chosen(chosen))
    assert torch.allclose(made, _sampled(x, points)[..., [7, 2], :], atol=1e-12)


@pytest.mark.usefixtures("way")
def test_unmoved_taps_make_a_convolution() -> None:
    x, points = _map(), _points(0.0)
    points = points._replace(mask=torch.ones_like(points.mask))
    weight = torch.randn(4, CHANNELS, 3, 3, dtype=torch.float64)
    bias = torch.randn(4, dtype=torch.float64)
    made = deform_conv(x, points, weight, bias, GROUPS)
    assert torch.allclose(made, F.conv2d(x, weight, bias, padding=1), atol=1e-12)


def test_gradients() -> None:
    points = _points(0.8)
    inputs = [part.requires_grad_() for part in (_map(), *points)]
    assert torch.autograd.gradcheck(lambda x, *p: _sampled(x, Points(*p)), inputs, fast_mode=True)


@torch.no_grad()
def test_layout_of_the_checkpoint() -> None:
    """Channel 18g + 2k moves tap k of group g down, the next one to the right; masks follow."""
    conv = OffsetConv(2, GROUPS)
    assert conv.bias is not None
    group, tap = 1, 5
    conv.bias[18 * group + 2 * tap] = 3.0
    conv.bias[18 * group + 2 * tap + 1] = -4.0
    conv.bias[18 * GROUPS + 9 * group + tap] = 2.0
    points = conv.points(torch.rand(1, 2, 2, 2))
    for part, value, rest in zip(
        points, (3.0, -4.0, torch.tensor(2.0).sigmoid()), (0.0, 0.0, 0.5), strict=True
    ):
        expected = torch.full((2, 2, TAPS, GROUPS), rest)
        expected[:, :, tap, group] = value
        assert torch.equal(part.unflatten(3, (TAPS, GROUPS))[0], expected)


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.offsets = OffsetConv(CHANNELS, GROUPS)
        nn.init.normal_(self.offsets.weight, std=0.2)
        self.weight = nn.Parameter(torch.randn(4, CHANNELS, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return deform_conv(x, self.offsets.points(x), self.weight, None, GROUPS)


@torch.no_grad()
def test_what_is_exported_is_the_grid() -> None:
    layer, x = _Layer().eval(), _map(torch.float32)
    exported = torch.export.export(layer, (x,))
    called = {str(node.target) for node in exported.graph.nodes}
    assert "aten.grid_sampler.default" in called
    assert not any("embedding_bag" in name for name in called)
    assert torch.allclose(exported.module()(x), layer(x), atol=1e-4)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore")
def test_runs_as_onnx(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    layer, x = _Layer().eval(), _map(torch.float32)
    path = tmp_path / "layer.onnx"
    torch.onnx.export(layer, (x,), path, dynamo=True, input_names=["x"], verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x": x.numpy()})
    assert torch.allclose(torch.from_numpy(made), layer(x), atol=1e-4)
