"""Forward splatting, against plain loops over its formula as the SPMC fixture records them."""

from __future__ import annotations

import pytest
import torch
from parity import load_fixture
from torch import Tensor

from vsrcli.ops.splat import Border, Grid, splat

VARIANTS: dict[str, tuple[Border, Grid]] = {
    "drop": ("drop", "corner"),
    "clamp": ("clamp", "corner"),
    "drop_center": ("drop", "center"),
}


def _flow(height: int, width: int, u: float, v: float) -> Tensor:
    return torch.tensor([u, v]).view(1, 2, 1, 1).expand(1, 2, height, width)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_equals_the_recorded_loops(
    scale: int, variant: str, dtype: torch.dtype, close: float
) -> None:
    fixture = load_fixture("spmc")
    image = fixture[f"splat.x{scale}.image"][None].to(dtype)
    flow = fixture[f"splat.x{scale}.flow"][None].to(dtype)
    made = splat(image, flow, scale, *VARIANTS[variant])
    assert made.dtype == dtype
    assert (made[0] - fixture[f"splat.x{scale}.{variant}"]).abs().max() < close


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_weights_are_the_recorded_ones(scale: int) -> None:
    fixture = load_fixture("spmc")
    flow = fixture[f"splat.x{scale}.flow"][None]
    made = splat(torch.ones_like(flow[:, :1]), flow, scale, "drop", "corner")
    assert (made[0, 0] - fixture[f"splat.x{scale}.weight_drop"]).abs().max() < 1e-12


def test_gradients_are_the_recorded_ones() -> None:
    fixture = load_fixture("spmc")
    image = fixture["splat.x4.image"][None].requires_grad_()
    flow = fixture["splat.x4.grad_at"][None].requires_grad_()
    (splat(image, flow, 4, "drop", "corner")[0] * fixture["splat.x4.gout"]).sum().backward()
    assert image.grad is not None and flow.grad is not None
    assert (image.grad[0] - fixture["splat.x4.grad_image"]).abs().max() < 1e-12
    assert (flow.grad[0] - fixture["splat.x4.grad_flow"]).abs().max() < 1e-12


@pytest.mark.parametrize(("border", "grid"), [("clamp", "corner"), ("drop", "center")])
def test_gradients_of_the_other_variants(border: Border, grid: Grid) -> None:
    image = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    flow = (torch.randn(1, 2, 3, 4, dtype=torch.float64) * 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, f: splat(i, f, 3, border, grid), (image, flow))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_without_motion_zeros_are_inserted(scale: int) -> None:
    image = torch.rand(2, 1, 5, 6)
    made = splat(image, torch.zeros(2, 2, 5, 6), scale, "drop", "corner")
    assert torch.equal(made[..., ::scale, ::scale], image)
    assert made.sum() == pytest.approx(image.sum().item(), rel=1e-6)


def test_center_grid_keeps_the_middle() -> None:
    """Between the middle two of four fine pixels; on the middle one of three."""
    image, still = torch.ones(1, 1, 1, 1), torch.zeros(1, 2, 1, 1)
    by_four = splat(image, still, 4, "drop", "center")[0, 0]
    assert by_four.tolist() == [[0] * 4, [0, 0.25, 0.25, 0], [0, 0.25, 0.25, 0], [0] * 4]
    by_three = splat(image, still, 3, "drop", "center")[0, 0]
    assert by_three.tolist() == [[0] * 3, [0, 1, 0], [0] * 3]


def test_flow_points_right_and_down_in_coarse_pixels() -> None:
    image = torch.zeros(1, 1, 4, 5)
    image[..., 1, 1] = 1
    made = splat(image, _flow(4, 5, 2.0, 1.5), 2, "drop", "corner")
    assert made[0, 0].nonzero().tolist() == [[5, 6]]


def test_what_leaves_is_dropped_or_piles_up() -> None:
    image = torch.rand(1, 1, 4, 5, dtype=torch.float64)
    away = _flow(4, 5, -1e6, 0.0).double()
    assert splat(image, away, 4, "drop", "corner").abs().max() == 0
    piled = splat(image, away, 4, "clamp", "corner")
    assert torch.allclose(piled[0, 0, ::4, 0], image[0, 0].sum(1))
    assert piled[..., 1:].abs().max() == 0


def test_precision_does_not_depend_on_the_place() -> None:
    image, flow = torch.rand(1, 1, 2, 3), torch.randn(1, 2, 2, 3)
    far_image, far_flow = torch.zeros(1, 1, 2, 4003), torch.zeros(1, 2, 2, 4003)
    far_image[..., 3990:3993], far_flow[..., 3990:3993] = image, flow
    near_image, near_flow = torch.zeros(1, 1, 2, 23), torch.zeros(1, 2, 2, 23)
    near_image[..., 10:13], near_flow[..., 10:13] = image, flow
    far = splat(far_image, far_flow, 4, "drop", "corner")[..., 4 * 3980 :]
    assert torch.equal(far, splat(near_image, near_flow, 4, "drop", "corner"))


def test_pictures_and_channels_do_not_mix() -> None:
    image, flow = torch.rand(3, 2, 5, 6), 3 * torch.randn(3, 2, 5, 6)
    together = splat(image, flow, 2, "clamp", "center")
    for n in range(3):
        for c in range(2):
            alone = splat(image[n : n + 1, c : c + 1], flow[n : n + 1], 2, "clamp", "center")
            assert torch.equal(together[n, c], alone[0, 0])


def _many_collisions(device: str) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(2, 1, 96, 128, generator=generator).to(device)
    flow = 40 * torch.randn(2, 2, 96, 128, generator=generator).to(device)
    flow = flow.requires_grad_()
    made = splat(image, flow, 2, "clamp", "corner")
    made.square().sum().backward()
    assert flow.grad is not None
    return torch.cat((made.flatten(), flow.grad.flatten())).detach()


def test_same_bits_every_time() -> None:
    first = _many_collisions("cpu")
    assert all(torch.equal(_many_collisions("cpu"), first) for _ in range(3))


@pytest.mark.cuda
def test_same_bits_every_time_on_cuda() -> None:
    first = _many_collisions("cuda")
    assert all(torch.equal(_many_collisions("cuda"), first) for _ in range(10))
    assert torch.allclose(first.cpu(), _many_collisions("cpu"), rtol=1e-3, atol=1e-3)


def test_autocast_leaves_positions_alone() -> None:
    image, flow = torch.rand(1, 1, 5, 6), torch.randn(1, 2, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        made = splat(image, flow, 4, "drop", "center")
    assert torch.equal(made, splat(image, flow, 4, "drop", "center"))
