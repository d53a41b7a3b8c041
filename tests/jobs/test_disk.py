"""Disks that are full, read-only, or mounted where the output goes: small ones in memory.

They are mounted in a namespace of their own, which most systems allow everybody. Where not, the
limit on file sizes in `test_faults` stands in for the full disk.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import clips
import pytest
from ffmpeg import raw_frames
from forked import Ending, Forked

FRAMES = 30
NAMESPACE = ("unshare", "--map-root-user", "--mount")
HIDDEN = "import os; del os.O_TMPFILE\n"
PAGE = 4096


class Disk:
    """A file system in memory, and commands that see it."""

    def __init__(self, vsr: Forked, folder: Path) -> None:
        self.vsr, self.folder = vsr, folder
        self.inside = vsr.seen(folder)

    def used(self) -> int:
        """Bytes that its files take, in whole pages."""
        files = [path for path in self.inside.rglob("*") if path.is_file()]
        return sum(-(-path.stat().st_size // PAGE) * PAGE for path in files)

    def content(self) -> dict[str, bytes]:
        files = [path for path in self.inside.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.inside)): path.read_bytes() for path in files}

    def mount(self, options: str) -> None:
        """Mount it anew, empty."""
        mount = f"mount -t tmpfs -o {options} tmpfs {self.folder}"
        command = f"umount {self.folder} 2>/dev/null; {mount}"
        done = self.vsr("--version", before=f"import os; assert os.system('{command}') == 0")
        assert done.code == 0, done

    def again(self, options: str) -> None:
        """Change what is mounted."""
        command = f"mount -o remount,{options} {self.folder}"
        done = self.vsr("--version", before=f"import os; assert os.system('{command}') == 0")
        assert done.code == 0, done


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("disk")
    with Forked(tmp_path_factory.mktemp("forked"), *NAMESPACE) as vsr:
        yield Disk(vsr, folder)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.with_audio(tmp_path_factory.mktemp("source") / "in.mp4", frames=FRAMES)


def enlarge(disk: Disk, source: Path, name: str, *options: str, before: str = "") -> Ending:
    target = disk.folder / name
    words = ("upscale", source, target, "--model", "lanczos", "--scale", "4")
    return disk.vsr(*words, "--sandbox-decode", "off", *options, before=before)


@pytest.mark.parametrize(
    ("name", "before"),
    [("out.mp4", ""), ("out.mkv", HIDDEN), ("out.mov", ""), ("out/%03d.png", "")],
)
def test_full_disk(disk: Disk, source: Path, name: str, before: str) -> None:
    """Whatever it is that does not fit any more: the head, a frame, or the last page."""
    disk.mount("size=20m")
    assert enlarge(disk, source, name, before=before).code == 0
    whole, needed = disk.content(), disk.used()
    assert len(whole) == (FRAMES if "%" in name else 1)
    for room in (PAGE, needed // 3, needed // 2, needed - 4 * PAGE, needed - PAGE):
        disk.mount(f"size={room}")
        done = enlarge(disk, source, name, before=before)
        assert done.code == 1, (room, needed)
        shown = disk.folder / name
        wanted = f"vsr: {shown} cannot be written: the disk is full; free some space there"
        assert done.said == wanted
        assert list(disk.inside.iterdir()) == []


@pytest.mark.parametrize(("name", "before"), [("out.mp4", ""), ("out.mp4", HIDDEN)])
def test_full_disk_keeps_the_old_file(disk: Disk, source: Path, name: str, before: str) -> None:
    disk.mount("size=64k")
    (disk.inside / name).write_bytes(b"old" * 10_000)
    done = enlarge(disk, source, name, "--overwrite", before=before)
    assert done.code == 1 and "the disk is full" in done.said
    assert disk.content() == {name: b"old" * 10_000}
    disk.again("size=20m")
    assert enlarge(disk, source, name, "--overwrite", before=before).code == 0
    assert list(disk.content()) == [name]
    assert len(raw_frames(disk.inside / name, "gray", 256, 192)) == FRAMES


def test_full_disk_keeps_the_old_images(disk: Disk, source: Path) -> None:
    disk.mount("size=200k")
    (disk.inside / "out").mkdir()
    for number in (1, 2):
        (disk.inside / "out" / f"{number:03}.png").write_bytes(b"old")
    done = enlarge(disk, source, "out/%03d.png", "--overwrite")
    assert done.code == 1 and "the disk is full" in done.said
    assert disk.content() == {"out/001.png": b"old", "out/002.png": b"old"}
    assert [path.name for path in disk.inside.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["out.mp4", "out/%03d.png", "there.mp4"])
def test_read_only_disk(disk: Disk, source: Path, name: str) -> None:
    disk.mount("size=20m")
    (disk.inside / "there.mp4").write_bytes(b"old")
    disk.again("ro")
    done = enlarge(disk, source, name, "--overwrite")
    assert done.code == 1
    shown = disk.folder / name.partition("/%")[0]
    assert done.said == f"vsr: {shown} cannot be written: the folder {disk.folder} is not writable"
    assert disk.content() == {"there.mp4": b"old"}


@pytest.mark.parametrize("before", ["", HIDDEN])
def test_images_into_the_root_of_a_disk(disk: Disk, source: Path, before: str) -> None:
    """Such as a volume of a container: it cannot be replaced, and beside it is another disk."""
    disk.mount("size=20m")
    for _ in range(2):
        done = enlarge(disk, source, "%03d.png", "--overwrite", before=before)
        assert done.code == 0, done
        names = [f"{number:03}.png" for number in range(1, FRAMES + 1)]
        assert sorted(disk.content()) == names
    (disk.inside / "note.txt").write_bytes(b"mine")
    assert enlarge(disk, source, "%03d.png", "--end", "1").code == 1
    done = enlarge(disk, source, "%03d.png", "--overwrite", before=before)
    assert done.code == 0
    assert sorted(disk.content()) == [*names, "note.txt"]
    assert sorted(path.name for path in disk.inside.iterdir()) == [*names, "note.txt"]


def test_a_full_disk_without_room_for_a_lock(disk: Disk, source: Path, tmp_path: Path) -> None:
    disk.mount("size=20m,nr_inodes=2")
    (disk.inside / "file").touch()
    before = f"import os; os.environ['TMPDIR'] = {str(disk.folder)!r}"
    target = tmp_path / "out.mp4"
    done = disk.vsr("upscale", source, target, "--model", "lanczos", before=before)
    assert done.code == 1
    assert "cannot be locked in the folder for temporary files: No space left" in done.said
    assert done.said.count("\n") == 0
    assert list(tmp_path.iterdir()) == []
