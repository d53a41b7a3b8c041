"""Fingerprints, and what they keep out of the set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ffmpeg import ffmpeg

from vsrcli.errors import InputError
from vsrcli.training.data.cut import Pixels
from vsrcli.training.data.fingerprint import BITS, distances, fingerprint, thumbnail
from vsrcli.training.data.keep_out import KeepOut, Repeats


def photograph(seed: int, height: int = 216, width: int = 384) -> Pixels:
    """(H, W, 3): detail of all sizes, the finer the fainter."""
    random = torch.Generator().manual_seed(seed)
    made = torch.zeros(1, 3, height, width)
    for cells in (3, 6, 12, 48):
        noise = torch.rand(1, 1, cells, cells, generator=random) - 0.5
        made += F.interpolate(noise, (height, width), mode="bicubic") * 3 / cells**0.7
    return ((made[0] / 4 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(1, 2, 0).numpy()


def shrunk(picture: Pixels, height: int, width: int) -> Pixels:
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
    small = F.interpolate(planes, (height, width), mode="area")[0].permute(1, 2, 0)
    return small.round().to(torch.uint8).numpy()


def write(path: Path, picture: Pixels, *options: str) -> None:
    height, width = picture.shape[:2]
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "-")
    ffmpeg(*source, *options, path, stdin=np.ascontiguousarray(picture).tobytes())


def test_fingerprint_is_the_signs_of_a_cosine_transform() -> None:
    picture = torch.rand(16, 14, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = []
    for u in range(12):
        for v in range(12):
            waves = [
                [np.cos(np.pi * u * (2 * y + 1) / 32) * np.cos(np.pi * v * (2 * x + 1) / 28)
                 for x in range(14)]
                for y in range(16)
            ]  # fmt: skip
            values.append(float((picture * torch.tensor(waves, dtype=torch.float64)).sum()))
    middle = sorted(values[1:])[71]
    expected = [1.0 if value > middle else -1.0 for value in values[1:]]
    assert fingerprint(picture.float()).tolist() == expected


def test_distance_counts_bits() -> None:
    first = torch.ones(2, BITS)
    second = first.clone()
    second[1, :5] = -1
    assert distances(first, second).tolist() == [[0, 5], [0, 5]]


def test_unrelated_pictures_are_far_apart() -> None:
    prints = torch.stack([fingerprint(thumbnail(photograph(seed))) for seed in range(12)])
    apart = distances(prints, prints)[~torch.eye(12, dtype=torch.bool)]
    assert 0.45 < apart.mean() / BITS < 0.55
    assert apart.min() > 50


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with a compressed photograph in a video, another as a PNG below, and a note."""
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    write(folder / "a.mp4", photograph(0), "-c:v", "libx264", "-crf", "34", "-pix_fmt", "yuv420p")
    write(folder / "more" / "b.png", photograph(1))
    (folder / "README.md").write_text("# Two pictures\n")
    return folder


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: x,
        lambda x: shrunk(x, 90, 200),
        lambda x: x[:, ::-1],
        lambda x: x[11:-11, 19:-19],
        lambda x: x[:-20, :-36],
        lambda x: x[20:, 36:, :][:, ::-1],
        lambda x: (x * 0.6 + 60).astype(np.uint8),
    ],
    ids=["itself", "shrunk", "mirrored", "cut", "top left", "mirrored right", "faint"],
)
def test_copies_of_what_is_kept_out_are_refused(clips: Path, copy) -> None:
    kept_out = KeepOut([clips])
    for seed, clip in ((0, "a.mp4"), (1, "b.png")):
        frames = [photograph(2), copy(photograph(seed))]
        seen = kept_out.watched(frames, "film.mkv")
        assert np.array_equal(next(seen), frames[0])
        with pytest.raises(InputError, match=rf"film.mkv, frame 1: looks like .*{clip}, frame 0"):
            next(seen)


def test_other_footage_passes_and_the_nearest_is_named(clips: Path) -> None:
    notes: list[str] = []
    kept_out = KeepOut([clips / "a.mp4", clips / "more"], notes.append)
    frames = [photograph(seed) for seed in range(2, 8)]
    assert len(list(kept_out.watched(frames, "film.mkv"))) == 6
    lines = kept_out.summary()
    assert [line.split(":")[0] for line in lines] == [f"{clips}/a.mp4", f"{clips}/more/b.png"]
    assert all("nearest is film.mkv, frame " in line for line in lines)
    assert notes == []


def test_black_frames_are_not_taken_for_copies(tmp_path: Path) -> None:
    black = np.zeros((90, 160, 3), np.uint8)
    write(tmp_path / "black.png", black)
    assert len(list(KeepOut([tmp_path / "black.png"]).watched([black] * 2, "film.mkv"))) == 2
    write(tmp_path / "photo.png", photograph(0))
    assert len(list(KeepOut([tmp_path]).watched([black] * 2, "film.mkv"))) == 2


def test_what_cannot_be_kept_out_is_told(clips: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    KeepOut([clips], notes.append)
    assert notes == [f"{clips}/README.md: no pictures, passed over"]
    with pytest.raises(InputError, match="cannot be decoded"):
        KeepOut([clips / "README.md"])
    with pytest.raises(InputError, match="absent.mp4"):
        KeepOut([clips / "absent.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no video and no picture"):
        KeepOut([tmp_path / "empty"])


def test_nothing_kept_out_costs_nothing() -> None:
    kept_out = KeepOut([])
    frames = [photograph(0)] * 2
    assert list(kept_out.watched(frames, "film.mkv")) == frames
    assert kept_out.summary() == []


def test_repeats_are_told_from_what_is_new() -> None:
    repeats = Repeats()
    first = photograph(0)
    noisy = first + np.random.default_rng(0).integers(0, 5, first.shape, dtype=np.uint8)
    assert repeats.is_new(first)
    assert not repeats.is_new(noisy)
    assert repeats.is_new(photograph(1))
    assert repeats.is_new(first[:, ::-1].copy())
