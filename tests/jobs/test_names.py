"""Names that files really have, and outputs that are the input under another name."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import clips
import pytest
from ffmpeg import raw_frames
from forked import Ending, Forked

FRAMES = 3
LONGEST = 255
"""Bytes in a name, on most file systems."""
NAMES = {
    "spaces": " two  words .mp4",
    "quotes": 'it\'s "so" `here`.mp4',
    "composed": unicodedata.normalize("NFC", "Café 日本 😀.mkv"),
    "decomposed": unicodedata.normalize("NFD", "Café 日本 😀.mkv"),
    "dash": "-i.mp4",
    "long option": "--scale=2.mkv",
    "line break": "one\ntwo\r\n.mp4",
    "terminal": "\x1b[31mred\a.mp4",
    "percent": "100%.mp4",
    "pattern": "%06d %s.mov",
    "shell": "$(touch x) *?[a] & ~ \\.mp4",
    "protocol": "concat:a.mp4",
    "file protocol": "file:in.mp4",
    "drive": "C:x.mp4",
    "not UTF-8": "\udcff\udc80.mp4",
    "longest": "n" * (LONGEST - 4) + ".mp4",
    "longest in Unicode": "é" * 125 + "n.mp4",
    "hidden": ".mp4.mp4",
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.with_audio(tmp_path_factory.mktemp("clip") / "in.mp4", frames=FRAMES)


def enlarge(vsr: Forked, folder: Path, *words: object, overwrite: bool = False) -> Ending:
    """`vsr upscale` in a folder, of an input and an output that may begin with a dash."""
    options = ["--model", "lanczos", "--scale", "2", "--sandbox-decode", "off"]
    options += ["--overwrite"] if overwrite else []
    return vsr("upscale", *options, "--", *words, before=f"import os; os.chdir({str(folder)!r})")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name(vsr: Forked, clip: Path, tmp_path: Path, name: str) -> None:
    """Of the output, and then of the input."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    done = enlarge(vsr, tmp_path / "a", clip, name)
    assert done.code == 0, done
    assert [path.name for path in (tmp_path / "a").iterdir()] == [name]
    assert all(line.isprintable() for line in done.said.splitlines())
    assert len(raw_frames(plainly(tmp_path / "a" / name), "gray", 128, 96)) == FRAMES
    done = enlarge(vsr, tmp_path / "a", name, tmp_path / "b" / "out.mp4")
    assert done.code == 0, done
    assert len(raw_frames(tmp_path / "b" / "out.mp4", "gray", 256, 192)) == FRAMES
    assert [path.name for path in (tmp_path / "a").iterdir()] == [name]


def plainly(path: Path) -> Path:
    """Another name of the file, which the second reader does not take for something else."""
    plain = path.parents[1] / f"plain{path.suffix}"
    plain.hardlink_to(path)
    return plain


def test_both_forms_of_unicode_are_two_files(vsr: Forked, clip: Path, tmp_path: Path) -> None:
    names = [NAMES["composed"], NAMES["decomposed"]]
    assert [enlarge(vsr, tmp_path, clip, name).code for name in names] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("folder", [*NAMES.values(), "100%d", "x." + "y" * 253], ids=repr)
def test_images_in_a_folder_of_any_name(
    vsr: Forked, clip: Path, tmp_path: Path, folder: str
) -> None:
    done = enlarge(vsr, tmp_path, clip, f"{folder}/a b-%03d.png")
    assert done.code == 0, done
    assert [path.name for path in tmp_path.iterdir()] == [folder]
    names = sorted(path.name for path in (tmp_path / folder).iterdir())
    assert names == ["a b-001.png", "a b-002.png", "a b-003.png"]
    done = enlarge(vsr, tmp_path, f"{folder}/a b-%03d.png", "out.mkv")
    assert done.code == 0, done
    assert len(raw_frames(tmp_path / "out.mkv", "gray", 256, 192)) == FRAMES


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (None, "n" * LONGEST + ".mp4"),
        ("n" * LONGEST + ".mp4", "out.mp4"),
        ("n" * LONGEST + "%d.png", "out.mp4"),
        (None, "n" * (LONGEST + 1) + "/%d.png"),
        (None, "n" * (LONGEST - 5) + "%09d.png"),
        (None, "n" * LONGEST + ".png"),
    ],
)
def test_names_that_no_file_can_have(
    vsr: Forked, clip: Path, tmp_path: Path, source: str | None, target: str
) -> None:
    done = enlarge(vsr, tmp_path, source or clip, target)
    assert done.code == 1
    assert done.said.startswith("vsr: ") and "\n" not in done.said
    assert "a fault of vsr" not in done.said
    assert list(tmp_path.iterdir()) == []


def test_a_percent_sign_in_an_image(vsr: Forked, clip: Path, tmp_path: Path) -> None:
    """Written it would be a pattern; it is read as what it is."""
    done = enlarge(vsr, tmp_path, clip, "50%.png")
    assert done.code == 2 and "write the number as one %d" in done.said
    image = clips.images(tmp_path / "in", "1.png", "rgb24", 1) / "1.png"
    for name in ("50%.png", "%d.png", "%%.png"):
        (tmp_path / name).write_bytes(image.read_bytes())
        assert enlarge(vsr, tmp_path, name, "out.png", overwrite=True).code == 0


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    """A video and three images, and other names for them."""
    (tmp_path / "in.mp4").write_bytes(clip.read_bytes())
    clips.images(tmp_path / "frames", "%03d.png", "rgb24", 3)
    clips.images(tmp_path / "one", "%03d.png", "rgb24", 1)
    (tmp_path / "linked").symlink_to("frames")
    (tmp_path / "soft.mp4").symlink_to("in.mp4")
    (tmp_path / "hard.mp4").hardlink_to(tmp_path / "in.mp4")
    (tmp_path / "soft.png").symlink_to("one/001.png")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("in.mp4", "in.mp4"),
        ("in.mp4", "./in.mp4"),
        ("in.mp4", "frames/../in.mp4"),
        ("in.mp4", "soft.mp4"),
        ("soft.mp4", "in.mp4"),
        ("in.mp4", "hard.mp4"),
        ("frames", "frames/%03d.png"),
        ("frames", "linked/%03d.png"),
        ("frames/%03d.png", "frames/%03d.png"),
        ("linked/%03d.png", "frames/out-%03d.png"),
        ("frames/001.png", "frames/%03d.png"),
        ("one", "one/001.png"),
        ("one/%03d.png", "one/001.png"),
        ("one/001.png", "soft.png"),
        ("soft.png", "one/001.png"),
    ],
)
def test_the_output_is_the_input(vsr: Forked, folder: Path, source: str, target: str) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = enlarge(vsr, folder, source, target, overwrite=True)
    assert done.code == 1
    shown = target.rpartition("/")[0] if "%" in target else target
    assert done.said == f"vsr: {Path(shown)} is the input itself: choose another output"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_input_in_other_case(vsr: Forked, folder: Path) -> None:
    """The same file where case does not count, and another one where it does."""
    same = (folder / "IN.MP4").exists()
    before = (folder / "in.mp4").read_bytes()
    done = enlarge(vsr, folder, "in.mp4", "IN.MP4", overwrite=True)
    assert done.code == (1 if same else 0)
    assert (folder / "in.mp4").read_bytes() == before
