"""The video codecs: what vsr knows of them beyond what libav tells."""

from __future__ import annotations

from dataclasses import dataclass

from av import Codec as Decoder

from vsrcli.media.frame import ChromaLocation


@dataclass(frozen=True)
class Codec:
    """What vsr knows of a codec beyond what libav tells."""

    encoder: str
    containers: tuple[str, ...]
    quality: tuple[str, int, int] | None
    """The option that sets the quality, its default and its greatest value; None: has none."""
    preset: tuple[str, str] | None
    """The option that trades speed for size, and its default."""
    presets: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    even: bool = False
    """Whether subsampled sizes must be whole numbers of chroma samples."""
    narrowest: int = 1
    """Least width in pixels that the encoder can be given."""
    locations: tuple[ChromaLocation, ...] = (ChromaLocation.LEFT,)
    """Chroma locations that a reader of its bit stream or container will know."""
    tells_location: bool = True
    """Whether the encoder takes the chroma location; else readers assume LEFT."""
    mastering: bool = False
    """Whether it is a format for editing: 4:2:2 or 4:4:4 in 10 bits or more."""
    archival: bool = False
    """Whether it keeps every sample of every format."""
    alpha: tuple[str, ...] = ()
    """Containers in which it has an alpha channel; one for editing or archives always has."""
    software: str | None = None
    """Of a hardware encoder: the codec to fall back to."""


_ALL = ("mp4", "mov", "matroska", "mpegts")
_OPEN = ("mp4", "matroska", "webm")
_X26 = (
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_ANYWHERE = tuple(ChromaLocation)[1:]
_NVENC = tuple(f"p{level}" for level in range(1, 8))
_NVENC_OPTIONS = (("rc", "vbr"), ("tune", "hq"), ("b", "0"))


def _steps(count: int) -> tuple[str, ...]:
    return tuple(str(step) for step in range(count))


CODECS = {
    "h264": Codec(
        "libx264", _ALL, ("crf", 17, 51), ("preset", "medium"), _X26,
        even=True, locations=_ANYWHERE,
    ),
    "hevc": Codec(
        # Of pictures up to 48 pixels wide x265 4.2 writes beyond its buffers.
        "libx265", _ALL, ("crf", 19, 51), ("preset", "medium"), _X26,
        even=True, narrowest=64, locations=_ANYWHERE,
    ),
    "av1": Codec(
        "libsvtav1", _OPEN, ("crf", 28, 63), ("preset", "8"), _steps(14),
        locations=(ChromaLocation.LEFT, ChromaLocation.TOPLEFT),
    ),
    "vp9": Codec(
        "libvpx-vp9", _OPEN, ("crf", 24, 63), ("cpu-used", "2"), _steps(9),
        (("deadline", "good"), ("row-mt", "1"), ("b", "0")), tells_location=False,
        alpha=("matroska", "webm"),
    ),
    "prores": Codec(
        "prores_ks", ("mov", "matroska"), None, ("profile", "auto"),
        ("auto", "proxy", "lt", "standard", "hq", "4444", "4444xq"), (("vendor", "apl0"),),
        tells_location=False, mastering=True,
    ),
    "ffv1": Codec(
        "ffv1", ("matroska",), None, None, (), (("level", "3"), ("slicecrc", "1"), ("g", "1")),
        locations=_ANYWHERE, archival=True,
    ),
    "h264_nvenc": Codec(
        "h264_nvenc", _ALL, ("cq", 19, 51), ("preset", "p5"), _NVENC, _NVENC_OPTIONS,
        even=True, tells_location=False, software="h264",
    ),
    "hevc_nvenc": Codec(
        "hevc_nvenc", _ALL, ("cq", 21, 51), ("preset", "p5"), _NVENC, _NVENC_OPTIONS,
        even=True, tells_location=False, software="hevc",
    ),
    "av1_nvenc": Codec(
        "av1_nvenc", _OPEN, ("cq", 28, 63), ("preset", "p5"), _NVENC, _NVENC_OPTIONS,
        even=True, tells_location=False, software="av1",
    ),
}  # fmt: skip
"""By the names that `--codec` takes."""

_FOR_EDITING = frozenset(("prores", "prores_raw", "dnxhd", "cfhd", "jpeg2000"))
"""Lossy by name, but made so that nobody sees it."""


def leaves_marks(codec: str) -> bool:
    """Whether pictures from this codec, by libav's name, show the marks of everyday compression:
    blocks, ringing, lost texture."""
    return codec not in _FOR_EDITING and Decoder(codec, "r").lossy
