"""Pages of text in many typefaces, drawn by ffmpeg.

A page holds how much of each pixel the letters cover. Colors, outlines and what is behind are
chosen when a clip is made of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np

from vsrcli.errors import InputError
from vsrcli.training.data.cut import Pixels
from vsrcli.training.data.writing import line

PAGE = 768
"""Height and width of a page: room for the moves of the largest clips."""
_SIZES = (11, 115)
"""Heights of the em square in pixels: capitals of about 8 to 80."""
_OVERSAMPLING = 2
"""Pages are drawn this much larger and shrunk, so that all edges are soft."""
_NO_FONTS = "fonts.conf"
"""A configuration of fontconfig that knows no fonts."""


class Font(NamedTuple):
    """A font file and the scripts it is used for, see `writing.line`."""

    file: Path
    scripts: Sequence[str]


class _Line(NamedTuple):
    text: str
    font: int
    size: float
    """Height of the em square, as all of these in pixels of the page."""
    left: float
    top: float


def pages(fonts: Sequence[Font], count: int) -> Iterator[Pixels]:
    """`count` pages (PAGE, PAGE, 1) of letters, 255 where they cover a pixel wholly.

    The same ffmpeg makes the same pages. Raises InputError if it cannot draw text, or a font.
    """
    with TemporaryDirectory() as folder:
        # Under plain names, since those in a filter would need quoting.
        for index, font in enumerate(fonts):
            shutil.copy(font.file, Path(folder, f"font{index}"))
        # Without it ffmpeg takes one of the system's fonts for one that it cannot read.
        Path(folder, _NO_FONTS).write_text("<fontconfig/>")
        for page in range(count):
            yield _drawn(Path(folder), _lines(fonts, Random(page)))


def _lines(fonts: Sequence[Font], random: Random) -> list[_Line]:
    """Lines from top to bottom: some alike, then others of another font and size."""
    lines: list[_Line] = []
    top = 0.0
    while top < PAGE:
        font = random.randrange(len(fonts))
        script = random.choice(fonts[font].scripts)
        least, most = _SIZES
        size = least * (most / least) ** random.random()
        spacing = random.uniform(1.05, 1.5) * size
        for _ in range(max(1, round(random.uniform(0.5, 1.5) * 40 / size))):
            left = random.uniform(-2, 1) * size
            # Letters are a third to two thirds as wide as high: enough to cross the page.
            text = line(script, round(3 * PAGE / size), random)
            lines.append(_Line(text, font, size, left, top))
            top += spacing
        top += random.uniform(0, 1.2) * size
    return lines


def _drawn(folder: Path, lines: Sequence[_Line]) -> Pixels:
    scale = _OVERSAMPLING
    filters = []
    for index, each in enumerate(lines):
        (folder / f"text{index}").write_text(each.text, encoding="utf-8")
        filters.append(
            f"drawtext=fontfile=font{each.font}:textfile=text{index}:expansion=none"
            f":fontcolor=white:fontsize={scale * each.size:.0f}"
            f":x={scale * each.left:.0f}:y={scale * each.top:.0f}:y_align=font"
        )
    canvas = f"color=black:size={scale * PAGE}x{scale * PAGE}:rate=1,format=gbrp"
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", canvas),
        *("-vf", ",".join((*filters, f"scale={PAGE}:{PAGE}:flags=area"))),
        *("-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gbrp", "-"),
    ]
    environment = {**os.environ, "FONTCONFIG_FILE": str(folder / _NO_FONTS)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    if len(done.stdout) != 3 * PAGE * PAGE:
        reasons = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise InputError(
            f"ffmpeg cannot draw text ({reasons[0]}); fetch the fonts' packages again, or install "
            "imageio-ffmpeg's own ffmpeg"
        )
    return np.frombuffer(done.stdout, np.uint8)[: PAGE * PAGE].reshape(PAGE, PAGE, 1)
