"""`kill -9` at any moment of a job: nothing half made, nothing lost, nothing left behind."""

from __future__ import annotations

import random
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked import Forked

FRAMES = 8
CONTENT = dict[str, bytes]
"""What a folder holds, by relative path."""


@dataclass(frozen=True)
class Case:
    """A kind of target, and what is there before the job."""

    target: str
    exists: bool
    before: str = ""
    """Statements that the process begins with."""
    sandbox: str = "off"


WITHOUT_UNNAMED_FILES = "import os; del os.O_TMPFILE"
CASES = {
    "new file": Case("out.mp4", exists=False),
    "old file": Case("out.mov", exists=True),
    "new file, hidden": Case("out.mov", exists=False, before=WITHOUT_UNNAMED_FILES),
    "old file, hidden": Case("out.mp4", exists=True, before=WITHOUT_UNNAMED_FILES),
    "new folder": Case("out/%03d.png", exists=False),
    "old folder": Case("out/%03d.png", exists=True),
    "one image": Case("out.png", exists=True),
    "sandbox": Case("out.mp4", exists=True, sandbox="on"),
}


class Killing:
    """Jobs of one case, one after the other."""

    def __init__(self, case: Case, folder: Path, vsr: Forked, source: Path) -> None:
        self._case, self._folder, self._vsr = case, folder, vsr
        self._target = folder / case.target
        end = "0.1" if case.target == "out.png" else "1"
        self._words = (
            "upscale", source, self._target, "--model", "lanczos", "--scale", "2", "--end", end,
            "--overwrite", "--sandbox-decode", case.sandbox,
        )  # fmt: skip
        self._old: CONTENT = {}
        self._new: CONTENT = {}
        assert vsr(*self._words, before=case.before).code == 0
        self._new = content(folder)
        assert len(self._new) == (FRAMES if "%" in case.target else 1)
        self._old = {name: b"old" for name in self._new} if case.exists else {}
        self._set_up()
        whole = vsr(*self._words, before=case.before)
        assert whole.code == 0 and content(folder, hidden=True) == self._new
        self.seconds, self.changes = whole.seconds, whole.changes
        self.killed = 0

    def check(self, **how: float) -> bool:
        """Kill a job and run the next one; whether the killed one's output was in its place."""
        self._set_up()
        killed = self._vsr(*self._words, before=self._case.before, **how)  # type: ignore[arg-type]
        assert killed.code in (0, -signal.SIGKILL), killed
        self.killed += killed.code != 0
        found = content(self._folder)
        assert found in (self._old, self._new), (how, found.keys())
        assert killed.code != 0 or found == self._new
        again = self._vsr(*self._words, before=self._case.before)
        assert again.code == 0, again
        everything = content(self._folder, hidden=True)
        assert everything.keys() == self._new.keys() and everything == self._new, how
        assert [path for path in self._vsr.temporary.rglob("*") if path.is_file()] == []
        return found == self._new

    def _set_up(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        for name, data in self._old.items():
            path = self._folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)


def content(folder: Path, hidden: bool = False) -> CONTENT:
    """Every file, those of hidden folders and hidden ones only if asked for."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in sorted(files.items())
        if hidden or not name.startswith(".vsr-")
    }


def killing(name: str, tmp_path: Path, vsr: Forked, source: Path) -> Killing:
    folder = tmp_path / "folder"
    folder.mkdir()
    return Killing(CASES[name], folder, vsr, source)


@pytest.mark.parametrize("name", CASES)
def test_kill_before_the_last_changes(name: str, tmp_path: Path, vsr: Forked, source: Path) -> None:
    """Just before and just after the move into place."""
    job = killing(name, tmp_path, vsr, source)
    tidying = FRAMES + 2 if name == "old folder" else 0  # what it removes after the move
    numbers = range(job.changes - 4 - tidying, job.changes - tidying + 1)
    done = [job.check(kill_before=number) for number in numbers]
    assert done[0] is False and done[-1] is True
    assert done == sorted(done)


@pytest.mark.parametrize("name", ["old file", "old file, hidden", "old folder"])
def test_kill_at_random_moments(name: str, tmp_path: Path, vsr: Forked, source: Path) -> None:
    job = killing(name, tmp_path, vsr, source)
    moments = random.Random(name)
    for _ in range(4):
        job.check(signal_after=moments.uniform(0, job.seconds))


@pytest.mark.release
@pytest.mark.timeout(3600)
def test_200_kills_at_random_moments(tmp_path: Path, vsr: Forked, source: Path) -> None:
    jobs = []
    for name in CASES:
        (tmp_path / name).mkdir()
        jobs.append(killing(name, tmp_path / name, vsr, source))
    moments = random.Random(200)
    tried = done = 0
    while (killed := sum(job.killed for job in jobs)) < 200:
        job = jobs[tried % len(jobs)]
        in_place = job.check(signal_after=moments.uniform(0, 1.3 * job.seconds))
        done += in_place and sum(job.killed for job in jobs) > killed
        tried += 1
    print(f"{killed} kills: {done} after the move into place, {killed - done} before; nothing lost")


@pytest.mark.release
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CASES)
def test_kill_before_every_change(name: str, tmp_path: Path, vsr: Forked, source: Path) -> None:
    job = killing(name, tmp_path, vsr, source)
    done = [job.check(kill_before=number) for number in range(1, job.changes + 1)]
    assert done == sorted(done)
    print(f"{name}: killed before each of {job.changes} changes of the file system")
