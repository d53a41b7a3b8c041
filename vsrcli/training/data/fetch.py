"""Packages from the registries, by the registries' own clients."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

from vsrcli.errors import InputError
from vsrcli.training.data.sources import Package
from vsrcli.zoo import registry


def fetch(package: Package, folder: Path) -> Path:
    """The package file below `folder`, downloaded unless it is there, its SHA-256 verified."""
    target = folder / f"{package.name}-{package.version.replace(':', '_')}.package"
    if not target.exists():
        download = folder / f"download-{package.registry}-{package.name}"
        registry.receive(_client(package), download).replace(target)
        shutil.rmtree(download)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise InputError(
            f"{target}: SHA-256 is {digest}, expected {package.sha256}; delete it and try again"
        )
    return target


def unpack(package: Package, folder: Path) -> Path:
    """The folder below `folder` that holds the contents of a verified package."""
    contents = folder / f"{package.name}-{package.version.replace(':', '_')}"
    if contents.is_dir():
        return contents
    file = fetch(package, folder)
    # Unpacked under another name first, so that a folder of the final name is always whole.
    partial = contents.with_name(contents.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    if package.registry == "debian":
        registry.run(["dpkg-deb", "-x", str(file), str(partial)], folder)
    elif package.wheel:
        with zipfile.ZipFile(file) as wheel:
            wheel.extractall(partial)
    else:
        with tarfile.open(file) as archive:
            # Pythons before 3.10.12 and 3.11.4 have no filters; the hash was checked anyway.
            if hasattr(tarfile, "data_filter"):
                archive.extractall(partial, filter="data")
            else:
                archive.extractall(partial)
    partial.replace(contents)
    return contents


def locate(contents: Path, path: str) -> Path:
    """A file of an unpacked package; `outer.zip!inner` is taken out of its zip beside it."""
    outer, _, inner = path.partition("!")
    if not inner:
        return contents / outer
    target = (contents / outer).with_suffix("") / inner
    if not target.exists():
        with zipfile.ZipFile(contents / outer) as archive:
            archive.extract(inner, (contents / outer).with_suffix(""))
    return target


def _client(package: Package) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", f"{package.name}@{package.version}"]
    if package.registry == "debian":
        return ["apt-get", "download", f"{package.name}={package.version}"]
    form: Literal["wheel", "source"] = "wheel" if package.wheel else "source"
    return registry.pip_download(package.name, package.version, form)
