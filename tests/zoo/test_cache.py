"""Where the cache lies, what it holds, and who may write to it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vsrcli.errors import WeightsError
from vsrcli.zoo.cache import cache_folder, cached_weights, locked_cache


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VSR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")


def test_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / ".cache/vsr"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library/Caches/vsr"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == tmp_path / "Library/Caches/vsr"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    assert cache_folder() == tmp_path / "shared/vsr"
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.setenv("VSR_CACHE", "here")
    assert cache_folder() == Path.cwd() / "here"
    assert list(tmp_path.iterdir()) == [], "to ask makes nothing"


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(WeightsError, match="VSR_CACHE"):
        cache_folder()
    assert cached_weights() == {}


def test_what_it_holds(tmp_path: Path) -> None:
    assert cached_weights() == {}
    with locked_cache() as folder:
        for name in ("tga-official.safetensors", "a-official.safetensors", "b-official.partial"):
            (folder / "weights" / name).touch()
    assert cached_weights() == {
        "a-official": folder / "weights/a-official.safetensors",
        "tga-official": folder / "weights/tga-official.safetensors",
    }


def test_one_at_a_time() -> None:
    with (
        locked_cache(),
        pytest.raises(WeightsError, match="Another vsr"),
        locked_cache(),
    ):
        pass
    with locked_cache():
        pass


def test_a_cache_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "file/below"))
    with pytest.raises(WeightsError, match="below cannot be used: Not a directory.*VSR_CACHE"):
        locked_cache().__enter__()
    assert cached_weights() == {}


def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(WeightsError, match="No space left"), locked_cache():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
