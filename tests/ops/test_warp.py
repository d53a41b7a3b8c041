"""Backward warping, against plain loops over its formula as the SPMC fixture records them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from parity import load_fixture

from vsrcli.ops.warp import warp


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_equals_the_recorded_loops(dtype: torch.dtype, close: float) -> None:
    fixture = load_fixture("spmc")
    image, flow = fixture["warp.image"][None].to(dtype), fixture["warp.flow"][None].to(dtype)
    assert flow.abs().max() > 1, "the flow should lead out of the picture"
    assert (warp(image, flow)[0] - fixture["warp.replicate"]).abs().max() < close


def test_whole_pixels_are_fetched_as_they_are() -> None:
    image = torch.rand(2, 3, 6, 8, dtype=torch.float64)
    flow = torch.zeros(2, 2, 6, 8, dtype=torch.float64)
    flow[:, 0], flow[:, 1] = 2, -1
    made = warp(image, flow)
    assert torch.allclose(made[:, :, 1:, :-2], image[:, :, :-1, 2:], atol=1e-12)
    assert torch.allclose(made[:, :, 0, :-2], image[:, :, 0, 2:], atol=1e-12)
    assert torch.allclose(made[:, :, 1:, -2:], image[:, :, :-1, -1:].expand(2, 3, 5, 2), atol=1e-12)


def test_zeros_outside() -> None:
    """Bilinear on the picture with a border of zeros, as far as a flow leads out here."""
    image = torch.rand(1, 2, 5, 7, dtype=torch.float64)
    flow = 6 * torch.rand(1, 2, 5, 7, dtype=torch.float64) - 3
    padded, still = F.pad(image, (4, 4, 4, 4)), F.pad(flow, (4, 4, 4, 4))
    assert torch.allclose(warp(image, flow, "zeros"), warp(padded, still)[..., 4:-4, 4:-4])


def test_a_single_pixel_stays() -> None:
    image = torch.rand(1, 1, 1, 1)
    assert torch.equal(warp(image, torch.full((1, 2, 1, 1), 0.7)), image)


def test_gradients() -> None:
    image = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    flow = (torch.rand(1, 2, 4, 5, dtype=torch.float64) + 0.05).mul(0.8).requires_grad_()
    assert torch.autograd.gradcheck(warp, (image, flow))
