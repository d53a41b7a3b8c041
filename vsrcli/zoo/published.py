"""The checkpoints that the papers' authors published, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.download import Checksum, Remote


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
