"""Which typefaces the text of the training set is written in, pinned like the footage."""

from __future__ import annotations

from dataclasses import dataclass

from vsrcli.training.data.sources import Package

LATIN, EUROPEAN, HAN, DIGITS = "latin", "latin greek cyrillic", "han", "digits"
"""What a face is used to write: names of `writing.line`, parted by spaces."""


@dataclass(frozen=True)
class Face:
    """A font file inside a package."""

    package: Package
    path: str
    author: str
    scripts: str


def _fonts(name: str, version: str, sha256: str, licence: str) -> Package:
    licence += " (copyright file of the package)"
    return Package("debian", f"fonts-{name}", version, sha256, licence)


def _faces(
    package: Package, folder: str, author: str, scripts: str, *files: str
) -> tuple[Face, ...]:
    return tuple(
        Face(package, f"usr/share/fonts/{folder}/{file}", author, scripts) for file in files
    )


FACES = (
    *_faces(
        _fonts(
            "liberation",
            "1:1.07.4-11",
            "efd381517f958b01969343634ffcbdd60056be7779af84c6f53a005090430204",
            "GPL-2 with a font exception",
        ),
        "truetype/liberation",
        "Red Hat, Inc.",
        EUROPEAN,
        "LiberationSans-Regular.ttf",
        "LiberationSans-Bold.ttf",
        "LiberationSans-BoldItalic.ttf",
        "LiberationSansNarrow-Bold.ttf",
        "LiberationSerif-Regular.ttf",
        "LiberationSerif-Italic.ttf",
        "LiberationMono-Regular.ttf",
    ),
    *_faces(
        _fonts(
            "dejavu-core",
            "2.37-6",
            "8892669e51aab4dc56682c8e39d8ddb7d70fad83c369344e1e240bf3ca22bb76",
            "Bitstream Vera licence",
        ),
        "truetype/dejavu",
        "Bitstream, Inc. and the DejaVu authors",
        EUROPEAN,
        "DejaVuSans.ttf",
        "DejaVuSans-Bold.ttf",
        "DejaVuSansMono-Bold.ttf",
        "DejaVuSerif.ttf",
    ),
    *_faces(
        _fonts(
            "open-sans",
            "1.11-2",
            "ed8c4258af6c23e5105fa18940544f060f3c9664fbe881f25130fe0c65bc1485",
            "Apache-2.0",
        ),
        "truetype/open-sans",
        "Google Corporation",
        EUROPEAN,
        "OpenSans-Semibold.ttf",
        "OpenSans-ExtraBold.ttf",
        "OpenSans-Italic.ttf",
        "OpenSans-CondLight.ttf",
    ),
    *_faces(
        _fonts(
            "linuxlibertine",
            "5.3.0-6",
            "5c77471e910189b3e4e2eda2b1c5f549ddcaf4de8f9640b97773643970d29087",
            "OFL-1.1 or GPL-2+ with a font exception",
        ),
        "opentype/linux-libertine",
        "Philipp H. Poll",
        EUROPEAN,
        "LinLibertine_R.otf",
        "LinLibertine_RB.otf",
        "LinBiolinum_R.otf",
    ),
    *_faces(
        _fonts(
            "roboto-slab",
            "1.100263+20170512-2",
            "bbc315d672de850a7c980bc2283e41b4f322fd5a2b2bb2d00f07c15983b950b1",
            "Apache-2.0",
        ),
        "opentype/roboto/slab",
        "Christian Robertson, Google Inc.",
        LATIN,
        "RobotoSlab-Bold.otf",
        "RobotoSlab-Thin.otf",
    ),
    *_faces(
        _fonts(
            "quicksand",
            "0.2016-2.1",
            "1175e5c64f116887b37ec3c8faea1f411bdef356580bc22298c3c9da75fac120",
            "OFL-1.1",
        ),
        "truetype/quicksand",
        "The Quicksand Project Authors",
        LATIN,
        "Quicksand-Light.ttf",
        "Quicksand-Bold.ttf",
    ),
    *_faces(
        _fonts(
            "courier-prime",
            "0+git20190115-3",
            "6f827dd190446abbf83972f01e3f0db2c980e73bd6fb85b56d9d9a8f1755149f",
            "OFL-1.1",
        ),
        "opentype/courier-prime",
        "Quote-Unquote Apps",
        LATIN,
        "Courier Prime.otf",
        "Courier Prime Bold Italic.otf",
    ),
    *_faces(
        _fonts(
            "comic-neue",
            "2.51-4",
            "6f002dc90d62fde01a2b51f333c09dc6c21ffbfc6ca22d05a84cc049b083c826",
            "OFL-1.1",
        ),
        "opentype/comic-neue",
        "Craig Rozynski, Hrant Papazian, Brandon Schoech",
        LATIN,
        "ComicNeue-Regular.otf",
        "ComicNeue-BoldItalic.otf",
    ),
    *_faces(
        _fonts(
            "bebas-neue",
            "3.0-2",
            "fdc713c8323e967f17e0f86fdda358af11b905bb4732551afbff75decdfd2bb4",
            "OFL-1.1",
        ),
        "opentype/bebas-neue",
        "Ryoichi Tsunekawa",
        LATIN,
        "BebasNeue-Bold.otf",
        "BebasNeue-Book.otf",
    ),
    *_faces(
        _fonts(
            "yanone-kaffeesatz",
            "2.0+git20211102+ds-1",
            "f877e8ad4fd0aa8c20ac104c9eef69b54dcdc93e2e0d09a01fe5acfc89371980",
            "OFL-1.1",
        ),
        "opentype/yanone-kaffeesatz",
        "Jan Gerner, Huerta Tipográfica, Cyreal",
        LATIN,
        "YanoneKaffeesatz-Medium.otf",
    ),
    *_faces(
        _fonts(
            "lobster",
            "2.0-2.1",
            "9379824d3f3bc44844aa07cb9ad4e6bfd99a785e34668c5dba410947b715dc1b",
            "OFL-1.1",
        ),
        "opentype/lobster",
        "Pablo Impallari, Igino Marini",
        LATIN,
        "lobster.otf",
    ),
    *_faces(
        _fonts(
            "dancingscript",
            "1.2-2",
            "987b8182611e1f3d9e7b19a82787614470dd8c4ed894a4dedbebc2308703b216",
            "OFL-1.1",
        ),
        "opentype/dancingscript",
        "Pablo Impallari, Igino Marini",
        LATIN,
        "DancingScript-Bold.otf",
    ),
    *_faces(
        _fonts(
            "kristi",
            "20101220-1",
            "03cdbe9ca6cb5ea863ad652ea94313666f275de526c3cb01e252da93019001c2",
            "OFL-1.1",
        ),
        "truetype/kristi",
        "Birgit Pulk",
        LATIN,
        "Kristi.ttf",
    ),
    *_faces(
        _fonts(
            "blankenburg",
            "0.1-3",
            "2f58ed2293aed56a39f6ed34b37a49725f2ad0830eb2ec4116f9b4d6e8e630b7",
            "OFL-1.1",
        ),
        "truetype/blankenburg",
        "Peter Wiegel",
        LATIN,
        "Blankenburg_UNZ1A.ttf",
    ),
    *_faces(
        _fonts(
            "wqy-microhei",
            "0.2.0-beta-3.1",
            "239163df984eea5c9da3b551aee374936222cdbd67f1a1be3cdcf3d76143ad66",
            "Apache-2.0 or GPL-3+ with a font exception",
        ),
        "truetype/wqy",
        "The WenQuanYi Project, Google Corporation",
        HAN,
        "wqy-microhei.ttc",
    ),
    *_faces(
        _fonts(
            "dseg",
            "0.46-1",
            "54e409786f6dad7833411c69bcdd433caf16283c470773b05a1bcd1d391c2567",
            "OFL-1.1",
        ),
        "truetype/dseg",
        "keshikan",
        DIGITS,
        "DSEG7Classic-Italic.ttf",
        "DSEG14Classic-Regular.ttf",
    ),
)
