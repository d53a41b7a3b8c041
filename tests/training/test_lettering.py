"""Pages of text."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from tiny_font import tiny_font

from vsrcli.errors import InputError
from vsrcli.training.data.lettering import PAGE, Font, pages
from vsrcli.training.data.typefaces import FACES
from vsrcli.training.data.writing import line


@pytest.fixture
def font(tmp_path: Path) -> Font:
    """Boxes, in a file whose name would end a filter's argument."""
    file = tmp_path / "it's: a [font], 1.ttf"
    file.write_bytes(tiny_font())
    return Font(file, ("latin", "han"))


def test_pages_are_full_of_letters_of_many_sizes(font: Font) -> None:
    drawn = np.stack(list(pages([font], 3)))
    assert drawn.shape == (3, PAGE, PAGE, 1)
    heights = set()
    for page in drawn[..., 0]:
        covered = page == 255
        assert 0.1 < covered.mean() < 0.5
        rows = covered.any(1)
        assert rows[-PAGE // 5 :].any()
        edges = np.flatnonzero(np.diff(np.concatenate(([False], rows, [False]))))
        heights |= set((edges[1::2] - edges[::2]).tolist())
        # Written to the right end, with letters apart, and soft at their edges.
        assert covered[:, -PAGE // 5 :].any()
        assert covered.any(0).sum() > 0.9 * PAGE
        assert 0.001 < ((page > 0) & (page < 255)).mean() < 0.2
    # Capitals of the smallest letters are 0.7 of 11 pixels high, those of the largest of 115.
    assert min(heights) <= 15
    assert max(heights) >= 40


def test_equal_pages_are_drawn_again_and_all_differ(font: Font) -> None:
    first, second = (list(pages([font], 2)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def test_damaged_font_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.ttf").write_text("not a font")
    with pytest.raises(InputError, match="ffmpeg cannot draw text"):
        list(pages([Font(tmp_path / "no.ttf", ("latin",))], 1))


@pytest.mark.parametrize(
    ("script", "letters"),
    [("latin", "aeNz"), ("greek", "αςΤ"), ("cyrillic", "аяМ"), ("han", "日本人的"[::3])],
)
def test_lines_are_long_enough_and_of_their_script(script: str, letters: str) -> None:
    random = Random(0)
    lines = [line(script, 60, random) for _ in range(200)]
    assert all(60 <= len(text) < 160 for text in lines)
    assert set(letters) <= set("".join(lines))
    assert len(set(lines)) == len(lines)
    assert not any("\n" in text for text in lines)


def test_digits_have_nothing_that_a_clock_cannot_show() -> None:
    assert set(line("digits", 5000, Random(0))) == set("0123456789:-. ")


def test_faces_have_scripts_that_can_be_written() -> None:
    assert len({face.path for face in FACES}) == len(FACES) >= 25
    for face in FACES:
        assert all(line(script, 5, Random(0)) for script in face.scripts.split())
        assert "(copyright file of the package)" in face.package.licence
    assert {script for face in FACES for script in face.scripts.split()} == {
        "latin", "greek", "cyrillic", "han", "digits",
    }  # fmt: skip
