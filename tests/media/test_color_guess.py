"""The table of guesses for videos that do not say what their colours mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vsrcli.errors import InputError
from vsrcli.media.color_guess import guess
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, Range

UNTAGGED = ColorSpec(Matrix.UNSPECIFIED, Range.UNSPECIFIED, 2, 2, ChromaLocation.UNSPECIFIED)
TAGGED = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)


@pytest.mark.parametrize(
    ("width", "height", "matrix", "name"),
    [
        (320, 240, Matrix.SMPTE170M, "BT.601 (smpte170m)"),
        (640, 480, Matrix.SMPTE170M, "BT.601 (smpte170m)"),
        (720, 576, Matrix.BT470BG, "BT.601 (bt470bg)"),
        (1024, 576, Matrix.BT470BG, "BT.601 (bt470bg)"),
        (960, 720, Matrix.BT709, "BT.709"),
        (1280, 544, Matrix.BT709, "BT.709"),
        (3840, 2160, Matrix.BT709, "BT.709"),
    ],
)
def test_matrix_by_size(width: int, height: int, matrix: Matrix, name: str):
    color, phrases = guess(width, height, UNTAGGED, pixel_format("yuv420p"))
    assert color == replace(
        UNTAGGED, matrix=matrix, range=Range.LIMITED, chroma_location=ChromaLocation.LEFT
    )
    assert phrases == [
        f"untagged {width}x{height} video: assuming {name} matrix",
        f"untagged {width}x{height} video: assuming limited range",
        f"untagged {width}x{height} video: assuming chroma location left",
    ]


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 2), (2, 14), (2, 15), (2, 16), (2, 18)])
def test_wide_gamut_and_hdr_mean_bt2020(primaries: int, transfer: int):
    tagged = replace(TAGGED, matrix=Matrix.UNSPECIFIED, primaries=primaries, transfer=transfer)
    color, phrases = guess(640, 480, tagged, pixel_format("yuv420p10le"))
    assert color == replace(tagged, matrix=Matrix.BT2020_NCL)
    assert phrases == ["untagged 640x480 video: assuming BT.2020 (bt2020nc) matrix"]


@pytest.mark.parametrize("matrix", [m for m in Matrix if m not in (0, 2, 10)])
def test_what_is_tagged_stays(matrix: Matrix):
    tagged = ColorSpec(matrix, Range.FULL, 9, 16, ChromaLocation.TOPLEFT)
    assert guess(640, 480, tagged, pixel_format("yuv420p")) == (tagged, [])


def test_jpeg_formats_are_full_range_with_centered_chroma():
    color, phrases = guess(640, 480, UNTAGGED, pixel_format("yuvj420p"))
    assert (color.range, color.chroma_location) == (Range.FULL, ChromaLocation.CENTER)
    assert phrases == ["untagged 640x480 video: assuming BT.601 (smpte170m) matrix"]


@pytest.mark.parametrize("name", ["yuv422p", "yuv444p", "yuv411p"])
def test_chroma_location_is_only_talked_about_where_it_matters(name: str):
    tagged = replace(TAGGED, chroma_location=ChromaLocation.UNSPECIFIED)
    assert guess(720, 480, tagged, pixel_format(name)) == (TAGGED, [])


@pytest.mark.parametrize("name", ["gbrp", "gbrap16le"])
def test_rgb_is_rgb_and_full_whatever_the_matrix_tag(name: str):
    for tagged in (UNTAGGED, replace(UNTAGGED, matrix=Matrix.BT709)):
        color, phrases = guess(1920, 1080, tagged, pixel_format(name))
        assert (color.matrix, color.range, phrases) == (Matrix.RGB, Range.FULL, [])
    limited = replace(UNTAGGED, range=Range.LIMITED)
    assert guess(1920, 1080, limited, pixel_format(name))[0].range is Range.LIMITED


def test_grey_is_full_and_its_matrix_no_matter_for_words():
    color, phrases = guess(640, 480, UNTAGGED, pixel_format("gray10le"))
    assert (color.matrix, color.range, phrases) == (Matrix.SMPTE170M, Range.FULL, [])


def test_rgb_matrix_on_a_yuv_format_is_a_wrong_tag():
    color, phrases = guess(640, 480, replace(TAGGED, matrix=Matrix.RGB), pixel_format("yuv444p"))
    assert color.matrix is Matrix.SMPTE170M
    assert phrases == ["untagged 640x480 video: assuming BT.601 (smpte170m) matrix"]


def test_constant_luminance_is_refused():
    with pytest.raises(InputError, match="bt2020c.* not supported: convert"):
        guess(3840, 2160, replace(TAGGED, matrix=Matrix.BT2020_CL), pixel_format("yuv420p10le"))
