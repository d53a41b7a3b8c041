"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from clips import EXAMPLE
from ffmpeg import raw_frames


def pytest_configure() -> None:
    """Have signals end the programs that tests start: a shell in the background, or nohup, starts
    programs with some ignored, and those they start inherit it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    _share_cores()


def _share_cores() -> None:
    """Tests side by side (`-n`) get their part of the cores, and so do the programs they start:
    threads that wait for each other's cores take several times as long."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        torch.set_num_threads(threads)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip CUDA tests where there is no card, unless the machine promised one."""
    if "cuda" not in item.keywords or torch.cuda.is_available():
        return
    if os.environ.get("VSR_REQUIRE_CUDA"):
        pytest.fail("VSR_REQUIRE_CUDA is set, but torch finds no CUDA device")
    pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Random tensors are the same in every run and in every order of tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_clip() -> torch.Tensor:
    """The first 12 frames of the example, (T, 3, 90, 160) in [0, 1]."""
    frames = raw_frames(EXAMPLE, "rgb24", 160, 90)[:12]
    return torch.from_numpy(frames.copy()).permute(0, 3, 1, 2) / 255


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched weights, empty."""
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    return folder
