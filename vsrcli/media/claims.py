"""Who writes what: locks that end with their process, and hidden files that nobody sees.

A target is claimed by a lock file in the folder for temporary files. What is hidden beside a
target is locked itself, so that a job can tell what another one is writing from what a killed one
left, even where the two do not share that folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vsrcli.errors import OutputError

_HIDDEN = re.compile(r"\.vsr-[0-9a-f]{24}")

_ABANDONED_AFTER = 3600
"""Seconds without a change after which an unlocked hidden file is nobody's: some network file
systems do not tell the locks of other machines."""

_ATTEMPTS = 40
_PAUSE = 0.05
"""Seconds between attempts at a hidden name: another job may be looking whether it is abandoned."""


@contextlib.contextmanager
def claimed(target: Path, shown: Path) -> Iterator[None]:
    """Keep other jobs of this user from writing `target`; released even by `kill -9`.

    `target` is resolved, `shown` is how errors call it. OutputError when another job has it.
    """
    try:
        # Python's own way of finding this folder writes a file there to try it.
        folder = Path(os.environ.get("TMPDIR") or "/tmp") / f"vsr-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{_digest(target)}.lock"
        descriptor = _open_locked(path)
    except BlockingIOError as error:
        raise _taken(shown) from error
    except OSError as error:
        raise OutputError(
            f"{shown} cannot be locked in the folder for temporary files: {error.strerror};"
            " set TMPDIR to another one"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def hidden_name(target: Path) -> str:
    """The hidden name of `target`, the same for every job and short whatever that is called."""
    return f".vsr-{_digest(target)}"


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is no output but one in the making."""
    return _HIDDEN.fullmatch(name) is not None


def hold_new(hidden: Path, shown: Path, make: Callable[[Path], int]) -> int:
    """A descriptor of the new file or folder `hidden`, which nobody removes while it is open.

    `make` creates it, or raises FileExistsError. The target must be claimed: what is there and not
    locked is what a killed job left. OutputError when another job writes it after all, OSError
    when it cannot be made.
    """
    for _ in range(_ATTEMPTS):
        _remove_abandoned(hidden, claimed=True)
        with contextlib.suppress(FileExistsError):
            descriptor = make(hidden)
            if lock(descriptor) and _is_at(descriptor, hidden):
                return descriptor
            os.close(descriptor)
        time.sleep(_PAUSE)
    raise _taken(shown)


def lock(descriptor: int) -> bool:
    """Lock a file or folder for as long as it is open; False when another one has locked it.

    True also where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def sweep(hidden: Path) -> None:
    """Remove what killed jobs left: `hidden`, whose target must be claimed, and old things beside
    it that were meant for other targets."""
    with contextlib.suppress(OSError):
        for path in hidden.parent.iterdir():
            if is_hidden(path.name):
                _remove_abandoned(path, claimed=path == hidden)


def _remove_abandoned(path: Path, *, claimed: bool) -> None:
    """Remove a hidden file or folder that no job has open, if its target is `claimed` at once."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # there is none, or it is another user's
        return
    try:
        if not lock(descriptor):
            return
        status = os.fstat(descriptor)
        old = time.time() - status.st_mtime > _ABANDONED_AFTER
        if claimed or (old and status.st_uid == os.getuid()):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        os.close(descriptor)


def _digest(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target)).hexdigest()[:24]


def _open_locked(path: Path) -> int:
    """A descriptor of the lock file, locked; BlockingIOError when another one holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        # Its last owner may have removed the name between our opening and our locking.
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether what is open still has the name `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _taken(shown: Path) -> OutputError:
    return OutputError(
        f"{shown} is being written by another vsr: wait for it or choose another output"
    )
