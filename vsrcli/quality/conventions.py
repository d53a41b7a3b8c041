"""What a comparison of models agrees on beforehand, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

from vsrcli.degradation.blur import GAMMA, motion_blurred
from vsrcli.degradation.names import Degrade, parse
from vsrcli.errors import InputError, UsageError
from vsrcli.networks.spec import Task
from vsrcli.quality.clips import Clip
from vsrcli.quality.measure import BORDER
from vsrcli.quality.metrics import SSIM_SIDE
from vsrcli.quality.trials import Trial, trial
from vsrcli.quality.vmaf import MODEL

BLUR = "blur"
"""The degradation for models that deblur."""
SHUTTER = 7
"""Sharp frames in a blurred one, where clips come without blurred twins."""
REPEATS = 9
"""How often a network that takes any number of frames is shown the same one."""
ENDS = 2
"""Frames at each end that a part of the literature leaves out."""


@dataclass(frozen=True)
class Conventions:
    """How clips are made worse, and what of them counts."""

    task: Task
    degradation: str
    """As `degradation.names.parse` takes it, in lower case; for deblurring `BLUR`."""
    scale: int
    frames: int | None = None
    """How many of each clip are read; None: all."""
    first: int = 1
    """The first frame that counts, from 1."""
    last: int | None = None
    """The last one; None: the clip's."""
    skip_ends: bool = False
    """Whether a clip's first and last two frames do not count."""
    border: int = BORDER
    """Pixels on each side of a frame that do not count for PSNR, SSIM, tOF and flicker."""

    def __post_init__(self) -> None:
        if (self.task == "deblur") != (self.degradation == BLUR):
            suits = "deblur" if self.degradation == BLUR else "enlarge"
            raise UsageError(f"--degradation {self.degradation} is for models that {suits}")
        self._degrade("")

    def trial(self, clip: Clip) -> Trial:
        """How models are tried on the clip. Raises InputError if it is too short or too small."""
        if self.task == "deblur" and clip.blurred is None:
            clip = self._pair(clip)
        tried = trial(clip, self.task, self._degrade(clip.name))
        count, ends = len(tried.truth), ENDS if self.skip_ends else 0
        last = count if self.last is None else self.last
        scored = range(max(self.first - 1, ends), min(last, count - ends))
        if last > count or not scored:
            raise InputError(
                f"{clip.name}: of {count} frames, {self.first} to {last} cannot be scored"
                + (f" without {ends} at each end" if ends else "")
            )
        height, width = tried.truth.shape[-2:]
        if min(height, width) < SSIM_SIDE + 2 * self.border:
            raise InputError(
                f"{clip.name}: {width}x{height} pixels are too few for SSIM inside a border of "
                f"{self.border}"
            )
        return replace(tried, scored=scored)

    def _degrade(self, clip: str) -> Degrade:
        """What makes the input out of the truth of the clip called so."""
        if self.degradation == BLUR:
            return lambda truth: motion_blurred(truth, SHUTTER)
        return parse(self.degradation, self.scale, crc32(clip.encode()))

    def _pair(self, clip: Clip) -> Clip:
        """A sharp clip beside what a shutter makes of it."""
        if len(clip.frames) < SHUTTER:
            raise InputError(f"{clip.name}: has fewer than the {SHUTTER} frames of a blurred one")
        middle = SHUTTER // 2
        sharp = clip.frames[middle : len(clip.frames) - middle]
        return Clip(clip.name, sharp, self._degrade(clip.name)(clip.frames))

    def in_words(self) -> dict[str, str]:
        """What a reader of the figures must know, by what it is about."""
        frames = "all" if self.frames is None else f"the first {self.frames}"
        last = "the last" if self.last is None else self.last
        ends = f", without {ENDS} at each end of the clip" if self.skip_ends else ""
        made = _DEGRADATIONS.get(self.degradation, "bi, then x264 at that constant rate factor")
        return {
            "input": f"{self.degradation}, x{self.scale}: {made}",
            "frames": f"{frames}; {self.first} to {last} count{ends}",
            "border": f"{self.border} pixels on each side do not count, for VMAF they do",
            **_METRICS,
        }


_DEGRADATIONS = {
    "bi": "antialiased bicubic (a = -0.5) on the half-pixel grid, as MATLAB's imresize; 8 bits",
    "bd": "Gaussian of sigma 1.6, then every fourth pixel from the first; 8 bits",
    "real": "random blur, resizing, noise and compression, drawn by the clip's name",
    BLUR: f"the clip's blurred twin; without one the mean of {SHUTTER} frames at gamma {GAMMA}",
}
_METRICS = {
    "psnr_y": "dB, of BT.601 luma (16 to 235, not rounded) of 8-bit RGB, peak 255; mean of frames",
    "psnr_rgb": "dB, of the three channels together",
    "ssim_y": "of the same luma, Gaussian window 11x11 of sigma 1.5",
    "vmaf": f"libvmaf, model {MODEL}, whole picture, BT.709 luma",
    "tof": "pixels, mean distance between restored and true flow from the frame before; pyramidal "
    "Lucas-Kanade of vsrcli.quality.flow",
    "flicker": "mean absolute change of the luma error from the frame before, code values of 255",
    "bicubic": "a = -0.5 on the half-pixel grid; new frames: mean of the two neighbors, enlarged",
    "lanczos": "three lobes, otherwise alike",
    "repeated": f"the same network shown one frame only, as often as it takes ({REPEATS} times "
    "where it takes any number); up to nine frames of the clip, evenly spread",
    "gain": "psnr_y over that of bicubic, when deblurring of the input",
    "temporal_gain": "psnr_y over that of repeated, on the same frames",
}
