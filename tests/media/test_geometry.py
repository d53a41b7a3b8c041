"""The eight orientations, against EXIF's definition and against ffmpeg's own automatic rotation."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from ffmpeg import ffmpeg

from vsrcli.media.geometry import (
    Orientation,
    orient,
    orientation_from_matrix,
    oriented_sar,
    oriented_size,
)

# EXIF 2.3, tag 274: where the stored row 0 and the stored column 0 are seen.
SEEN = {
    1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
    5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
}  # fmt: skip
EDGES = {"top": (0, None), "bottom": (-1, None), "left": (None, 0), "right": (None, -1)}


@pytest.mark.parametrize("orientation", list(Orientation))
def test_orient_is_what_exif_defines(orientation: Orientation):
    stored = torch.arange(2 * 3 * 5).reshape(2, 3, 5)
    shown = orient(stored, orientation)
    height, width = shown.shape[-2:]
    assert (width, height) == oriented_size((5, 3), orientation)
    assert shown.is_contiguous()
    for kind, stored_edge in zip(SEEN[orientation], (stored[:, 0], stored[:, :, 0]), strict=True):
        row, column = EDGES[kind]
        edge = shown[:, row] if row is not None else shown[:, :, column]
        assert sorted(edge.flatten().tolist()) == sorted(stored_edge.flatten().tolist())


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_videos_are_shown_as_ffmpeg_shows_them(tmp_path: Path, degrees: int, mirror: bool):
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=48x32:rate=5:duration=0.2",
        "-c:v", "libx264", "-qp", "0", "-pix_fmt", "gray", plain,
    )  # fmt: skip
    flags = ("-display_rotation", str(degrees), *(("-display_hflip",) if mirror else ()))
    ffmpeg(*flags, "-i", plain, "-c", "copy", turned)
    raw = ffmpeg("-i", turned, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-")

    with av.open(str(turned)) as container:
        frame = next(container.decode(video=0))
        data = {item.type.name: bytes(item) for item in frame.side_data}
        stored = torch.from_numpy(frame.to_ndarray(format="gray"))
    orientation = Orientation.UPRIGHT
    if "DISPLAYMATRIX" in data:  # left out of the file where it would say nothing
        orientation = orientation_from_matrix(struct.unpack("=9i", data["DISPLAYMATRIX"]))
    width, height = oriented_size((48, 32), orientation)
    shown = np.frombuffer(raw, np.uint8).reshape(height, width)
    np.testing.assert_array_equal(orient(stored, orientation).numpy(), shown)
    assert (orientation != Orientation.UPRIGHT) == (degrees != 0 or mirror)


def test_the_eight_matrices_give_the_eight_orientations():
    one = 1 << 16
    matrices = [
        (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
        for a, b, c, d in (
            (1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1),
            (0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0),
        )
    ]  # fmt: skip
    assert [orientation_from_matrix(m) for m in matrices] == list(Orientation)


def test_odd_matrices():
    near_90 = (5000, 65300, 0, -65300, 5000, 0, 0, 0, 1 << 30)
    assert orientation_from_matrix(near_90) is Orientation.TURN_90
    halved = (0, -32768, 0, 32768, 0, 0, 0, 0, 1 << 30)
    assert orientation_from_matrix(halved) is Orientation.TURN_270
    assert orientation_from_matrix([0] * 9) is Orientation.UPRIGHT


def test_sample_aspect_ratio_turns_with_the_picture():
    assert oriented_sar(Fraction(16, 11), Orientation.TURN_90) == Fraction(11, 16)
    assert oriented_sar(Fraction(16, 11), Orientation.FLIP) == Fraction(16, 11)
    assert oriented_sar(Fraction(0), Orientation.TRANSPOSE) == 0
