"""Motion blur against a plain float64 mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vsrcli.degradation.blur import motion_blurred


def test_means_in_linear_light() -> None:
    clip = torch.rand(9, 3, 6, 8)
    blurred = motion_blurred(clip, 5)
    assert blurred.shape == (5, 3, 6, 8)
    sharp = clip.double().numpy()
    for index in range(5):
        light = np.mean([frame**2.2 for frame in sharp[index : index + 5]], axis=0)
        expected = light ** (1 / 2.2) * 255
        made = blurred[index].double().numpy() * 255
        np.testing.assert_allclose(made, made.round(), atol=1e-4)
        np.testing.assert_allclose(made, expected, atol=0.501)


def test_one_frame_is_itself_and_light_counts_more_than_codes() -> None:
    clip = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    assert torch.equal(motion_blurred(clip, 1), clip)
    expected = round((1 / 3) ** (1 / 2.2) * 255) / 255
    torch.testing.assert_close(motion_blurred(clip, 3), torch.full((1, 3, 2, 2), expected))


@pytest.mark.parametrize("count", [0, 2, 5, -1])
def test_odd_counts_of_frames_that_are_there(count: int) -> None:
    with pytest.raises(ValueError, match="odd number up to 3"):
        motion_blurred(torch.zeros(3, 3, 2, 2), count)
