"""Files from the web: resumed where they broke off, kept only with the checksum expected."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Literal, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from vsrcli import __version__
from vsrcli.errors import WeightsError

Report = Callable[[int, int | None], None]
"""Called with the bytes received so far and those of the whole file, None where nobody said."""

LARGEST = 2**26
"""Bytes accepted of a file whose size is not known beforehand."""

_BLOCK = 2**16
_TIMEOUT = 30.0
"""Seconds without an answer, or without a byte, after which a server is given up."""


@dataclass(frozen=True)
class Checksum:
    """What a file's content must hash to."""

    kind: Literal["SHA-256", "git blob id"]
    value: str
    """Hexadecimal digits, lower case."""

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"

    def of(self, path: Path) -> Checksum:
        """The checksum of the same kind that the file has."""
        content = path.read_bytes()
        if self.kind == "SHA-256":
            return Checksum(self.kind, hashlib.sha256(content).hexdigest())
        # git's name for a file: SHA-1 over its size and its content.
        digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
        digest.update(content)
        return Checksum(self.kind, digest.hexdigest())


@dataclass(frozen=True)
class Remote:
    """A file on the web."""

    address: str
    checksum: Checksum
    size: int | None = None
    """Bytes; None where nobody said."""

    @property
    def most(self) -> int:
        """Bytes that are kept at most."""
        return LARGEST if self.size is None else self.size


def download(remote: Remote, target: Path, report: Report) -> None:
    """Put the whole file at `target`, unless it lies there already.

    What is received lies in `<target>.partial` until it is verified; a later call goes on from
    there. Raises WeightsError when the server cannot be reached, refuses, stops early (the part is
    kept) or sends another file than the one expected (the part is deleted); OSError when the disk
    refuses.
    """
    if _verified(remote, target):
        return
    part = _Part(target)
    # It is whole already when the last call was killed just before the end.
    if not _verified(remote, part.path):
        _receive(remote, part, report)
        found = remote.checksum.of(part.path)
        if found != remote.checksum:
            part.refuse(f"{remote.address} has {found}, not {remote.checksum}: deleted, not used")
    part.path.replace(target)
    part.delete()


class _Part:
    """The part of a file that was received, and which version of the file the server called it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.partial")
        self.tag = target.with_name(f"{target.name}.etag")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def request_headers(self) -> dict[str, str]:
        """Asks for the rest, or for all when the server has another version by now."""
        if not self.size:
            return {}
        version = {"If-Range": self.tag.read_text("latin-1")} if self.tag.exists() else {}
        return {"Range": f"bytes={self.size}-", **version}

    def start(self, response: HTTPResponse) -> None:
        """Begin anew with the version that `response` brings."""
        self.delete()
        tag = response.headers.get("ETag", "")
        # Weak ones (W/) do not vouch for the bytes.
        if tag.startswith('"'):
            self.tag.write_text(tag, "latin-1")

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def refuse(self, message: str) -> NoReturn:
        self.delete()
        raise WeightsError(message)


class _Redirects(HTTPRedirectHandler):
    """Follows no redirect away from https, and from http only to http or https."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if urlsplit(newurl).scheme not in {"https", req.type}:
            raise HTTPError(newurl, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _verified(remote: Remote, path: Path) -> bool:
    return path.is_file() and remote.checksum.of(path) == remote.checksum


def _receive(remote: Remote, part: _Part, report: Report) -> None:
    """Get what `part` lacks, or all where the server cannot send the rest alone."""
    with _open(remote.address, part) as response:
        if response.status != 206:
            part.start(response)
        elif not _continues(response, part.size):
            part.refuse(f"{remote.address}: the server sent another part than asked for; try again")
        received = part.size
        total = remote.size if response.length is None else received + response.length
        if max(received, total or 0) > remote.most:
            part.refuse(f"{remote.address} has more than {remote.most} bytes: not fetched")
        with part.path.open("ab") as file:
            report(received, total)
            while block := _read(response, remote):
                received += len(block)
                if received > remote.most:
                    part.refuse(f"{remote.address} has more than {remote.most} bytes: not fetched")
                file.write(block)
                report(received, total)
    if total is not None and received < total:
        raise _stopped(remote, f"{received} of {total} bytes came")


def _continues(response: HTTPResponse, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == start


def _open(address: str, part: _Part) -> HTTPResponse:
    headers = {"User-Agent": f"vsr/{__version__}", **part.request_headers()}
    try:
        response: HTTPResponse = build_opener(_Redirects).open(
            Request(address, headers=headers), timeout=_TIMEOUT
        )
        return response
    except HTTPError as error:
        error.close()
        if error.code == 416 and part.size:
            # The file ends before the part does: it is another file.
            part.delete()
            return _open(address, part)
        reason = f"the server answers {error.code}"
        if 300 <= error.code < 400:
            reason = f"the server redirects ({error.code}) in a circle or to where vsr does not go"
    except URLError as error:
        reason = str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        reason = _described(error)
    raise WeightsError(f"{address} cannot be fetched: {reason}")


def _read(response: HTTPResponse, remote: Remote) -> bytes:
    try:
        return response.read(_BLOCK)
    except (OSError, HTTPException) as error:
        raise _stopped(remote, _described(error)) from error


def _stopped(remote: Remote, reason: str) -> WeightsError:
    return WeightsError(
        f"{remote.address} stopped early ({reason}); the same command again goes on from there"
    )


def _described(error: Exception) -> str:
    return str(error) or type(error).__name__
