"""A hard file: how it is made, what is done with it, and what must come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsrcli.media.encoders import EncodeOptions

FAST = EncodeOptions(preset="ultrafast", crf=4)
LOSSLESS = {"encode": EncodeOptions(codec="ffv1")}
PRORES = {"encode": EncodeOptions(codec="prores")}
HEVC = {"encode": EncodeOptions(codec="hevc", preset="ultrafast", crf=4)}
WEBM = {"encode": EncodeOptions(preset="8", crf=4)}
DEFAULT = {"encode": EncodeOptions()}


@dataclass(frozen=True)
class Kept:
    """The picture enlarged, everything else as it was, but for what stands here.

    What is compared with is the second reader's view of the input.
    """

    times: Sequence[float] | None = None
    """Seconds of the frames, counted from the first; None: those of the input."""
    slack: float = 0.0
    """Seconds by which they may be elsewhere, where more than one rule is a good one."""
    psnr: float = 34.0
    """Least PSNR in dB of every frame, made small again, to the same frame of the input."""
    view: str = "null"
    """ffmpeg's filters for what the input's pictures should look like: a deinterlacer, say."""
    opening: tuple[str, ...] = ()
    """ffmpeg's options for the input, where it does not read all of it without."""
    pix_fmt: str = "rgb24"
    """In which pictures are compared; rgba compares the alpha channel too."""
    video: str = "0:V:0"
    """ffmpeg's name of the right video stream of the input."""
    progressive: bool = False
    """Whether the output must not be flagged interlaced."""
    color: Sequence[str] | None = None
    """Words of the colour tags that the output must have; None: those of the input."""
    noted: Mapping[int, str] = field(default_factory=dict)
    """By the number of a stream of the input that is not copied: what must be said of it."""
    rebuilt: Sequence[int] = ()
    """Numbers of the input's streams that the output has in another form."""
    adts: tuple[int, ...] = ()
    """Numbers of the sounds in AAC that gain or lose their ADTS headers."""
    roles: bool = True
    """Whether the output's container can tell what a stream is for."""
    in_step: bool = True
    """Whether the streams' distance from the first frame tells if they are in step."""
    chapters: bool = True
    """Whether the output keeps them."""
    said: Sequence[str] = ()
    """Patterns, each of which must match one line of the report, and no more."""
    lost: bool = False
    """Whether the report must count a loss, and `--strict` refuse the file."""
    name: str | None = None
    """Of the output; None: the target's."""
    check: Callable[[Path, Path], None] | None = None
    """What else must hold of input and output; asserts it."""


@dataclass(frozen=True)
class Refused:
    """One line that holds these words, and no output."""

    said: str


@dataclass(frozen=True)
class Case:
    """A hard file."""

    name: str
    make: Callable[[Path], Path]
    """Makes the input in an empty folder."""
    expected: Kept | Refused = Kept()
    target: str = "out.mkv"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of `vsrcli.upscale`, beyond the plain enlargement by two."""
