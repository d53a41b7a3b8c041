"""VMAF through a pipe, beside ffmpeg called on files."""

from __future__ import annotations

import json
from pathlib import Path

import imageio_ffmpeg
import pytest
import torch
from clips import clip
from ffmpeg import ffmpeg

from vsrcli.errors import VsrError
from vsrcli.media.color import to_rgb
from vsrcli.media.images import open_source
from vsrcli.quality.vmaf import MODEL, Vmaf, vmaf_is_available

ODD = (
    "format=gbrp,crop=101:63:exact=1,scale=out_color_matrix=bt709,format=yuv444p,"
    "setparams=range=limited:colorspace=bt709"
)


def read(path: Path) -> list[torch.Tensor]:
    with open_source(path) as source:
        color = source.info.video.color
        return [to_rgb([*map(torch.from_numpy, f.planes)], f.format, color) for f in source]


def test_equals_ffmpeg_on_files(tmp_path: Path) -> None:
    truth, restored = (
        clip(
            tmp_path / f"{name}.mkv", frames=5, size=(120, 80), codec="ffv1", pix_fmt="yuv444p",
            video_filter=f"{blur},{ODD}",
        )
        for name, blur in (("truth", "null"), ("restored", "gblur=sigma=1.5"))
    )  # fmt: skip
    log = tmp_path / "log.json"
    ffmpeg(
        "-i", restored, "-i", truth, "-lavfi",
        f"libvmaf=model=version={MODEL}:log_fmt=json:log_path={log}", "-f", "null", "-",
    )  # fmt: skip
    expected = [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]
    with Vmaf(101, 63) as vmaf:
        for pair in zip(read(restored), read(truth), strict=True):
            vmaf.add(*pair)
        assert vmaf.scores() == pytest.approx(expected, abs=1e-4)
    assert len(expected) == 5 and 0 < min(expected) < max(expected) < 90


def test_the_truth_is_best() -> None:
    picture = torch.rand(3, 40, 50)
    with Vmaf(50, 40) as vmaf:
        vmaf.add(picture, picture)
        assert vmaf.scores()[0] > 95


def test_a_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsrcli.quality.vmaf.MODEL", "vmaf_v9")
    with Vmaf(64, 64) as vmaf, pytest.raises(VsrError, match="ffmpeg failed at VMAF: .*vmaf_v9"):
        for _ in range(200):
            vmaf.add(torch.zeros(3, 64, 64), torch.zeros(3, 64, 64))
        vmaf.scores()


def test_an_ffmpeg_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> str:
        raise RuntimeError("No ffmpeg exe could be found")

    assert vmaf_is_available()
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", absent)
    vmaf_is_available.cache_clear()
    assert not vmaf_is_available()
    vmaf_is_available.cache_clear()
