"""Downloads from a server that fails in every way a server can."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from web import Site, serving

from vsrcli.errors import WeightsError
from vsrcli.zoo import download as module
from vsrcli.zoo.download import LARGEST, Checksum, Remote, download

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(len(CONTENT))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(CONTENT) as found:
        yield found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "tga.pth"


def sha256(content: bytes) -> Checksum:
    return Checksum("SHA-256", hashlib.sha256(content).hexdigest())


def fetch(site: Site, target: Path, size: int | None = None) -> list[tuple[int, int | None]]:
    """Download `CONTENT`; what was reported on the way."""
    reports: list[tuple[int, int | None]] = []
    remote = Remote(site.address, sha256(CONTENT), size)
    download(remote, target, lambda received, total: reports.append((received, total)))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target], "nothing but the file is left"
    return reports


def cut_short(site: Site, target: Path, at: int) -> None:
    """A download that the server ends after `at` bytes."""
    site.cut = at
    with pytest.raises(WeightsError, match="stopped early"):
        fetch(site, target)
    assert not target.exists()
    assert (target.parent / "tga.pth.partial").read_bytes() == site.content[:at]
    site.sent = 0


def test_checksums_are_those_that_other_tools_print(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    # `git hash-object hello` and `sha256sum hello`
    assert Checksum("git blob id", "").of(path).value == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert Checksum("SHA-256", "").of(path).value == (
        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    )


@pytest.mark.parametrize("announce", [True, False])
def test_whole_download(site: Site, target: Path, announce: bool) -> None:
    site.announce = announce
    reports = fetch(site, target)
    assert reports[0][0] == 0 and reports[-1][0] == len(CONTENT)
    assert {total for _, total in reports} == {len(CONTENT) if announce else None}
    assert "Range" not in site.asked[0]
    assert site.asked[0]["User-Agent"].startswith("vsr/")


def test_a_file_that_is_there_is_not_fetched_again(site: Site, target: Path) -> None:
    fetch(site, target)
    assert fetch(site, target) == []
    assert len(site.asked) == 1
    target.write_bytes(OTHER)
    fetch(site, target)
    assert len(site.asked) == 2


@pytest.mark.parametrize("etag", ['"one"', 'W/"one"', None])
def test_goes_on_after_a_cut(site: Site, target: Path, etag: str | None) -> None:
    site.etag = etag
    cut_short(site, target, 100_000)
    reports = fetch(site, target)
    assert reports[0] == (100_000, len(CONTENT))
    assert site.asked[1]["Range"] == "bytes=100000-"
    assert site.asked[1].get("If-Range") == (etag if etag == '"one"' else None)
    assert site.sent == 200_000


def test_a_cut_twice(site: Site, target: Path) -> None:
    cut_short(site, target, 100_000)
    site.cut = 100_000
    with pytest.raises(WeightsError, match="200000 of 300000 bytes"):
        fetch(site, target)
    fetch(site, target)
    assert site.sent == 200_000


def test_a_server_that_knows_no_parts(site: Site, target: Path) -> None:
    cut_short(site, target, 100_000)
    site.ranges = False
    assert fetch(site, target)[0] == (0, len(CONTENT))
    assert site.sent == len(CONTENT)


def test_another_version_is_fetched_from_its_beginning(site: Site, target: Path) -> None:
    site.content = OTHER
    cut_short(site, target, 100_000)
    site.content, site.etag = CONTENT, '"two"'
    assert fetch(site, target)[0] == (0, len(CONTENT))


def test_another_version_without_a_tag_is_found_out(site: Site, target: Path) -> None:
    site.content, site.etag = OTHER, None
    cut_short(site, target, 100_000)
    site.content = CONTENT
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch(site, target)
    fetch(site, target)


def test_killed_just_before_the_end(site: Site, target: Path) -> None:
    target.with_name("tga.pth.partial").write_bytes(CONTENT)
    fetch(site, target)
    assert site.asked == []


def test_a_part_longer_than_the_file(site: Site, target: Path) -> None:
    target.with_name("tga.pth.partial").write_bytes(OTHER + b"more")
    fetch(site, target)
    assert [("Range" in headers) for headers in site.asked] == [True, False]


def test_a_part_from_elsewhere(site: Site, target: Path) -> None:
    cut_short(site, target, 100_000)
    site.shift = 5
    with pytest.raises(WeightsError, match="another part than asked for"):
        fetch(site, target)
    assert list(target.parent.iterdir()) == []


def test_wrong_content_is_deleted(site: Site, target: Path) -> None:
    site.content = OTHER
    with pytest.raises(WeightsError) as refused:
        fetch(site, target)
    assert sha256(OTHER).value in str(refused.value)
    assert sha256(CONTENT).value in str(refused.value)
    assert list(target.parent.iterdir()) == []


def test_fewer_bytes_than_the_file_has(site: Site, target: Path) -> None:
    """Without an announcement, a file cut short is a wrong one, or is known by its size."""
    site.announce, site.cut = False, 100_000
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch(site, target)
    site.cut = 100_000
    with pytest.raises(WeightsError, match="100000 of 300000 bytes"):
        fetch(site, target, size=len(CONTENT))
    fetch(site, target, size=len(CONTENT))


@pytest.mark.parametrize("announce", [True, False])
@pytest.mark.parametrize("size", [None, 200_000])
def test_too_large(
    site: Site, target: Path, announce: bool, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 200_000)
    site.announce = announce
    kept: list[int] = []
    remote = Remote(site.address, sha256(CONTENT), size)
    with pytest.raises(WeightsError, match="more than 200000 bytes"):
        download(remote, target, lambda received, total: kept.append(received))
    assert kept == ([] if announce else [0, 2**16, 2**17, 3 * 2**16])
    assert list(target.parent.iterdir()) == []


def test_a_part_larger_than_allowed(site: Site, target: Path) -> None:
    target.with_name("tga.pth.partial").write_bytes(OTHER[:200_000])
    site.announce = False
    with pytest.raises(WeightsError, match="more than 100000 bytes"):
        download(Remote(site.address, sha256(CONTENT), 100_000), target, pytest.fail)
    assert list(target.parent.iterdir()) == []


def test_a_checkpoint_of_an_unknown_size_may_be_of_16_million_parameters() -> None:
    assert Remote("", sha256(b"")).most == LARGEST == 4 * 2**24


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_a_refusal_keeps_what_is_there(site: Site, target: Path, status: int) -> None:
    cut_short(site, target, 100_000)
    site.status = status
    with pytest.raises(WeightsError, match=f"the server answers {status}"):
        fetch(site, target)
    site.status = 200
    assert fetch(site, target)[0] == (100_000, len(CONTENT))


def test_no_server(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(WeightsError, match="cannot be fetched: .*refused"):
            download(Remote(address, sha256(CONTENT)), target, lambda *_: None)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_what_is_no_web_server(target: Path, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(2**16)
                peer.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        with pytest.raises(WeightsError, match=address):
            download(Remote(address, sha256(CONTENT)), target, lambda *_: None)
        thread.join()
    assert not target.exists()


def test_a_server_that_falls_silent(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        with pytest.raises(WeightsError, match="timed out"):
            download(Remote(address, sha256(CONTENT)), target, lambda *_: None)


def test_follows_a_redirect(site: Site, target: Path) -> None:
    site.location = "/elsewhere"
    fetch(site, target)
    assert len(site.asked) == 2


def test_a_redirect_keeps_the_request_for_a_part(site: Site, target: Path) -> None:
    cut_short(site, target, 100_000)
    site.asked.clear()
    site.location = "/elsewhere"
    assert fetch(site, target)[0][0] == 100_000


@pytest.mark.parametrize("scheme", ["file", "ftp", "data", "gopher"])
def test_redirects_to_another_scheme_are_refused(site: Site, target: Path, scheme: str) -> None:
    secret = target.with_name("secret")
    secret.write_bytes(CONTENT)
    site.location = f"{scheme}://{secret}"
    with pytest.raises(WeightsError, match=r"redirects \(302\)"):
        fetch(site, target)
    assert list(target.parent.iterdir()) == [secret]


@pytest.mark.parametrize(
    ("original", "new", "followed"),
    [("https", "http", False), ("http", "http", True), ("http", "https", True)],
)
def test_no_redirect_leads_away_from_https(original: str, new: str, followed: bool) -> None:
    request = Request(f"{original}://example.org/a")
    words = (request, BytesIO(), 302, "Found", Message(), f"{new}://example.org/b")
    if followed:
        assert module._Redirects().redirect_request(*words) is not None  # type: ignore[arg-type]
        return
    with pytest.raises(HTTPError) as refused:
        module._Redirects().redirect_request(*words)  # type: ignore[arg-type]
    refused.value.close()


def test_a_circle_of_redirects(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forever(list[dict[str, str]]):
        def __len__(self) -> int:
            return 1

    site.asked, site.location = Forever(), site.address
    with pytest.raises(WeightsError, match="in a circle"):
        fetch(site, target)


def test_an_interrupt_leaves_the_part(site: Site, target: Path) -> None:
    def interrupt(received: int, total: int | None) -> None:
        if received:
            raise KeyboardInterrupt

    remote = Remote(site.address, sha256(CONTENT))
    with pytest.raises(KeyboardInterrupt):
        download(remote, target, interrupt)
    assert not target.exists()
    assert fetch(site, target)[0][0] == 2**16
