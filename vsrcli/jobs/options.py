"""What a job is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from vsrcli.errors import UsageError
from vsrcli.media.encoders import EncodeOptions
from vsrcli.restore.device import Backend, Precision

Verb = Literal["upscale", "deblur"]

LARGEST_SCALE = 16


@dataclass(frozen=True)
class TargetSize:
    """The size to reach; at most one of the three is given, none means the network's own scale."""

    scale: Fraction | None = None
    height: int | None = None
    """Output rows; the width keeps the shape of the picture."""
    size: tuple[int, int] | None = None
    """Output (width, height)."""

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.scale, self.height, self.size)) > 1:
            raise UsageError("Give one of --scale, --height and --size, not several")
        if self.scale is not None and not 0 < self.scale <= LARGEST_SCALE:
            raise UsageError(
                f"--scale {float(self.scale):g} makes no sense; "
                f"use a number above 0 and up to {LARGEST_SCALE}"
            )
        for value in (self.height, *(self.size or ())):
            if value is not None and value < 1:
                raise UsageError(f"An output {value} pixels high or wide makes no sense")

    @property
    def given(self) -> bool:
        """Whether any of the three is."""
        return (self.scale, self.height, self.size) != (None, None, None)

    def of(self, width: int, height: int, default_scale: int) -> tuple[int, int]:
        """The output (width, height) for an upright input picture of this size."""
        if self.size is not None:
            return self.size
        if self.height is not None:
            # Even, since most formats pair samples; the shape changes by less than a pixel.
            return max(2, 2 * round(Fraction(width * self.height, height) / 2)), self.height
        scale = Fraction(default_scale) if self.scale is None else self.scale
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class JobOptions:
    """Everything about a job but its input and output."""

    verb: Verb = "upscale"
    model: str | None = None
    """A name of the catalogue, or the path of a weights or ONNX file; None: what suits verb and
    input."""
    weights: Path | None = None
    target: TargetSize = field(default_factory=TargetSize)
    device: str = "auto"
    precision: Precision = "auto"
    backend: Backend | None = None
    """None: torch, or ONNX Runtime for an ONNX file."""
    tile: int | Literal["auto", "off"] = "auto"
    scene_detection: bool = True
    fps_factor: Literal[1, 2] | None = None
    """Output frames for each input frame; None: as many as the model makes."""
    reset_every: int | None = None
    """Frames after which a recurrent model begins anew; None: at scene cuts alone."""
    encode: EncodeOptions = field(default_factory=lambda: EncodeOptions(hardware="auto"))
    audio: str = "copy"
    """copy, none, or a codec such as aac or opus."""
    subtitles: Literal["copy", "none"] = "copy"
    deinterlace: Literal["auto", "on", "off"] = "auto"
    start: Fraction | None = None
    """Seconds from the beginning of the video."""
    end: Fraction | None = None
    fps: Fraction | None = None
    """Frame rate of an image sequence read."""
    strict: bool = False
    """Whether anything lost of a damaged input ends the job."""
    overwrite: bool = False
    allow_protocols: tuple[str, ...] = ()


def deblurred_name(source: str) -> Path:
    """Where the deblurred `source` goes when nobody says: beside it."""
    path = Path(source)
    if "%" in path.name or path.is_dir():
        raise UsageError("Name an output: several images have no place of their own beside them")
    return path.with_name(f"{path.stem}.deblurred{path.suffix}")
