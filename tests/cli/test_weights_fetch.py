"""`vsr weights fetch`, from a server on this machine into a cache of the test."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command import Vsr
from parity import load_fixture
from web import Site, serving

from vsrcli.zoo.cache import cached_weights
from vsrcli.zoo.download import Checksum, Remote
from vsrcli.zoo.published import PUBLISHED, Published
from vsrcli.zoo.weights import load_weights


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as the authors wrap theirs: a zip that holds one saved on several cards."""
    folder = tmp_path_factory.mktemp("checkpoint")
    state = {f"module.{key}": value for key, value in load_fixture("tga").state.items()}
    torch.save(state, folder / "x.pth")
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.write(folder / "x.pth", "TGA-without-align-dla.pth")
    return folder / "x.zip"


@pytest.fixture
def site(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server of that checkpoint, which `made-up` names."""
    with serving(checkpoint.read_bytes()) as found:
        entry = Published(
            name="made-up",
            network="tga",
            remote=Remote(found.address, Checksum("git blob id", "").of(checkpoint)),
            licence=None,
            degradation="none",
        )
        monkeypatch.setitem(PUBLISHED, "made-up", entry)
        yield found


def test_fetched_once_used_offline(vsr: Vsr, site: Site, cache: Path) -> None:
    found = vsr("weights", "fetch", "made-up", "--accept-licence")
    assert found.code == 0, found
    path = cache / "weights/made-up-official.safetensors"
    assert found.out == f"{path}\n"
    said = found.err
    remote = PUBLISHED["made-up"].remote
    for fact in (remote.address, str(remote.checksum), "none stated", "67.1 MB at most"):
        assert fact in said
    assert said.splitlines()[-1] == "Use it with --model made-up-official"
    assert "\r" not in said and "\x1b" not in said
    official = load_fixture("tga").state["compress.bias"]
    assert torch.equal(load_weights(path, "tga").compress.bias, official)
    assert cached_weights() == {"made-up-official": path}

    asked = len(site.asked)
    again = vsr("weights", "fetch", "made-up")
    assert (again.code, again.out) == (0, found.out)
    assert "in the cache already" in again.err and "--model made-up-official" in again.err
    assert len(site.asked) == asked


def test_a_cut_download_goes_on(vsr: Vsr, site: Site, cache: Path) -> None:
    site.cut = 2**20
    found = vsr("weights", "fetch", "made-up", "--accept-licence")
    assert (found.code, found.out) == (1, "")
    assert "stopped early" in found.err.splitlines()[-1]
    assert (cache / "downloads/made-up.pth.partial").stat().st_size == 2**20
    assert vsr("weights", "fetch", "made-up", "--accept-licence").code == 0
    assert site.sent == len(site.content)


def test_nothing_is_fetched_without_a_word_on_the_licence(
    vsr: Vsr, site: Site, cache: Path
) -> None:
    found = vsr("weights", "fetch", "made-up")
    assert (found.code, found.out) == (1, "")
    assert site.address in found.err, "what would be fetched is told all the same"
    assert found.err.splitlines()[-1].startswith("vsr: The authors of made-up state no licence")
    assert site.asked == []
    assert not cache.exists()


def test_a_wrong_file_leaves_nothing(vsr: Vsr, site: Site, cache: Path) -> None:
    site.content = b"other"
    found = vsr("weights", "fetch", "made-up", "--accept-licence")
    assert (found.code, found.out) == (1, "")
    assert "not git blob id" in found.err.splitlines()[-1]
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["lock"]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nope", 2, "choose one of tga, tga-dilated"),
        ("stfan", 1, "vsr weights import stfan best-ckpt.pth.tar"),
        ("stdan", 1, "https://github.com/littlewhitesea/STDAN"),
        ("spmc", 1, "TensorFlow graphs"),
        ("fstrn", 1, "No checkpoint of FSTRN"),
    ],
)
def test_what_cannot_be_fetched(vsr: Vsr, cache: Path, name: str, code: int, said: str) -> None:
    found = vsr("weights", "fetch", name)
    assert (found.code, found.out) == (code, "")
    assert found.err.startswith("vsr: ") and found.err.count("\n") == 1
    assert said in found.err
    assert not cache.exists()


def test_the_shipped_table_asks_for_the_licence(vsr: Vsr, cache: Path) -> None:
    for name in ("tga", "tga-dilated"):
        found = vsr("weights", "fetch", name)
        assert found.code == 1
        assert "junpan19/VSR_TGA" in found.err and "--accept-licence" in found.err
    assert not cache.exists()


def test_progress_comes_in_lines_where_there_is_no_terminal(
    vsr: Vsr, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vsrcli.cli.weights_fetch._SECONDS_BETWEEN_LINES", 0.0)
    site.content = b"x" * 200_000
    lines = vsr("weights", "fetch", "made-up", "--accept-licence").err.splitlines()
    assert [line for line in lines if "received" in line] == [
        "0.0 MB of 0.2 MB received",
        "0.1 MB of 0.2 MB received",
        "0.1 MB of 0.2 MB received",
        "0.2 MB of 0.2 MB received",
        "0.2 MB of 0.2 MB received",
    ]


def test_progress_is_a_bar_on_a_terminal() -> None:
    code = (
        "from vsrcli.cli.weights_fetch import _shown_progress\n"
        "with _shown_progress() as report:\n"
        "    report(0, None)\n"
        "    report(1_000_000, 2_000_000)\n"
    )
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stderr=follower,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(follower)
    shown = os.read(leader, 2**16).decode()
    os.close(leader)
    assert (done.returncode, done.stdout) == (0, b"")
    assert "1.0/2.0 MB" in shown
