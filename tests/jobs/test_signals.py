"""Ctrl-C, `kill` and a closed terminal at any moment: what is said of the output is true."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from ffmpeg import raw_frames
from forked import Ending, Forked

FRAMES = 8
NOTHING = "vsr: Interrupted; nothing was written"
KEPT = "vsr: Interrupted, but {} was whole already and is kept"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def enlarge(vsr: Forked, source: Path, target: Path, **how: object) -> Ending:
    words = ("upscale", source, target, "--model", "lanczos", "--scale", "2", "--overwrite")
    return vsr(*words, "--sandbox-decode", "off", **how)  # type: ignore[arg-type]


def in_the_middle_of(module: str, function: str, number: int) -> str:
    """Statements after which the signal comes while a function of a module is at work."""
    return (
        f"import os, {module} as module\n"
        f"function = module.{function}\n"
        f"def interrupted(*words):\n"
        f"    os.kill(os.getpid(), {number})\n"
        f"    return function(*words)\n"
        f"module.{function} = interrupted\n"
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_before_the_move(
    vsr: Forked, source: Path, tmp_path: Path, number: signal.Signals
) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    done = enlarge(vsr, source, target, before=in_the_middle_of("os", "fsync", number))
    assert (done.code, done.said) == (130, NOTHING)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", ["out.mp4", "out/%02d.png"])
def test_an_interrupt_in_the_move(
    vsr: Forked, source: Path, tmp_path: Path, number: signal.Signals, name: str
) -> None:
    """It is held back until the move is over, and then said as it is."""
    module = "vsrcli.media.output_folder" if "%" in name else "vsrcli.media.output"
    target = tmp_path / name
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.txt").touch()  # images are moved beside it, one by one
    done = enlarge(vsr, source, target, before=in_the_middle_of(module, "sync_folder", number))
    assert (done.code, done.said) == (130, KEPT.format(target))
    assert len(raw_frames(target, "gray", 128, 96)) == FRAMES
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_an_interrupt_when_all_is_done(vsr: Forked, source: Path, tmp_path: Path) -> None:
    before = in_the_middle_of("vsrcli.cli.job", "_told", signal.SIGINT)
    done = enlarge(vsr, source, tmp_path / "out.mp4", before=before)
    assert done.code == 0
    assert "Interrupted" not in done.said and f"{FRAMES} frames in" in done.said
    assert len(raw_frames(tmp_path / "out.mp4", "gray", 128, 96)) == FRAMES


def test_nohup(vsr: Forked, source: Path, tmp_path: Path) -> None:
    before = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    before += in_the_middle_of("os", "fsync", signal.SIGHUP)
    assert enlarge(vsr, source, tmp_path / "out.mp4", before=before).code == 0
    assert len(raw_frames(tmp_path / "out.mp4", "gray", 128, 96)) == FRAMES


def check_interrupts(vsr: Forked, source: Path, folder: Path, count: int) -> list[int]:
    """Interrupt jobs at random moments; their exit codes."""
    target = folder / "out.mp4"
    whole = enlarge(vsr, source, target)
    assert whole.code == 0
    new = target.read_bytes()
    moments = random.Random(130)
    codes = []
    for index in range(count):
        target.write_bytes(b"old")
        done = enlarge(
            vsr, source, target,
            signal=SIGNALS[index % 3], signal_after=moments.uniform(0.03, 1.05 * whole.seconds),
        )  # fmt: skip
        assert [path.name for path in folder.iterdir()] == ["out.mp4"]
        assert not [path for path in vsr.temporary.rglob("*") if path.is_file()]
        assert done.code in (0, 130), done
        if done.code == 130:
            assert done.said in (NOTHING, KEPT.format(target))
        kept = done.code == 0 or done.said == KEPT.format(target)
        assert target.read_bytes() == (new if kept else b"old")
        codes.append(done.code)
    return codes


def test_interrupts_at_random_moments(vsr: Forked, source: Path, tmp_path: Path) -> None:
    check_interrupts(vsr, source, tmp_path, 9)


@pytest.mark.release
@pytest.mark.timeout(3600)
def test_200_interrupts_at_random_moments(vsr: Forked, source: Path, tmp_path: Path) -> None:
    codes = check_interrupts(vsr, source, tmp_path, 200)
    print(f"200 interrupts: {codes.count(130)} jobs ended, {codes.count(0)} were done before")
