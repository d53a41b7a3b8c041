"""Packages made in memory, and what is needed to pin them."""

from __future__ import annotations

import hashlib
import io
import tarfile

from vsrcli.training.data.sources import Package


def archive_with(files: dict[str, bytes]) -> bytes:
    """A gzipped tar of these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def package(served: bytes, name: str = "film") -> Package:
    return Package("npm", name, "1.0", hashlib.sha256(served).hexdigest(), "MIT (LICENSE)")
