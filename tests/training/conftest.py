"""What the tests of training share."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vsrcli.training.data.cut import FRAMES, SIZE
from vsrcli.training.data.shard import TrainingSet


@pytest.fixture
def data() -> TrainingSet:
    """Two clips of blocks that do not move, and a picture of them."""
    random = torch.Generator().manual_seed(4)
    blocks = F.interpolate(torch.rand(2, 3, 12, 12, generator=random), (SIZE, SIZE))
    film = (blocks * 255).to(torch.uint8)[:, None].repeat(1, FRAMES, 1, 1, 1)
    return TrainingSet(film, (film[0, 0].repeat(1, 2, 2),))
