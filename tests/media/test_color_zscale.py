"""Colour conversion against zimg, through the static ffmpeg's zscale filter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ffmpeg import ffmpeg

from vsrcli.media.color import from_rgb, to_rgb
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, PixelFormat, Range

WIDTH, HEIGHT = 96, 64
MATRICES = [
    Matrix.BT709, Matrix.SMPTE170M, Matrix.BT470BG, Matrix.FCC, Matrix.SMPTE240M,
    Matrix.BT2020_NCL, Matrix.YCGCO,
]  # fmt: skip
SOURCES = ["smptehdbars", "testsrc2", "mandelbrot"]


def spec(
    matrix: Matrix = Matrix.BT709,
    color_range: Range = Range.LIMITED,
    location: ChromaLocation = ChromaLocation.LEFT,
) -> ColorSpec:
    return ColorSpec(matrix, color_range, 1, 1, location)


def planes_of(data: bytes, form: PixelFormat) -> list[torch.Tensor]:
    """The planes of one raw frame, R, G, B for RGB."""
    samples = np.frombuffer(data, np.uint8 if form.bits == 8 else np.uint16)
    planes, position = [], 0
    for index in range(3):
        height, width = form.plane_size(index, WIDTH, HEIGHT)
        plane = samples[position : position + height * width].reshape(height, width)
        planes.append(torch.from_numpy(plane.copy()))
        position += height * width
    assert position == len(samples)
    return [planes[index] for index in (2, 0, 1)] if form.family == "rgb" else planes


def raw(planes: list[torch.Tensor]) -> bytes:
    return b"".join(plane.numpy().tobytes() for plane in planes)


def filtered(planes: list[torch.Tensor], source: str, filters: str, target: str) -> list:
    """The planes that ffmpeg's filters make of one frame."""
    data = ffmpeg(
        "-f", "rawvideo", "-pix_fmt", source, "-s", f"{WIDTH}x{HEIGHT}", "-i", "-",
        "-vf", filters, "-f", "rawvideo", "-pix_fmt", target, "-",
        stdin=raw(planes),
    )  # fmt: skip
    return planes_of(data, pixel_format(target))


@pytest.mark.parametrize("color_range", [Range.LIMITED, Range.FULL])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("target", ["yuv444p", "yuv444p10le"])
def test_matrix_and_range_are_those_of_zimg(target: str, matrix: Matrix, color_range: Range):
    form = pixel_format(target)
    name = color_range.name.lower()
    for source in SOURCES:
        data = ffmpeg(
            "-f", "lavfi", "-i", f"{source}=size={WIDTH}x{HEIGHT}", "-frames:v", "1",
            "-f", "rawvideo", "-pix_fmt", "gbrp", "-",
        )  # fmt: skip
        rgb = planes_of(data, pixel_format("gbrp"))
        scale = f"zscale=matrixin=gbr:rangein=full:matrix={int(matrix)}:range={name}:dither=none"
        theirs = filtered([rgb[1], rgb[2], rgb[0]], "gbrp", f"{scale},format={target}", target)
        picture = to_rgb(rgb, pixel_format("gbrp"), spec(Matrix.RGB, Range.FULL))
        ours = from_rgb(picture, form, spec(matrix, color_range))
        for mine, other in zip(ours, theirs, strict=True):
            assert (mine.int() - other.int()).abs().max() <= 1, source
        decoded = to_rgb(theirs, form, spec(matrix, color_range))
        tolerance = 2.2 * 2 ** (8 - form.bits)  # a code of chroma is up to 2.2 of blue
        assert (decoded - picture).abs().max() * 255 <= tolerance, source


def smooth() -> list[torch.Tensor]:
    """Slow waves in 16-bit 4:4:4, so that every good resampling gives nearly the same."""
    x, y = torch.meshgrid(torch.arange(WIDTH), torch.arange(HEIGHT), indexing="xy")
    waves = [
        torch.sin(x / 11.0) + torch.cos(y / 9.0),
        torch.sin((x + 2 * y) / 13.0) + torch.cos(x / 10.0),
        torch.cos((2 * x - y) / 15.0) + torch.sin(y / 9.5),
    ]
    return [torch.round(32768 + 8000 * wave).to(torch.uint16) for wave in waves]


LOCATIONS = {location: location.name.lower() for location in ChromaLocation if location}


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("name", ["yuv420p16le", "yuv422p16le"])
def test_chroma_is_resampled_to_the_places_of_zimg(name: str, location: ChromaLocation):
    """Within 0.4 of an 8-bit code; half a luma sample more to a side would be 1.6 codes off."""
    form, whole = pixel_format(name), pixel_format("yuv444p16le")
    place = LOCATIONS[location]
    full = smooth()
    scale = "zscale=matrixin=709:matrix=709:rangein=limited:range=limited:filter=bicubic"
    theirs = filtered(full, whole.name, f"{scale}:chromal={place},format={name}", name)
    ours = from_rgb(to_rgb(full, whole, spec()), form, spec(location=location))
    inside = slice(2, -2)
    for mine, other in zip(ours, theirs, strict=True):
        difference = (mine.int() - other.int()).abs()[inside, inside]
        assert difference.max() < 0.4 * 256

    theirs = filtered(
        theirs, name, f"{scale}:chromalin={place},format={whole.name}", whole.name
    )  # fmt: skip
    ours = from_rgb(to_rgb(ours, form, spec(location=location)), whole, spec())
    for mine, other in zip(ours, theirs, strict=True):
        difference = (mine.int() - other.int()).abs()[4:-4, 4:-4]
        assert difference.max() < 0.6 * 256
