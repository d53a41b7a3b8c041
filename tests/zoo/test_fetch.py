"""How a checkpoint comes in from a local server."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models import tiny_tga
from safetensors import safe_open
from web import serving

from vsrcli.errors import WeightsError
from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.download import Checksum, Remote
from vsrcli.zoo.fetch import bring_in
from vsrcli.zoo.published import Published


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


def made_up(address: str, content: bytes, licence: str | None) -> Published:
    checksum = Checksum("SHA-256", hashlib.sha256(content).hexdigest())
    return Published("made-up", "tga", Remote(address, checksum), licence, "none")


def test_no_licence_no_request(cache: Path) -> None:
    with serving(b"") as site:
        checkpoint = made_up(site.address, b"", None)
        with pytest.raises(WeightsError, match="no licence.*--accept-licence"):
            bring_in(checkpoint, lambda *_: None, licence_accepted=False)
        assert site.asked == []
    assert not cache.exists()


def test_comes_in_with_its_origin(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsrcli.zoo.fetch.import_checkpoint", lambda network, file: tiny_tga())
    with serving(b"a checkpoint") as site:
        checkpoint = made_up(site.address, b"a checkpoint", "MIT")
        path = bring_in(checkpoint, lambda *_: None, licence_accepted=False)
        unlicensed = replace(checkpoint, licence=None)
        assert bring_in(unlicensed, lambda *_: None, licence_accepted=True) == path
    assert cached_weights() == {"made-up-official": path}
    with safe_open(path, "pt") as file:
        header = file.metadata()
    assert header["source"] == site.address
    assert header["checksum"] == str(checkpoint.remote.checksum)
    assert header["licence"] == "none stated by the authors"
    assert header["network"] == "tga"
    left = [file.name for file in cache.rglob("*") if file.is_file()]
    assert sorted(left) == ["lock", "made-up-official.safetensors"]


def test_what_is_no_checkpoint_does_not_come_in(cache: Path, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "x.pth")
    content = (tmp_path / "x.pth").read_bytes()
    with serving(content) as site:
        checkpoint = made_up(site.address, content, "MIT")
        with pytest.raises(WeightsError, match="another network"):
            bring_in(checkpoint, lambda *_: None, licence_accepted=False)
    assert cached_weights() == {}
