"""The training set from packages to the shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ffmpeg import ffmpeg
from tiny_font import tiny_font
from tiny_packages import archive_with, package

from vsrcli.cli.train import train
from vsrcli.errors import InputError
from vsrcli.training.data import prepare as prepared
from vsrcli.training.data import shard
from vsrcli.training.data.cut import FRAMES, SIZE, Pixels
from vsrcli.training.data.lettering import PAGE
from vsrcli.training.data.prepare import credits, prepare
from vsrcli.training.data.sources import FILMS, STILLS, Film, Still
from vsrcli.training.data.typefaces import FACES, Face

WIDTH = 240


def noise(seed: int) -> Pixels:
    """(SIZE, WIDTH + FRAMES, 3) gray blocks of several sizes."""
    random = np.random.default_rng(seed)
    height, width = SIZE, WIDTH + FRAMES
    made = np.zeros((height, width))
    for block, weight in ((64, 90), (24, 60), (6, 50)):
        cells = random.random((height // block + 1, width // block + 1)) * weight
        made += np.kron(cells, np.ones((block, block)))[:height, :width]
    return made.astype(np.uint8)[..., None].repeat(3, 2)


def write(path: Path, frames: list[Pixels]) -> bytes:
    height, width = frames[0].shape[:2]
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "-"),
        *("-c:v", "ffv1", "-pix_fmt", "bgr0") if path.suffix == ".mkv" else (),
        path,
        stdin=np.ascontiguousarray(np.stack(frames)).tobytes(),
    )
    return path.read_bytes()


@pytest.fixture
def sources(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One package with a film that shows a pan twice over, a photograph, and a font."""
    picture = noise(0)
    pan = [picture[:, t : t + WIDTH] for t in range(FRAMES)]
    served = archive_with(
        {
            "film.mkv": write(tmp_path / "film.mkv", pan + pan),
            "photo.png": write(tmp_path / "photo.png", [noise(1).repeat(2, 0).repeat(2, 1)]),
            "font.ttf": tiny_font(),
        }
    )
    (registry / "served").write_bytes(served)
    kind = package(served)
    monkeypatch.setattr(prepared, "FILMS", (Film(kind, "film.mkv", 1.0, 1, "A. Filmer"),))
    monkeypatch.setattr(prepared, "STILLS", (Still(kind, "photo.png", "B. Photographer"),))
    monkeypatch.setattr(prepared, "FACES", (Face(kind, "font.ttf", "C. Drawer", "latin"),))
    monkeypatch.setattr(prepared, "_PAGES", 2)
    return registry


def test_set_is_made_of_film_photographs_and_text(sources: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    folder = tmp_path / "set"
    prepare(folder, lines.append)
    data = shard.load(folder)
    # The pan's second time is left out.
    assert data.film.shape == (1, FRAMES, 3, SIZE, SIZE)
    assert (data.film[0, 1:, :, :, :-1] == data.film[0, :-1, :, :, 1:]).all()
    assert data.stills[0].shape == (3, 256, 329)
    assert [page.shape for page in data.text] == [(1, PAGE, PAGE)] * 2
    assert lines == [
        "npm film 1.0: 1 clips; 1 like others were left out",
        f"{folder}: 1 film clips, 1 stills, 2 pages of text in 1 typefaces",
    ]
    assert "| npm film 1.0 | font.ttf | C. Drawer | MIT (LICENSE) |" in credits()
    assert (folder / "CREDITS.md").read_text() == credits()

    files = {file: file.read_bytes() for file in folder.glob("*.*")}
    prepare(folder, lines.append)
    assert lines[2:] == [f"{folder}: training set is there"]
    assert {file: file.read_bytes() for file in folder.glob("*.*")} == files
    assert len((sources / "calls").read_text().splitlines()) == 1


@pytest.mark.parametrize(("seed", "where"), [(0, "film.mkv, frame 0"), (1, "photo.png, frame 0")])
def test_what_is_kept_out_is_not_in_the_set(
    seed: int, where: str, sources: Path, tmp_path: Path
) -> None:
    folder, scored, other = (tmp_path / name for name in ("set", "scored.png", "other.png"))
    picture = noise(seed)[:, : -FRAMES if seed == 0 else None, :]
    write(scored, [picture[:, ::-1]])
    write(other, [noise(2)])
    with pytest.raises(InputError, match=f"{where}: looks like {scored}, frame 0"):
        prepare(folder, keep_out=[scored])
    assert not shard.is_whole(folder)
    lines: list[str] = []
    for _ in range(2):  # while it is made, and afterwards
        prepare(folder, lines.append, keep_out=[other])
        assert lines[-1].startswith(f"{other}: not in the set; nearest is npm film 1.0 ")
    with pytest.raises(InputError, match=f"{where}: looks like {scored}"):
        train(prepare=folder, keep_out=[other, scored])


def test_credits_name_every_file_author_and_licence() -> None:
    text = credits()
    for source in (*FILMS, *STILLS, *FACES):
        row = next(line for line in text.splitlines() if f"| {source.path} |" in line)
        assert source.author in row
        assert source.package.licence in row
        assert f"{source.package.name} {source.package.version}" in row
    assert len({source.path for source in STILLS}) >= 30
    shipped = Path(__file__).parents[2] / "weights" / "CREDITS.md"
    assert set(text.splitlines()[2:]) <= set(shipped.read_text().splitlines())
