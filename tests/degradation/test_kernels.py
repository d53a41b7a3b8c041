"""Low-resolution input against the reference network's own pipeline."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from parity import load_fixture

from vsrcli.degradation.kernels import bd, bi, degrade
from vsrcli.ops.resize import resize


def test_bd_equals_the_reference() -> None:
    fixture = load_fixture("tga")
    torch.testing.assert_close(bd(fixture["gt"]), fixture["gt_lr"], rtol=0, atol=1e-6)


def test_bd_equals_the_reference_with_its_evaluation_border() -> None:
    fixture = load_fixture("tga")
    padded = F.pad(fixture["gt"].flatten(0, 1), (8, 8, 8, 8), mode="reflect")
    torch.testing.assert_close(bd(padded), fixture["gt_lr_pad8"].flatten(0, 1), rtol=0, atol=1e-6)


def test_bd_is_for_scale_four() -> None:
    with pytest.raises(ValueError, match="not 2"):
        bd(torch.zeros(3, 8, 8), 2)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bi_is_the_resize_of_the_networks(scale: int) -> None:
    hr = torch.rand(2, 3, 24, 36)
    expected = resize(hr, (24 // scale, 36 // scale))
    torch.testing.assert_close(bi(hr, scale), expected, rtol=0, atol=1e-6)


def test_bi_keeps_centers_and_bd_does_not() -> None:
    # Inside a ramp, low-resolution pixel i shows the position its center has in the original.
    ramp = torch.arange(64.0).expand(1, 64, 64) / 64
    inside = slice(4, 12)
    position = torch.arange(16.0)[inside]
    torch.testing.assert_close(bi(ramp, 4)[0, 8, inside] * 64, 4 * position + 1.5)
    torch.testing.assert_close(bd(ramp)[0, 8, inside] * 64, 4 * position)


def test_degraded_input_is_what_eight_bits_can_hold() -> None:
    generator = torch.Generator().manual_seed(2)
    truth = torch.rand(2, 3, 32, 32, generator=generator).round()
    low = degrade(truth, "bi", 4)
    assert low.min() >= 0
    assert low.max() <= 1
    torch.testing.assert_close(low * 255, (low * 255).round(), rtol=0, atol=1e-4)
    exact = resize(truth, (8, 8)).clamp(0, 1)
    assert (low - exact).abs().max() <= 0.5 / 255 + 1e-6
    assert not torch.equal(low, degrade(truth, "bd", 4))
