"""Resampling stored planes against the way over RGB, which it is a short cut of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from models import tiny_weights

from vsrcli.jobs.picture_route import PictureRoute
from vsrcli.jobs.plane_route import PlaneRoute, resampling_of_planes
from vsrcli.jobs.route import Picturing, Segment
from vsrcli.media.encoders import EncodeOptions, Picture, choose
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, Range
from vsrcli.media.geometry import Orientation
from vsrcli.restore.restorer import load

BASE = Fraction(1, 1000)


def color(location: ChromaLocation = ChromaLocation.LEFT) -> ColorSpec:
    return ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, location)


def frame(name: str, width: int, height: int, pts: int = 0) -> Frame:
    """Codes well inside the range, so that overshoots are not clipped on either way."""
    format = pixel_format(name)
    generator = np.random.default_rng(3)
    one, kind = 2 ** (format.bits - 8), np.uint8 if format.bits == 8 else np.uint16
    planes = tuple(
        generator.integers(80 * one, 160 * one, format.plane_size(p, width, height)).astype(kind)
        for p in range(1 if format.family == "gray" else 3)
    )
    return Frame(planes, format, pts, BASE, 40)


def routes(
    given: Frame, model: str, size: tuple[int, int], spec: ColorSpec, segment: Segment
) -> tuple[PlaneRoute, PictureRoute]:
    width, height = size
    scale = (Fraction(height, given.height), Fraction(width, given.width))
    restorer = load(model, device="cpu", scale=scale)
    picture = Picture(width, height, given.format, spec, Fraction(25))
    plan = choose(EncodeOptions("ffv1"), picture, "matroska")
    picturing = Picturing(given.format, spec, Orientation.UPRIGHT, plan)
    kernel = resampling_of_planes(restorer, picturing)
    assert kernel == model
    return PlaneRoute(kernel, picturing, segment), PictureRoute(restorer, picturing, segment)


@pytest.mark.parametrize("model", ["lanczos", "bicubic"])
@pytest.mark.parametrize(
    ("name", "location"),
    [
        ("yuv420p", ChromaLocation.LEFT),
        ("yuv420p", ChromaLocation.CENTER),
        ("yuv420p", ChromaLocation.TOPLEFT),
        ("yuv420p", ChromaLocation.BOTTOM),
        ("yuv422p10le", ChromaLocation.LEFT),
        ("yuv411p", ChromaLocation.LEFT),
        ("yuv444p", ChromaLocation.LEFT),
        ("gray", ChromaLocation.LEFT),
    ],
)
@pytest.mark.parametrize("size", [(64, 36), (51, 23), (16, 9)], ids=["x2", "odd", "half"])
def test_planes_by_themselves_equal_the_way_over_rgb(
    model: str, name: str, location: ChromaLocation, size: tuple[int, int]
) -> None:
    given = frame(name, 32, 18)
    planes, pictures = routes(given, model, size, color(location), Segment())
    (direct,) = planes.restore([planes.prepare(given)])
    (around,) = pictures.restore([pictures.prepare(given)])
    for ours, theirs in zip(
        next(planes.finish([direct])).planes, next(pictures.finish([around])).planes, strict=True
    ):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1
        assert np.mean(ours != theirs) < 0.02, "only roundings that are a tie may differ"


def test_frames_outside_the_segment_are_left_out() -> None:
    given = [frame("yuv420p", 8, 8, pts) for pts in (0, 40, 80, 120)]
    planes, _ = routes(given[0], "lanczos", (16, 16), color(), Segment(first=40, stop=120))
    assert [made.pts for made in planes.restore(given)] == [40, 80]


@pytest.mark.parametrize("change", ["colors", "format", "orientation", "network"])
def test_the_way_over_rgb_is_kept_where_something_changes(change: str, tmp_path: Path) -> None:
    given = pixel_format("yuv420p")
    stored = pixel_format("yuv444p") if change == "format" else given
    plan = choose(EncodeOptions("ffv1"), Picture(16, 16, given, color(), Fraction(25)), "matroska")
    spec = color(ChromaLocation.CENTER if change == "colors" else ChromaLocation.LEFT)
    turned = [o for o in Orientation if o != Orientation.UPRIGHT][0]
    picturing = Picturing(
        stored, spec, turned if change == "orientation" else Orientation.UPRIGHT, plan
    )
    model = str(tiny_weights(tmp_path)) if change == "network" else "lanczos"
    restorer = load(model, device="cpu", scale=2)
    assert resampling_of_planes(restorer, picturing) is None
