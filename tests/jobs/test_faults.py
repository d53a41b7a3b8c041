"""Jobs that are interrupted, killed, or run out of disk, as real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import clips
import pytest
from ffmpeg import describe, raw_frames, video_times

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
TALKATIVE = (
    "import vsrcli.cli.progress as progress; progress._SECONDS_BETWEEN_LINES = 0.0;"
    "from vsrcli.cli.main import run; run()"
)
"""The command, saying after each frame how far it is."""


def start(*words: object, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """`vsr upscale` with the cheapest model, running."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", TALKATIVE, "upscale", *map(str, words), "--model", "lanczos"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=before,
        start_new_session=True,
    )


def start_and_signal(number: signal.Signals, *words: object, times: int = 1) -> tuple[int, str]:
    """Send the signal once five frames are written; exit code and what came on stderr after.

    It goes to the job and to its own children, as that of a terminal does; SIGKILL to it alone.
    """
    with start(*words) as child:
        assert child.stderr is not None
        for _ in range(5):
            assert "frames" in child.stderr.readline()
        for _ in range(times):
            if number == signal.SIGKILL:
                child.kill()
            else:
                os.killpg(child.pid, number)
            time.sleep(0.01)
        _, said = child.communicate(timeout=60)
    return child.returncode, said


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds of work at 16 times the size."""
    return clips.with_audio(tmp_path_factory.mktemp("long") / "in.mp4", frames=600)


def targets(folder: Path) -> list[Path]:
    return [folder / "out.mp4", folder / "images" / "%06d.png"]


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_leaves_nothing(
    long_clip: Path, tmp_path: Path, number: signal.Signals, index: int
) -> None:
    code, said = start_and_signal(number, long_clip, targets(tmp_path)[index], "--scale", "16")
    assert code == 130
    lines = [line for line in said.splitlines() if " frames, " not in line]
    assert lines == ["vsr: Interrupted; nothing was written"]
    assert list(tmp_path.iterdir()) == []


def test_an_impatient_user_breaks_nothing(long_clip: Path, tmp_path: Path) -> None:
    """Further interrupts, while the first is being answered."""
    words = (long_clip, tmp_path / "out.mkv", "--scale", "16", "--codec", "hevc")
    code, said = start_and_signal(signal.SIGINT, *words, times=5)
    assert code == 130
    assert said.splitlines()[-1] == "vsr: Interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("index", [0, 1])
def test_kill_leaves_nothing_to_see_and_the_next_run_works(
    long_clip: Path, tmp_path: Path, index: int
) -> None:
    target = targets(tmp_path)[index]
    code, _ = start_and_signal(signal.SIGKILL, long_clip, target, "--scale", "16")
    assert code == -signal.SIGKILL
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    with start(long_clip, target, "--end", "0.5") as child:
        _, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4" if index == 0 else "images"]
    assert len(raw_frames(target, "gray", 256, 192)) == 5


def test_an_interrupted_overwrite_keeps_what_was_there(long_clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    words = (long_clip, target, "--scale", "16", "--overwrite")
    code, _ = start_and_signal(signal.SIGINT, *words)
    assert code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert target.read_text() == "precious"


def test_two_jobs_to_one_target_do_not_mix(long_clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with start(long_clip, target, "--scale", "16") as first:
        assert first.stderr is not None
        first.stderr.readline()
        with start(long_clip, target, "--end", "0.5") as second:
            _, said = second.communicate(timeout=60)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    assert second.returncode == 1
    assert "is being written by another vsr" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "images/%06d.png"])
def test_full_disk_is_one_line(long_clip: Path, tmp_path: Path, name: str) -> None:
    """A limit on file sizes stands in for it: writes fail in the middle just the same."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    # The limit would hold for the memory that a sandbox shares, too.
    words = (long_clip, tmp_path / name, "--scale", "4", "--end", "3", "--sandbox-decode", "off")
    with start(*words, before=limit) as child:
        out, said = child.communicate(timeout=60)
    assert child.returncode == 1
    lines = [line for line in said.splitlines() if " frames, " not in line]
    assert len(lines) == 1, said
    assert lines[0].startswith(f"vsr: {tmp_path / name} cannot be written: ")
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_source_is_never_touched(long_clip: Path, tmp_path: Path) -> None:
    before = (long_clip.read_bytes(), long_clip.stat().st_mtime_ns)
    with start(long_clip, tmp_path / "out.mkv", "--end", "1") as child:
        child.communicate(timeout=60)
    assert child.returncode == 0
    assert len(video_times(tmp_path / "out.mkv")) == 10
    assert "Audio: aac" in describe(tmp_path / "out.mkv")
    assert (long_clip.read_bytes(), long_clip.stat().st_mtime_ns) == before
