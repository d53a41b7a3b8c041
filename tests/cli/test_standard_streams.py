"""Readers that leave, terminals that go, streams that are closed or full: real processes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import clips
import pytest
from ffmpeg import raw_frames

ROOT = Path(__file__).parents[2]
FRAMES = 8
TALKATIVE = (
    "import vsrcli.cli.progress as progress; progress._SECONDS_BETWEEN_LINES = 0.0;"
    "from vsrcli.cli.main import run; run()"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.with_audio(tmp_path_factory.mktemp("source") / "in.mp4", frames=FRAMES)


def shell(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `"$@"` is `vsr` with these words."""
    command = ["bash", "-c", script, "bash", sys.executable, "-c", TALKATIVE, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=120
    )


def enlarge(script: str, source: Path, target: Path, *options: str) -> int:
    """The exit code that `script` prints last, of a job of which nothing is said otherwise."""
    done = shell(script, "upscale", source, target, "--model", "lanczos", "--scale", "2", *options)
    assert done.stderr == ""
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize(
    ("script", "options", "code"),
    [
        ('exec 3>&1; { "$@" 2>&1; echo $? >&3; } | true', [], 0),
        ('exec 3>&1; { "$@" 2>&1; echo $? >&3; } | head -n 2 >/dev/null', [], 0),
        ('exec 3>&1; { "$@" 2>/dev/null; echo $? >&3; } | true', ["--json"], 1),
        ('"$@" 2>/dev/full; echo $?', [], 0),
        ('exec 3>&1; "$@" 0<&- 1>&- 2>&-; echo $? >&3', [], 0),
        ('exec 3>&1; "$@" 0<&- 1>&- 2>&-; echo $? >&3', ["--json"], 0),
    ],
    ids=["nobody reads", "head", "nobody reads the report", "full", "closed", "closed, report"],
)
def test_a_job_is_done_though_nobody_listens(
    source: Path, tmp_path: Path, script: str, options: list[str], code: int
) -> None:
    target = tmp_path / "out.mp4"
    assert enlarge(script, source, target, *options) == code
    assert len(raw_frames(target, "gray", 128, 96)) == FRAMES
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_nothing_said_ends_up_in_the_output(source: Path, tmp_path: Path) -> None:
    """With standard error closed, its number would be free for the output's descriptor."""
    words = ("upscale", source, tmp_path / "out.mp4", "--model", "lanczos", "--crf", "99")
    done = shell('exec 3>&1; "$@" 1>&- 2>&-; echo $? >&3', *words)
    assert (done.stdout, done.stderr) == ("2\n", "")
    assert list(tmp_path.iterdir()) == []


def test_messages_stay_out_of_the_report(source: Path, tmp_path: Path) -> None:
    words = ("upscale", source, tmp_path / "out.mp4", "--model", "lanczos", "--json")
    report = json.loads(shell('"$@" 2>&-', *words).stdout)
    assert report["frames"] == FRAMES


def test_a_reader_that_leaves(source: Path) -> None:
    done = shell('exec 3>&1; { "$@"; echo $? >&3; } | true', "probe", source, "--json")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_report_that_finds_no_room(source: Path) -> None:
    done = shell('"$@" >/dev/full; echo $?', "probe", source, "--json")
    assert done.stdout == "1\n"
    assert done.stderr == "vsr: Standard output cannot be written: No space left on device\n"


def test_a_terminal_that_is_gone(source: Path, tmp_path: Path) -> None:
    """Of a job that was told to outlive it: the bar falls silent, the output comes."""
    terminal, inside = pty.openpty()
    command = [sys.executable, "-c", TALKATIVE, "upscale", str(source), str(tmp_path / "out.mp4")]
    with subprocess.Popen(
        [*command, "--model", "lanczos", "--scale", "16"],
        stdout=subprocess.PIPE,
        stderr=inside,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
    ) as child:
        os.close(inside)
        assert os.read(terminal, 100)
        os.close(terminal)
        assert child.wait(timeout=60) == 0
    assert len(raw_frames(tmp_path / "out.mp4", "gray", 1024, 768)) == FRAMES
