"""A command whose runs are forked, and an input for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clips
import pytest
from forked import Forked


@pytest.fixture(scope="module")
def vsr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    with Forked(tmp_path_factory.mktemp("forked")) as command:
        yield command


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames, with sound."""
    return clips.with_audio(tmp_path_factory.mktemp("source") / "in.mp4", frames=8)
