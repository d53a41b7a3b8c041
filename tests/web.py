"""A web server on this machine that serves one file, as badly as a test wants."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server does; tests change it between requests."""

    content: bytes
    address: str = ""
    etag: str | None = '"one"'
    ranges: bool = True
    """Answer a request for a part with that part."""
    shift: int = 0
    """Bytes by which such a part begins elsewhere than asked for."""
    cut: int | None = None
    """Hang up after so many bytes of the next answer."""
    announce: bool = True
    """Say how many bytes will come."""
    status: int = 200
    location: str | None = None
    """Redirect the first request of all to there."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """Headers of the requests so far."""
    sent: int = 0
    """Bytes of content sent so far."""


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[Site]:
    """A site that is up during the block, on 127.0.0.1."""
    site = Site(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(dict(self.headers))
            _answer(self, site)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_port}/weights.pth"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    if site.location is not None and len(site.asked) == 1:
        handler.send_response(302)
        handler.send_header("Location", site.location)
        handler.end_headers()
        return
    start, status = 0, site.status
    wanted = handler.headers.get("Range")
    same = handler.headers.get("If-Range") in (None, site.etag)
    if status == 200 and wanted and site.ranges and same:
        start, status = int(wanted.removeprefix("bytes=").rstrip("-")) + site.shift, 206
        if start >= len(site.content):
            start, status = len(site.content), 416
    body = site.content[start:] if status in (200, 206) else b""
    handler.send_response(status)
    if status == 206:
        size = len(site.content)
        handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    if site.etag is not None:
        handler.send_header("ETag", site.etag)
    if site.announce:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    body, site.cut = body[: site.cut], None
    site.sent += len(body)
    # The client may have hung up, when it was told of more than it takes.
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(body)
