"""Decoding in a process of its own: the same frames, and what happens when that process breaks."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest

from vsrcli.errors import InputError
from vsrcli.jobs.job import run_job
from vsrcli.jobs.options import JobOptions, TargetSize
from vsrcli.media.images import open_source, probe_source
from vsrcli.media.reader import FrameSource
from vsrcli.media.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def sources(folder: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Files, and options of `open_source`."""
    images = clips.images(folder / "images", "%03d.png", "rgb48be")
    b_frames = clips.b_frames(folder / "b.mp4")
    alpha = clips.clip(folder / "a.mov", codec="qtrle", pix_fmt="argb", frames=4)
    return {
        "b-frames": (b_frames, {}),
        "cut": (b_frames, {"start": Fraction("0.4"), "end": Fraction("1.2")}),
        "ten bits": (clips.ten_bit(folder / "ten.mkv"), {}),
        "odd": (clips.odd_size(folder / "odd.mkv"), {}),
        "alpha": (alpha, {}),
        "interlaced": (clips.interlaced(folder / "i.mp4"), {"deinterlace": "on"}),
        "smashed": (clips.smashed(b_frames, folder / "smashed.mp4", 0.5), {}),
        "changing": (clips.changing_size(folder / "c.ts"), {}),
        "images": (images, {"fps": Fraction(24)}),
    }


def told(source: FrameSource) -> list[object]:
    return [source.lost, source.notes, source.warnings, source.losses, source.splices]


def test_the_frames_are_the_same(tmp_path: Path) -> None:
    for name, (path, options) in sources(tmp_path).items():
        looking = {"fps": options["fps"]} if "fps" in options else {}
        reading = {key: value for key, value in options.items() if key != "fps"}
        info = probe_source(str(path), **looking)
        with open_source(path, info=info, **options) as source:
            expected = list(source)
            said = told(source)
        with Sandbox() as sandbox:
            assert sandbox.probe(str(path), **looking) == info, name
            with sandbox.open(info, **reading) as source:
                assert source.time_base == expected[0].time_base
                found = list(source)
                assert told(source) == said, name
        assert len(found) == len(expected) > 1, name
        for ours, theirs in zip(found, expected, strict=True):
            assert (ours.pts, ours.duration, ours.time_base, ours.format) == (
                theirs.pts,
                theirs.duration,
                theirs.time_base,
                theirs.format,
            )
            for one, other in zip(ours.planes, theirs.planes, strict=True):
                assert isinstance(one, np.ndarray) and one.dtype == other.dtype
                assert np.array_equal(one, other), name


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_in_the_middle_is_an_error(tmp_path: Path, number: signal.Signals) -> None:
    source = clips.with_audio(tmp_path / "in.mp4", frames=60)
    target = tmp_path / "out" / "out.mkv"
    target.parent.mkdir()
    options = JobOptions(model="lanczos", target=TargetSize(scale=Fraction(2)))
    with Sandbox() as sandbox:

        def crash(*_: object) -> None:
            sandbox._process.send_signal(number)

        with pytest.raises(InputError) as caught:
            run_job(str(source), target, options, crash, sandbox)
    assert str(caught.value) == (
        f"{source}: its decoder crashed ({number.name}): it is damaged or hostile"
    )
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_the_beginning_is_an_error(tmp_path: Path, moment: str) -> None:
    """Before the file was looked at, and after that."""
    source = clips.clip(tmp_path / "in.mp4")
    with Sandbox() as sandbox, pytest.raises(InputError, match="its decoder crashed"):  # noqa: PT012
        if moment == "after":
            info = sandbox.probe(str(source))
        os.kill(sandbox._process.pid, signal.SIGSEGV)
        sandbox._process.wait()
        if moment == "before":
            sandbox.probe(str(source))
        else:
            sandbox.open(info)


def test_refusals_come_through(tmp_path: Path) -> None:
    for name, content in (("none.mp4", None), ("empty.mp4", b""), ("text.mp4", b"text\n" * 9)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as plain:
            probe_source(str(path))
        with Sandbox() as sandbox, pytest.raises(InputError) as far:
            sandbox.probe(str(path))
        assert str(far.value) == str(plain.value)


def test_modules_in_the_current_folder_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone may have put some beside the video."""
    source = clips.clip(tmp_path / "in.mp4")
    canary = tmp_path / "canary"
    for name in ("av", "numpy", "vsrcli", "contextlib", "mmap", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(canary)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    with Sandbox() as sandbox:
        assert sandbox.probe("in.mp4").video.width == clips.WIDTH
    assert source.exists() and not canary.exists()


def index_bomb(path: Path, samples: int) -> Path:
    """A MOV of 3 KB that claims so many samples of a byte: libavformat lists them all."""
    clips.clip(path, codec="mpeg4", frames=3)
    data = bytearray(path.read_bytes())
    sizes, chunks = data.index(b"stsz"), data.index(b"stsc")
    data[sizes + 8 : sizes + 16] = struct.pack(">II", 1, samples)
    data[chunks + 12 : chunks + 24] = struct.pack(">III", 1, samples, 1)
    path.write_bytes(data)
    return path


@pytest.mark.skipif((os.cpu_count() or 1) > 8, reason="the threads of so many may take more")
def test_memory_is_bounded(tmp_path: Path) -> None:
    """60 million samples would take 2 GiB and more."""
    bomb = index_bomb(tmp_path / "bomb.mov", 60_000_000)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with Sandbox(64 << 20) as sandbox, pytest.raises(InputError, match=r"bomb\.mov"):
        sandbox.probe(str(bomb))
    most = (128 << 10) + (64 << 10) + (96 << 10) * (os.cpu_count() or 1)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before + 1, most)
    with Sandbox() as sandbox:  # whose limit does not reach ordinary files
        assert sandbox.probe(str(clips.clip(tmp_path / "plain.mp4"))).video.width == clips.WIDTH


ORPHAN = """
import os, signal, sys
from vsrcli.media.sandbox import Sandbox
sandbox = Sandbox()
info = sandbox.probe(sys.argv[1])
frames = iter(sandbox.open(info))
next(frames)
print(sandbox._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_does_not_outlive_its_job(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=200)
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(source)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    stop = time.monotonic() + 30
    while Path(f"/proc/{int(done.stdout)}").exists():
        assert time.monotonic() < stop
        time.sleep(0.05)
