"""Shapes with names in them."""

from __future__ import annotations

import pytest

from vsrcli.onnx.shapes import fixed, sized, sizes_of

SHAPE = ("N", 3, "4*H", "W/4")


def test_lengths_and_names_tell_of_each_other() -> None:
    names = {"N": 2, "H": 5, "W": 8}
    assert sized(SHAPE, names) == (2, 3, 20, 2)
    assert sizes_of([(SHAPE, (2, 3, 20, 2))]) == names
    assert fixed(SHAPE, {"H": 5, "W": 8}) == ("N", 3, 20, 2)


@pytest.mark.parametrize(
    "lengths", [(2, 3, 20), (2, 4, 20, 2), (2, 3, 21, 2)], ids=["dimensions", "number", "multiple"]
)
def test_other_lengths_are_refused(lengths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, 3, 4\*H, W/4\) is wanted"):
        sizes_of([(SHAPE, lengths)])


def test_names_mean_one_thing() -> None:
    with pytest.raises(ValueError, match="is wanted, not"):
        sizes_of([(("H", "W"), (4, 5)), (("H",), (6,))])


@pytest.mark.parametrize("length", ["", "h", "4H", "0*H", "H/0", "H+1"])
def test_what_is_no_length(length: str) -> None:
    with pytest.raises(ValueError, match="is not a length"):
        sizes_of([((length,), (4,))])
