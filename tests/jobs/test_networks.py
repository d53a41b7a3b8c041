"""Every network from file to file, with small weights made here."""

from __future__ import annotations

from pathlib import Path

import clips
import numpy as np
import pytest
import torch
from ffmpeg import ffmpeg, packet_hashes, raw_frames, video_times
from models import tiny_weights

import vsrcli
from vsrcli.errors import UsageError, WeightsError
from vsrcli.media.encoders import EncodeOptions

LOSSLESS = EncodeOptions(codec="ffv1")
SCALES = {"tga": 4, "fstrn": 4, "spmc": 2, "stfan": 1, "basicvsr": 4}


def restore(name: str, source: Path, target: Path, weights: Path, **options):  # type: ignore[no-untyped-def]
    job = vsrcli.deblur if name == "stfan" else vsrcli.upscale
    options = {"encode": LOSSLESS, "precision": "fp32", **options}
    return job(source, target, name, weights=weights, device="cpu", **options)


@pytest.mark.parametrize("name", SCALES)
def test_file_to_file_equals_the_network_on_the_whole_clip(name: str, tmp_path: Path) -> None:
    """An odd size is padded for the network and cut off again; sound and times stay."""
    weights = tiny_weights(tmp_path, name=name)
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(6, size=(42, 26)), "-f", "lavfi",
        "-i", "sine=duration=0.6", "-c:v", "ffv1", "-pix_fmt", "gbrp", "-c:a", "aac", source,
    )  # fmt: skip
    report = restore(name, source, tmp_path / "out.mkv", weights)
    scale = SCALES[name]
    assert report.output_size == (42 * scale, 26 * scale)
    assert report.frames == 6
    assert video_times(tmp_path / "out.mkv") == pytest.approx(video_times(source))
    assert packet_hashes(tmp_path / "out.mkv", "0:a:0") == packet_hashes(source, "0:a:0")

    frames = raw_frames(source, "rgb24", 42, 26)
    restorer = vsrcli.load(name, weights, "cpu", "fp32")
    wanted = torch.stack(list(restorer.stream(list(frames)))).permute(0, 2, 3, 1)
    found = raw_frames(tmp_path / "out.mkv", "rgb24", 42 * scale, 26 * scale)
    assert np.abs(found - (255 * wanted).clamp(0, 255).numpy()).max() <= 0.51
    if scale == 1:
        assert np.abs(found.astype(int) - frames).mean() > 1, "the network must do something"


@pytest.mark.parametrize("name", ["fstrn", "spmc", "stdan", "stfan", "basicvsr"])
@pytest.mark.parametrize(("frames", "size"), [(1, "16x16"), (2, "6x4"), (3, "2x2")])
def test_short_clips_of_small_frames(name: str, frames: int, size: str, tmp_path: Path) -> None:
    """Fewer frames than the network wants at once, smaller ones than its size multiple."""
    weights = tiny_weights(tmp_path, name=name)
    width, height = map(int, size.split("x"))
    source = clips.clip(
        tmp_path / "in.mkv", codec="ffv1", frames=frames, size=(width, height), pix_fmt="yuv444p"
    )
    report = restore(name, source, tmp_path / "out.mkv", weights)
    scale = {**SCALES, "stdan": 4}[name]
    assert report.frames == (2 * frames - 1 if name == "stdan" else frames)
    made = raw_frames(tmp_path / "out.mkv", "rgb24", width * scale, height * scale)
    assert len(made) == report.frames
    assert np.std(made) > 0


@pytest.mark.parametrize("name", ["fstrn", "spmc", "stdan"])
def test_without_weights_nothing_runs(name: str, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("vsrcli.zoo.catalogue.catalogue", dict)
    source = clips.clip(tmp_path / "in.mkv", frames=1)
    with pytest.raises(WeightsError, match=f"No weights of {name} .*vsr train {name}"):
        vsrcli.upscale(source, tmp_path / "out.mkv", name, device="cpu")
    assert not (tmp_path / "out.mkv").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mkv", frames=1)
    weights = tiny_weights(tmp_path, name="fstrn")
    with pytest.raises(WeightsError, match="holds weights of fstrn, not of stdan"):
        vsrcli.upscale(source, tmp_path / "out.mkv", "stdan", weights=weights, device="cpu")


def test_each_verb_takes_its_own_models(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mkv", frames=1)
    stfan = tiny_weights(tmp_path, name="stfan")
    with pytest.raises(UsageError, match="stfan deblurs; use vsr deblur"):
        vsrcli.upscale(source, tmp_path / "out.mkv", "stfan", weights=stfan, device="cpu")
    with pytest.raises(UsageError, match="lanczos enlarges; use vsr upscale"):
        vsrcli.deblur(source, tmp_path / "out.mkv", "lanczos", device="cpu")
    with pytest.raises(UsageError, match="nothing from frame to frame"):
        vsrcli.upscale(source, tmp_path / "out.mkv", "lanczos", reset_every=20, device="cpu")


def test_deblurred_file_stands_beside_its_source(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "my clip.mov", frames=2, size=(16, 16))
    weights = tiny_weights(tmp_path, name="stfan")
    report = vsrcli.deblur(source, weights=weights, device="cpu")
    assert Path(report.output) == tmp_path / "my clip.deblurred.mov"
    assert Path(report.output).is_file()
    assert report.output_size == (16, 16)
    with pytest.raises(UsageError, match="Name an output"):
        vsrcli.deblur(tmp_path, weights=weights, device="cpu")


def test_state_is_reset_where_asked(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path, name="stfan")
    frames = list(torch.rand(6, 3, 16, 16))
    plain = list(vsrcli.load("stfan", weights, "cpu", "fp32").stream(frames))
    reset = list(vsrcli.load("stfan", weights, "cpu", "fp32", reset_every=3).stream(frames))
    again = list(vsrcli.load("stfan", weights, "cpu", "fp32").stream(frames[3:]))
    assert torch.equal(torch.stack(reset[:3]), torch.stack(plain[:3]))
    assert torch.equal(torch.stack(reset[3:]), torch.stack(again))
    assert not torch.equal(torch.stack(reset[3:]), torch.stack(plain[3:]))
