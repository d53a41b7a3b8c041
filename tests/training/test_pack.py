"""The small copy of the training set."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.errors import InputError
from vsrcli.training.data import pack, shard
from vsrcli.training.data.cut import FRAMES, SIZE

CLIPS = 6


def photograph(height: int, width: int, seed: int) -> Tensor:
    """(3, H, W) uint8: detail of all sizes, the finer the fainter, in color."""
    random = torch.Generator().manual_seed(seed)
    made = torch.zeros(1, 3, height, width)
    for cells in (4, 16, 64):
        noise = torch.rand(1, 3, cells, cells, generator=random) - 0.5
        made += F.interpolate(noise, (height, width), mode="bicubic") * 4 / cells**0.5
    return ((made[0] / 5 + 0.5).clamp(0, 1) * 255).to(torch.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of six moving clips, two stills, one of odd size, and a page of text."""
    folder = tmp_path_factory.mktemp("set")
    film = []
    for index in range(CLIPS):
        wide = photograph(SIZE, SIZE + 2 * FRAMES, index)
        frames = [wide[:, :, 2 * t : 2 * t + SIZE] for t in range(FRAMES)]
        film.append(torch.stack(frames).permute(0, 2, 3, 1).numpy())
    stills = [photograph(height, width, 10).permute(1, 2, 0).numpy()
              for height, width in ((200, 300), (151, 99))]  # fmt: skip
    page = (photograph(64, 64, 20)[0] > 140).to(torch.uint8).numpy()[..., None] * 255
    shard.save(folder, film, stills, {}, [page])
    (folder / "CREDITS.md").write_text("by nobody\n")
    return folder


def psnr(found: Tensor, expected: Tensor) -> float:
    error = (found.double() - expected.double()) / 255
    return float(-10 * error.square().mean().log10())


def test_packed_set_looks_like_the_whole(folder: Path, tmp_path: Path) -> None:
    pack.write(folder, tmp_path / "set.zip", 2**20)
    whole, packed = shard.load(folder), pack.load(tmp_path / "set.zip")
    assert packed.film.shape == whole.film.shape
    assert packed.film.dtype == torch.uint8
    assert [still.shape for still in packed.stills] == [still.shape for still in whole.stills]
    for found, expected in zip(packed.film, whole.film, strict=True):
        assert psnr(found, expected) > 40
    for found, expected in zip(packed.stills, whole.stills, strict=True):
        assert psnr(found, expected) > 40
    assert len(packed.text) == 1
    assert torch.equal(packed.text[0], whole.text[0])
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert archive.read("CREDITS.md") == b"by nobody\n"


def test_size_is_kept_by_leaving_out_film_evenly(folder: Path, tmp_path: Path) -> None:
    pack.write(folder, tmp_path / "whole.zip", 2**20)
    limit = (tmp_path / "whole.zip").stat().st_size * 2 // 3
    lines: list[str] = []
    pack.write(folder, tmp_path / "small.zip", limit, lines.append)
    assert (tmp_path / "small.zip").stat().st_size <= limit
    with zipfile.ZipFile(tmp_path / "small.zip") as archive:
        names = [name for name in archive.namelist() if name.startswith("film")]
    assert names == ["film/0000.mkv", "film/0004.mkv", "film/0002.mkv"][: len(names)]
    assert 2 <= len(names) < CLIPS
    assert lines == [
        f"{tmp_path}/small.zip: {len(names)} of {CLIPS} film clips, 2 stills, 1 pages of text"
    ]
    assert len(pack.load(tmp_path / "small.zip").film) == len(names)


def test_equal_sets_give_equal_files(folder: Path, tmp_path: Path) -> None:
    for name in ("first.zip", "second.zip"):
        pack.write(folder, tmp_path / name, 2**20)
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_nothing_is_written_when_the_stills_do_not_fit(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not hold the stills and"):
        pack.write(folder, tmp_path / "set.zip", 9000)
    with pytest.raises(InputError, match="holds no training set"):
        pack.write(tmp_path, tmp_path / "set.zip", 2**20)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_no_packs(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_text("not a zip file")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "of something else")
    for name in ("set.zip", "other.zip", "absent.zip"):
        with pytest.raises(InputError, match="is no pack of training footage"):
            pack.load(tmp_path / name)
