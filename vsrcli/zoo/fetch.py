"""Bringing a published checkpoint into the user's cache, ready for use."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from vsrcli.errors import WeightsError
from vsrcli.zoo.cache import DOWNLOADS, WEIGHTS, locked_cache
from vsrcli.zoo.download import Report, download
from vsrcli.zoo.official import import_checkpoint
from vsrcli.zoo.published import Published
from vsrcli.zoo.weights import save_weights


def bring_in(checkpoint: Published, report: Report, *, licence_accepted: bool) -> Path:
    """Download a checkpoint into the user's cache; returns the weights file made of it.

    Raises WeightsError when the authors state no licence and that was not accepted, when the
    download fails (see `download`), when the file is not what the network's importer reads, and
    when the cache cannot be used.
    """
    if checkpoint.licence is None and not licence_accepted:
        raise WeightsError(
            f"The authors of {checkpoint.name} state no licence, so nobody is told what its use "
            "is allowed for; add --accept-licence to fetch it all the same"
        )
    remote = checkpoint.remote
    suffix = PurePosixPath(urlsplit(remote.address).path).suffix
    with locked_cache() as cache:
        file = cache / DOWNLOADS / f"{checkpoint.name}{suffix}"
        download(remote, file, report)
        network = import_checkpoint(checkpoint.network, file)
        target = cache / WEIGHTS / f"{checkpoint.model}.safetensors"
        partial = target.with_suffix(".partial")
        description = {
            "source": remote.address,
            "checksum": str(remote.checksum),
            "licence": checkpoint.licence or "none stated by the authors",
            "degradation": checkpoint.degradation,
        }
        save_weights(partial, network, description)
        partial.replace(target)
        file.unlink()
    return target
