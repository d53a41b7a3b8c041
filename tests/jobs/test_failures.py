"""Parts of a job that fail at work: the encoder, a thread, memory, the folder of the output."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import clips
import pytest
import torch
from ffmpeg import raw_frames
from models import tiny_weights

import vsrcli
from vsrcli.errors import DeviceError, OutputError, VsrError
from vsrcli.jobs.report import Progress, Report
from vsrcli.media.encoders import EncodeOptions
from vsrcli.media.image_writer import ImageWriter
from vsrcli.media.writer import MovieWriter
from vsrcli.networks.tga_inference import TGAInference

FRAMES = 8
FAST = EncodeOptions(preset="ultrafast")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return clips.with_audio(tmp_path / "in" / "in.mp4", frames=FRAMES)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder of the output, empty."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def enlarge(source: Path, target: Path, model: str = "lanczos", **options: Any) -> Report:
    if target.suffix != ".png":
        options = {"encode": FAST, **options}
    return vsrcli.upscale(source, target, model, device="cpu", precision="fp32", **options)


def at_frame(number: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    """A progress callback that acts once so many frames are written."""

    def show(progress: Progress) -> None:
        if progress.frames == number:
            act()

    return show


def failing(function: Any, number: int, error: Exception) -> Any:
    """`function`, failing at its call of this number."""
    calls = 0

    def call(*words: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise error
        return function(*words, **more)

    return call


def stages() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name in ("decode", "encode")]


class Encoder:
    """An encoder like another one, which fails at a frame."""

    def __init__(self, inner: Any, number: int, error: Exception) -> None:
        self._inner = inner
        self.encode = failing(inner.encode, number, error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("number", [1, 5, FRAMES + 1])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (av.error.ExternalError(-542398533, "Generic error in an external library"), "Generic"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_encoder_that_fails(
    source: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: Exception,
    said: str,
) -> None:
    """At the first frame, in the middle, and when it is asked for what it holds back."""
    add = MovieWriter._add_video
    monkeypatch.setattr(
        MovieWriter, "_add_video", lambda *words: Encoder(add(*words), number, error)
    )
    target = out / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(OutputError) as raised:
        enlarge(source, target, overwrite=True)
    assert str(raised.value).startswith(f"{target} cannot be written: {said}")
    assert target.read_bytes() == b"old"
    assert [path.name for path in out.iterdir()] == ["out.mp4"]
    assert stages() == []


def test_an_image_encoder_that_fails(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ImageWriter.__init__

    def make(self: Any, *words: Any, **more: Any) -> None:
        made(self, *words, **more)
        error = av.error.ExternalError(-542398533, "Generic error in an external library")
        self._context = Encoder(self._context, 3, error)

    monkeypatch.setattr(ImageWriter, "__init__", make)
    target = out / "images" / "%02d.png"
    with pytest.raises(OutputError) as raised:
        enlarge(source, target)
    assert str(raised.value).startswith(f"{target} cannot be written: Generic error")
    assert list(out.iterdir()) == []


def test_an_encoder_that_loses_a_frame(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MovieWriter, "_mux", lose_one(MovieWriter._mux))
    with pytest.raises(OutputError, match=f"returned {FRAMES - 1} of {FRAMES} frames"):
        enlarge(source, out / "out.mp4")
    assert list(out.iterdir()) == []


def lose_one(mux: Any) -> Any:
    calls = 0

    def call(self: MovieWriter, packet: Any) -> None:
        nonlocal calls
        calls += 1
        if calls != 4:
            mux(self, packet)

    return call


@pytest.mark.parametrize("stage", ["decode", "restore", "encode"])
@pytest.mark.parametrize("error", [KeyError("lost"), SystemExit(3), KeyboardInterrupt()])
def test_a_stage_that_dies(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: BaseException
) -> None:
    """Its exception, of whatever kind, ends the job and the other stages."""
    from vsrcli.jobs.plane_route import PlaneRoute

    name = {"decode": "prepare", "restore": "_resampled"}.get(stage)
    if name is None:
        monkeypatch.setattr(MovieWriter, "write", failing(MovieWriter.write, 4, error))
    else:
        monkeypatch.setattr(PlaneRoute, name, failing(getattr(PlaneRoute, name), 4, error))
    with pytest.raises(type(error)) as raised:
        enlarge(source, out / "out.mkv")
    assert raised.value is error
    assert list(out.iterdir()) == []
    assert stages() == []


def test_a_stage_that_cannot_be_started(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one does not wait for it for ever."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "encode":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        enlarge(source, out / "out.mp4")
    assert list(out.iterdir()) == []
    assert stages() == []


def test_memory_that_suffices_for_smaller_tiles(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clips.clip(tmp_path / "wide.mkv", size=(160, 96), frames=2, codec="ffv1")
    weights = str(tiny_weights(tmp_path))
    enlarge(source, out / "whole.mkv", weights, encode=EncodeOptions(codec="ffv1"))
    features = TGAInference.frame_features

    def small(self: TGAInference, frames: torch.Tensor) -> torch.Tensor:
        if frames.shape[-2] * frames.shape[-1] > 120 * 96:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
        return features(self, frames)

    monkeypatch.setattr(TGAInference, "frame_features", small)
    report = enlarge(source, out / "out.mkv", weights, encode=EncodeOptions(codec="ffv1"))
    assert any(line.startswith("Memory ran out; went on with tiles") for line in report.warnings)
    wanted = raw_frames(out / "whole.mkv", "rgb24", 640, 384).astype(int)
    found = raw_frames(out / "out.mkv", "rgb24", 640, 384)
    assert wanted.shape == found.shape and abs(found - wanted).max() <= 1


def test_memory_that_never_suffices(
    tmp_path: Path, source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
    monkeypatch.setattr(TGAInference, "frame_features", always(error))
    with pytest.raises(DeviceError, match=r"even with tiles of \d+ pixels \(CUDA out of memory"):
        enlarge(source, out / "out.mp4", str(tiny_weights(tmp_path)))
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("where", ["to_rgb", "from_rgb"])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory.\nmore"), MemoryError()]
)
def test_memory_that_does_not_suffice_for_a_frame(
    tmp_path: Path,
    source: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    error: Exception,
) -> None:
    """Outside the network, where there is nothing to make smaller."""
    monkeypatch.setattr(f"vsrcli.jobs.picture_route.{where}", always(error))
    with pytest.raises(DeviceError) as raised:
        enlarge(source, out / "out.mp4", str(tiny_weights(tmp_path)))
    assert "\n" not in str(raised.value) and "Out of memory" in str(raised.value)
    assert list(out.iterdir()) == []


def always(error: Exception) -> Callable[..., Any]:
    def call(*words: Any, **more: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize("name", ["out.mp4", "images/%02d.png"])
def test_a_folder_that_vanishes(source: Path, out: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        enlarge(source, out / name, progress=at_frame(3, lambda: shutil.rmtree(out)))
    assert not out.exists()


@pytest.mark.parametrize("name", ["out.mp4", "images/%02d.png"])
def test_a_target_that_appears_is_kept(source: Path, out: Path, name: str) -> None:
    target = out / name if name == "out.mp4" else out / "images"

    def appear() -> None:
        if target.suffix:
            target.write_bytes(b"theirs")
        else:
            target.mkdir()
            (target / "01.png").write_bytes(b"theirs")

    with pytest.raises(OutputError, match="exists already|is not empty"):
        enlarge(source, out / name, progress=at_frame(3, appear))
    theirs = target if target.suffix else target / "01.png"
    assert theirs.read_bytes() == b"theirs"
    assert [path for path in out.rglob("*") if path.is_file()] == [theirs]


def test_the_network_is_not_loaded_for_a_target_that_is_taken(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two jobs is refused at once."""
    refused: list[VsrError] = []

    def second() -> None:
        monkeypatch.setattr("vsrcli.jobs.job.plan_job", always(AssertionError("planned")))
        with pytest.raises(OutputError, match="is being written by another vsr") as raised:
            enlarge(source, out / "out.mp4")
        refused.append(raised.value)

    enlarge(source, out / "out.mp4", progress=at_frame(3, second))
    assert len(refused) == 1
    assert len(raw_frames(out / "out.mp4", "gray", 256, 192)) == FRAMES
