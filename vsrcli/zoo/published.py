"""The checkpoints that the papers' authors published: where they lie, and how they come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.cache import DOWNLOADS, WEIGHTS, locked_cache
from vsrcli.zoo.download import Checksum, Remote, Report, download


@dataclass(frozen=True)
class Published:
    """An official checkpoint that can be downloaded."""

    name: str
    network: str
    """Whose importer reads it."""
    remote: Remote
    licence: str | None
    """None where the authors state none."""
    degradation: str
    """How the low-resolution side of the training pairs was made."""

    @property
    def model(self) -> str:
        """The name under which it runs, once fetched."""
        return f"{self.name}-official"


_TGA_FILES = "https://raw.githubusercontent.com/junpan19/VSR_TGA"
_TGA_DEGRADATION = "Gaussian blur of sigma 1.6, then every fourth pixel (BD)"

PUBLISHED = {
    checkpoint.name: checkpoint
    for checkpoint in (
        Published(
            name="tga",
            network="tga",
            remote=Remote(
                f"{_TGA_FILES}/05d7cb23dc1ab977e099963d5c87809f3fd48676/"
                "code/TGA-without-align-dla.zip",
                Checksum("git blob id", "efaa1d44fa272c22a5feac58c84a233ffa4cb65f"),
            ),
            licence=None,
            degradation=_TGA_DEGRADATION,
        ),
        Published(
            name="tga-dilated",
            network="tga",
            # An older commit: the authors deleted this variant in favor of the one above.
            remote=Remote(
                f"{_TGA_FILES}/b3f307a00e9cb7efb2a7fe4df5cffd7d41cda974/TGA/TGA.pth",
                Checksum("git blob id", "4ee3cdffb7ba74d15c6d0325b4d4d1ed2fbec762"),
            ),
            licence=None,
            degradation=_TGA_DEGRADATION,
        ),
    )
}
"""The checkpoints that `fetch` downloads, by name."""

ELSEWHERE = {
    "stdan": "The authors of STDAN keep STDAN_20220306.pth (41 MB, no licence stated) on "
    "file-sharing sites: get it by the links of https://github.com/littlewhitesea/STDAN, then run "
    "`vsr weights import stdan STDAN_20220306.pth`, or train your own with `vsr train stdan`",
    "stfan": "The authors of STFAN keep best-ckpt.pth.tar (21.5 MB, MIT) on a file-sharing site: "
    "get it by the link of https://github.com/sczhou/STFAN, then run "
    "`vsr weights import stfan best-ckpt.pth.tar`, or train your own with `vsr train stfan`",
    "spmc": "The authors of SPMC published frozen TensorFlow graphs "
    "(https://github.com/jiangsutx/SPMC_VideoSR, MIT), which vsr cannot read; "
    "train weights with `vsr train spmc-x4`",
    "fstrn": "No checkpoint of FSTRN was ever published; train weights with `vsr train fstrn`",
}
"""What to do about the others, by name."""


def find_published(name: str) -> Published:
    """The checkpoint called `name`.

    Raises UsageError with the good names, and WeightsError with what to do instead where there is
    nothing to download.
    """
    if name in ELSEWHERE:
        raise WeightsError(ELSEWHERE[name])
    if name not in PUBLISHED:
        raise UsageError(
            f"No official checkpoint {name!r}; choose one of {', '.join([*PUBLISHED, *ELSEWHERE])}"
        )
    return PUBLISHED[name]


def bring_in(checkpoint: Published, report: Report, *, licence_accepted: bool) -> Path:
    """Download a checkpoint into the user's cache; returns the weights file made of it.

    Raises WeightsError when the authors state no licence and that was not accepted, when the
    download fails (see `download`), when the file is not what the network's importer reads, and
    when the cache cannot be used.
    """
    # They load torch, which a look at the table above does not need.
    from vsrcli.zoo.official import import_checkpoint
    from vsrcli.zoo.weights import save_weights

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
