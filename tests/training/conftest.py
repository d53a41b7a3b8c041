"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

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


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `served` file a stand-in for npm hands out; `calls` counts its runs."""
    folder = tmp_path / "registry"
    folder.mkdir()
    client = folder / "npm"
    client.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/calls\n'
        f'[ "$1 $2" = "pack film@1.0" ] || {{ echo "no such package: $2" >&2; exit 1; }}\n'
        f"/bin/cp {folder}/served film-1.0.tgz\n"
    )
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder
