"""The size that a job is asked for."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vsrcli.errors import UsageError
from vsrcli.jobs.options import TargetSize


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (TargetSize(), (400, 240)),
        (TargetSize(scale=Fraction(2)), (200, 120)),
        (TargetSize(scale=Fraction(5, 2)), (250, 150)),
        (TargetSize(scale=Fraction(1, 1000)), (1, 1)),
        (TargetSize(height=90), (150, 90)),
        (TargetSize(height=91), (152, 91)),
        (TargetSize(size=(1920, 1080)), (1920, 1080)),
        (TargetSize(size=(7, 5)), (7, 5)),
    ],
)
def test_size_of_a_picture_of_100_by_60(target: TargetSize, wanted: tuple[int, int]) -> None:
    assert target.of(100, 60, default_scale=4) == wanted


def test_height_keeps_the_shape_with_an_even_width() -> None:
    assert TargetSize(height=1080).of(1279, 720, 4) == (1918, 1080)
    assert TargetSize(height=2).of(1, 1000, 4) == (2, 2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scale": Fraction(0)}, "--scale 0 makes no sense"),
        ({"scale": Fraction(-2)}, "--scale -2 makes no sense"),
        ({"scale": Fraction(17)}, "--scale 17 makes no sense"),
        ({"height": 0}, "0 pixels"),
        ({"size": (1920, -1)}, "-1 pixels"),
        ({"scale": Fraction(2), "height": 720}, "not several"),
        ({"size": (2, 2), "height": 720}, "not several"),
    ],
)
def test_nonsense_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        TargetSize(**values)  # type: ignore[arg-type]
