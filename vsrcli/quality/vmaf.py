"""VMAF, computed by libvmaf in the ffmpeg program that comes with imageio-ffmpeg."""

from __future__ import annotations

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import imageio_ffmpeg
from torch import Tensor

from vsrcli.errors import VsrError
from vsrcli.media.color import from_rgb
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, PixelFormat, Range

MODEL = "vmaf_v0.6.1"
"""Trained for 1080p watched from three times the picture's height; it looks at luma only."""
SMALLEST = 32
"""Pixels: libvmaf cannot do with sides that are shorter."""
_FORMAT = PixelFormat("yuv444p", "yuv", 8, (0, 0), alpha=False)
"""No chroma subsampling, so that any size will do."""
_COLOR = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)
_LOG = "vmaf.json"


@cache
def vmaf_is_available() -> bool:
    """Whether there is an ffmpeg with libvmaf."""
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return False
    told = subprocess.run(
        [program, "-hide_banner", "-h", "filter=libvmaf"], capture_output=True, check=False
    )
    return b"Filter libvmaf" in told.stdout


class Vmaf:
    """Scores the frames of one video as they come; a context manager.

    ffmpeg gets them in a pipe, each above its ground truth in one picture of twice the height.
    """

    def __init__(self, width: int, height: int) -> None:
        """For pictures of this size, at least `SMALLEST` on each side."""
        graph = (
            f"split[a][b];[a]crop={width}:{height}:0:0[restored];"
            f"[b]crop={width}:{height}:0:{height}[truth];"
            f"[restored][truth]libvmaf=model=version={MODEL}:log_fmt=json:log_path={_LOG}"
        )
        # Files, not pipes: nobody reads while frames are written.
        self._folder = tempfile.TemporaryDirectory(prefix="vsr-vmaf-")
        self._errors = Path(self._folder.name, "errors.txt")
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    imageio_ffmpeg.get_ffmpeg_exe(),
                    *("-hide_banner", "-loglevel", "error", "-f", "rawvideo"),
                    *("-pix_fmt", _FORMAT.name, "-s", f"{width}x{2 * height}", "-i", "pipe:0"),
                    *("-lavfi", graph, "-f", "null", "-"),
                ],
                cwd=self._folder.name,  # a path in a filter graph would need escaping
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def add(self, restored: Tensor, truth: Tensor) -> None:
        """The next frame and what it should be, (3, H, W) in [0, 1].

        Raises VsrError when ffmpeg has failed.
        """
        assert self._process.stdin is not None
        pictures = (from_rgb(picture.cpu(), _FORMAT, _COLOR) for picture in (restored, truth))
        try:
            for planes in zip(*pictures, strict=True):
                for plane in planes:
                    self._process.stdin.write(plane.numpy().data)
        except BrokenPipeError:
            raise self._failure() from None

    def scores(self) -> list[float]:
        """One of 0 to 100 for each frame. Raises VsrError when ffmpeg has failed."""
        self._process.communicate()
        if self._process.returncode:
            raise self._failure()
        frames = json.loads(Path(self._folder.name, _LOG).read_text(encoding="utf-8"))["frames"]
        return [frame["metrics"]["vmaf"] for frame in frames]

    def _failure(self) -> VsrError:
        self._process.wait()
        said = " ".join(self._errors.read_text(errors="replace").split())
        return VsrError(f"ffmpeg failed at VMAF: {said or self._process.returncode}")

    def __enter__(self) -> Vmaf:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()
