"""What killed jobs left is removed, what running ones write is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from vsrcli.errors import OutputError
from vsrcli.media.claims import hidden_name, hold_new, is_hidden, lock
from vsrcli.media.output import AtomicOutput
from vsrcli.media.output_folder import AtomicFolder

LONG_AGO = time.time() - 7200


def abandoned(folder: Path, target: str, age: float) -> Path:
    """The hidden folder of images that a killed job to `target` left."""
    path = folder / hidden_name(folder / target)
    path.mkdir()
    (path / "1.png").write_bytes(b"half")
    os.utime(path, (age, age))
    return path


@pytest.mark.parametrize("kind", [AtomicOutput, AtomicFolder])
def test_the_next_job_to_a_folder_tidies_up(
    tmp_path: Path, kind: type[AtomicOutput | AtomicFolder]
) -> None:
    """At once what was meant for its own target; after an hour what was meant for others."""
    own = abandoned(tmp_path, "own", time.time())
    old = abandoned(tmp_path, "old", LONG_AGO)
    fresh = abandoned(tmp_path, "fresh", time.time())
    (tmp_path / ".vsr-notes").write_bytes(b"mine")
    with kind(tmp_path / "own"):
        assert not old.exists() and not (own / "1.png").exists()
        assert fresh.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [".vsr-notes", fresh.name, "own"]
    )


def test_what_a_running_job_writes_is_left(tmp_path: Path) -> None:
    """Even where nothing but its lock tells, such as one with another folder for locks."""
    with AtomicFolder(tmp_path / "running") as path:
        (path / "1.png").write_bytes(b"one")
        os.utime(path, (LONG_AGO, LONG_AGO))
        with AtomicOutput(tmp_path / "other.mp4") as other:
            other.write_bytes(b"other")
        assert (path / "1.png").read_bytes() == b"one"
    assert (tmp_path / "running" / "1.png").read_bytes() == b"one"


def test_a_second_job_without_the_same_folder_for_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vsrcli.media.claims._ATTEMPTS", 2)
    with AtomicFolder(tmp_path / "out") as path:
        (path / "1.png").write_bytes(b"one")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
        with pytest.raises(OutputError, match="is being written by another vsr"):
            AtomicFolder(tmp_path / "out").__enter__()
        monkeypatch.undo()
    assert (tmp_path / "out" / "1.png").read_bytes() == b"one"


def test_no_folder_for_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(OutputError, match="cannot be locked .*: No such file.*; set TMPDIR"):
        AtomicOutput(tmp_path / "out.mp4").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_hidden_name_is_short_whatever_the_target_is_called(tmp_path: Path) -> None:
    names = {hidden_name(tmp_path / name) for name in ("a", "b", "n" * 255, "x." + "y" * 253)}
    assert len(names) == 4
    assert all(is_hidden(name) and len(name) < 40 for name in names)
    assert not is_hidden(".vsr-notes") and not is_hidden("out.mp4")


def test_a_lock_is_there_as_long_as_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / hidden_name(tmp_path / "out")

    def make(path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    first = hold_new(path, tmp_path / "out", make)
    other = os.open(path, os.O_RDONLY)
    assert not lock(other)
    os.close(first)
    assert lock(other)
    os.close(other)


def test_images_of_the_same_names_are_replaced_in_one_step(tmp_path: Path) -> None:
    """And where other files are there too, those are left."""
    target = tmp_path / "out"
    target.mkdir(mode=0o750)
    (target / "1.png").write_bytes(b"old")
    before = target.stat().st_ino
    with AtomicFolder(target, overwrite=True) as path:
        for name in ("1.png", "2.png"):
            (path / name).write_bytes(b"new")
    assert {one.name: one.read_bytes() for one in target.iterdir()} == {
        "1.png": b"new", "2.png": b"new",
    }  # fmt: skip
    assert target.stat().st_ino != before and target.stat().st_mode & 0o777 == 0o750
    (target / "note.txt").write_bytes(b"mine")
    before = target.stat().st_ino
    with AtomicFolder(target, overwrite=True) as path:
        (path / "1.png").write_bytes(b"newer")
    assert target.stat().st_ino == before
    assert {one.name: one.read_bytes() for one in target.iterdir()} == {
        "1.png": b"newer", "2.png": b"new", "note.txt": b"mine",
    }  # fmt: skip
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
