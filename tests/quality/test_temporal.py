"""How steady a video is."""

from __future__ import annotations

import pytest
import torch
from test_flow import pattern
from torch import Tensor

from vsrcli.quality.temporal import flicker, flow_error


def picture(move: tuple[float, float]) -> Tensor:
    """(3, 96, 128) in [0, 1]"""
    return pattern(96, 128, move).expand(3, -1, -1) / 255


def test_the_truth_is_steady() -> None:
    before, after = (picture(move).expand(2, -1, -1, -1) for move in ((0, 0), (1.5, 1)))
    assert flow_error(before, after) == 0
    assert flicker(before, after) == 0


def test_flow_error_is_the_distance_between_motions() -> None:
    before = torch.stack((picture((0, 0)), picture((0, 0))))
    after = torch.stack((picture((2, 1)), picture((-1, 5))))
    assert float(flow_error(before, after, border=24)) == pytest.approx(5, abs=0.2)


def test_flicker_is_the_change_of_the_error() -> None:
    true = torch.stack([picture((0, 0)), picture((4, 0))])
    wrong = true + torch.tensor([0.02, -0.03])[:, None, None, None]
    before, after = torch.stack((wrong[0], true[0])), torch.stack((wrong[1], true[1]))
    # Luma has 219 code values from black to white.
    assert float(flicker(before, after)) == pytest.approx(0.05 * 219, abs=1e-4)
    steady = torch.stack((true[1] + 0.02, true[1]))
    assert float(flicker(before, steady)) == pytest.approx(0, abs=1e-4)


def test_the_border_does_not_count() -> None:
    before = picture((0, 0)).expand(2, -1, -1, -1)
    after = before.clone()
    after[0, :, :8] = 0
    assert flicker(before, after) > 1
    assert flicker(before, after, border=8) == 0
