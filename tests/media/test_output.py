"""Outputs appear whole or not at all, and never in the place of something else."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vsrcli.errors import OutputError
from vsrcli.media import output
from vsrcli.media.output import AtomicOutput, check_output
from vsrcli.media.output_folder import AtomicFolder, check_output_folder


@pytest.fixture(params=["unnamed", "hidden"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of writing: a file without a name, and a hidden one where that is missing."""
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE")
    return str(request.param)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_appears(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out.mp4"
    with AtomicOutput(target) as path:
        path.write_bytes(b"whole")
        assert not target.exists()
        assert path.parent == (Path("/proc/self/fd") if way == "unnamed" else tmp_path)
    assert target.read_bytes() == b"whole"
    assert listing(tmp_path) == ["out.mp4"]


def test_permissions_follow_the_umask(tmp_path: Path, way: str) -> None:
    previous = os.umask(0o027)
    try:
        with AtomicOutput(tmp_path / "out.mp4") as path:
            path.write_bytes(b"whole")
    finally:
        os.umask(previous)
    assert (tmp_path / "out.mp4").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(tmp_path: Path, way: str, kind: type[BaseException]) -> None:
    with pytest.raises(kind), AtomicOutput(tmp_path / "out.mp4") as path:
        path.write_bytes(b"half")
        raise kind
    assert listing(tmp_path) == []


def test_overwriting_replaces_only_at_the_end(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), AtomicOutput(target, overwrite=True) as path:
        path.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    with AtomicOutput(target, overwrite=True) as path:
        path.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert listing(tmp_path) == ["out.mp4"]


def test_an_existing_file_is_refused_before_work_starts(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"out.mp4 exists already.*--overwrite"):
        AtomicOutput(target)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out.mp4"
    with pytest.raises(OutputError, match="exists already"), AtomicOutput(target) as path:
        path.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert listing(tmp_path) == ["out.mp4"]


def test_a_file_that_appears_at_the_last_instant_is_kept(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the move: only the system call itself can notice."""
    target = tmp_path / "out.mp4"
    job = AtomicOutput(target)
    with pytest.raises(OutputError, match="was made by another program"), job as path:
        path.write_bytes(b"ours")
        fsync = os.fsync

        def appear(descriptor: int) -> None:
            fsync(descriptor)
            monkeypatch.setattr(Path, "exists", lambda self: False)
            target.write_bytes(b"theirs")

        monkeypatch.setattr(os, "fsync", appear)
    monkeypatch.undo()
    assert target.read_bytes() == b"theirs"


@pytest.mark.parametrize("link", ["same", "hard", "symbolic", "spelling"])
def test_the_input_is_never_the_output(tmp_path: Path, link: str) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"precious")
    target = tmp_path / "out.mp4"
    if link == "hard":
        target.hardlink_to(source)
    elif link == "symbolic":
        target.symlink_to(source)
    elif link == "same":
        target = source
    else:
        target = tmp_path / ".." / tmp_path.name / "in.mp4"
    with pytest.raises(OutputError, match="is the input itself"):
        AtomicOutput(target, overwrite=True, inputs=[source])
    assert source.read_bytes() == b"precious"


def test_a_link_is_written_through(tmp_path: Path, way: str) -> None:
    real = tmp_path / "disk" / "real.mp4"
    real.parent.mkdir()
    link = tmp_path / "link.mp4"
    link.symlink_to(real)
    with AtomicOutput(link) as path:
        path.write_bytes(b"whole")
    assert link.is_symlink()
    assert real.read_bytes() == b"whole"


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"there is no folder .*missing; create it"):
        check_output(tmp_path / "missing" / "out.mp4")
    with pytest.raises(OutputError, match="is a folder: name a file in it"):
        check_output(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match="is not a regular file"):
        check_output(Path(os.devnull), overwrite=True)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputError, match="there is no folder"):
        check_output(file / "out.mp4")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OutputError, match="cannot be written"):
        check_output(loop / "out.mp4")


def test_a_folder_that_is_not_writable() -> None:
    """In a child that is no superuser: for that one permissions do not count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "closed"
        folder.mkdir(mode=0o555)
        Path(name).chmod(0o755)
        code = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from vsrcli.errors import OutputError\n"
            "from vsrcli.media.output import AtomicOutput\n"
            "if os.getuid() == 0: os.setuid(65534)\n"
            "try: AtomicOutput(Path(sys.argv[1]))\n"
            "except OutputError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder / "out.mp4")],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(output.__file__).parents[2])},
        )
    assert done.stdout.strip().endswith(f"the folder {folder} is not writable")


def test_two_jobs_to_one_target(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with AtomicOutput(target) as path:
        path.write_bytes(b"first")
        with pytest.raises(OutputError, match="is being written by another vsr"):
            AtomicOutput(tmp_path / "." / "out.mp4", overwrite=True).__enter__()
        with AtomicOutput(tmp_path / "other.mp4") as other:
            other.write_bytes(b"other")
    assert target.read_bytes() == b"first"
    with AtomicOutput(target, overwrite=True) as path:
        path.write_bytes(b"second")
    assert target.read_bytes() == b"second"


CHILD = """
import os, sys, time
from pathlib import Path
from vsrcli.media.output import AtomicOutput
from vsrcli.media.output_folder import AtomicFolder
if sys.argv[2] == "hidden":
    del os.O_TMPFILE
kind = AtomicFolder if sys.argv[2] == "folder" else AtomicOutput
with kind(Path(sys.argv[1])) as path:
    (path / "1.png" if sys.argv[2] == "folder" else path).write_bytes(b"x" * 100_000)
    print("writing", flush=True)
    time.sleep(60)
"""


def killed_child(target: Path, way: str) -> None:
    """Start a job to `target`, wait until it writes, and kill it."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(target), way],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(output.__file__).parents[2])},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def test_kill_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    killed_child(target, "unnamed")
    assert listing(tmp_path) == []
    with AtomicOutput(target) as path:
        path.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize("kind", ["hidden", "folder"])
def test_the_next_job_removes_what_kill_left(tmp_path: Path, kind: str) -> None:
    """Without unnamed files something must stay, but hidden, never at the target."""
    target = tmp_path / ("out" if kind == "folder" else "out.mp4")
    killed_child(target, kind)
    assert not target.exists()
    assert [name[:5] for name in listing(tmp_path)] == [".vsr-"]
    if kind == "folder":
        with AtomicFolder(target) as path:
            (path / "2.png").write_bytes(b"whole")
        assert listing(target) == ["2.png"]
    else:
        with AtomicOutput(target) as path:
            path.write_bytes(b"whole")
    assert listing(tmp_path) == [target.name]


def test_a_write_beyond_the_limit_leaves_nothing(tmp_path: Path, way: str) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"), AtomicOutput(tmp_path / "o.mp4") as path:
            path.write_bytes(bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert listing(tmp_path) == []


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "frames"
    target.mkdir()
    with AtomicFolder(target) as path:
        (path / "1.png").write_bytes(b"one")
        assert listing(target) == []
    assert listing(target) == ["1.png"]
    assert listing(tmp_path) == ["frames"]
    with pytest.raises(OutputError, match="is not empty"):
        AtomicFolder(target)
    with AtomicFolder(target, overwrite=True) as path:
        (path / "2.png").write_bytes(b"two")
    assert listing(target) == ["1.png", "2.png"]
    with pytest.raises(ValueError), AtomicFolder(tmp_path / "half") as path:
        (path / "1.png").write_bytes(b"one")
        raise ValueError
    assert listing(tmp_path) == ["frames"]


def test_folders_that_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    with pytest.raises(OutputError, match="is the input itself"):
        check_output_folder(source, overwrite=True, inputs=[source])
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_output_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="there is no folder"):
        check_output_folder(tmp_path / "a" / "b")
