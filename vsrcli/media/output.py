"""Outputs that appear at their target whole, or not at all.

A file is written where nobody sees it and linked into place at the end. On Linux that place has
no name (`O_TMPFILE`), so even `kill -9` leaves nothing behind; where the file system has no such
files it is a hidden one beside the target, which the next job to the same target removes.
Folders always take the second way.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from vsrcli.errors import OutputError

_UNNAMED_FILES_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}
"""What a file system or an old kernel answers to O_TMPFILE."""

_HARD_LINKS_UNSUPPORTED = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}


def check_output(target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Raise OutputError unless a file may be written at `target`.

    `inputs` are never overwritten, by whatever name, link or spelling `target` reaches them.
    """
    _check_parent(target)
    _check_not_input(target, inputs)
    if target.is_dir():
        raise OutputError(f"{target} is a folder: name a file in it, such as {target / 'out.mp4'}")
    if target.exists() and not target.is_file():
        raise OutputError(f"{target} is not a regular file: choose another output")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already: choose another output or add --overwrite")


def check_output_folder(
    target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()
) -> None:
    """Raise OutputError unless a sequence of files may be written into the folder `target`.

    The folder may be missing or empty; with `overwrite` it may hold files, and those that have
    the names of new ones are replaced.
    """
    _check_parent(target)
    _check_not_input(target, inputs)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file, not a folder: choose another output")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise OutputError(f"{target} is not empty: choose another folder or add --overwrite")


def write_failure(target: Path, error: OSError) -> OutputError:
    """The one line about a write to `target` that the system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{target} cannot be written: the disk is full; free some space there")
    if error.errno == errno.EFBIG:
        return OutputError(f"{target} cannot be written: larger than the limit on file sizes here")
    return OutputError(f"{target} cannot be written: {error.strerror or error}")


class AtomicOutput:
    """A file that appears at `target` when the `with` block ends well, and not otherwise.

    `with AtomicOutput(target) as path` gives the path to write to, which may be opened any number
    of times inside the block but not renamed. OutputError comes before the block when the target
    is refused (see `check_output`) or another job writes it, and after it when a file appeared
    there in the meantime: that one is kept.
    """

    def __init__(
        self, target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()
    ) -> None:
        check_output(target, overwrite=overwrite, inputs=inputs)
        self._shown = target
        # A link is followed: the file behind it is replaced, the link stays.
        self._target = _resolved(target)
        self._overwrite = overwrite
        self._inputs = tuple(inputs)
        self._hidden = _hidden_beside(self._target)
        self._descriptor = -1
        self._unnamed = False
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Path:
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(_lock(self._target, self._shown))
            check_output(self._shown, overwrite=self._overwrite, inputs=self._inputs)
            try:
                # What a killed job left: the lock says that nobody writes it any more.
                self._hidden.unlink(missing_ok=True)
                self._descriptor, self._unnamed = _open_unseen(self._hidden)
            except OSError as error:
                raise write_failure(self._shown, error) from error
            cleanup.callback(self._hidden.unlink, missing_ok=True)
            cleanup.callback(os.close, self._descriptor)
            self._cleanup = cleanup.pop_all()
        return _descriptor_path(self._descriptor) if self._unnamed else self._hidden

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._cleanup:
            if kind is not None:
                return
            check_output(self._shown, overwrite=self._overwrite, inputs=self._inputs)
            try:
                os.fsync(self._descriptor)
                self._move_into_place()
                _sync_folder(self._target.parent)
            except FileExistsError as failure:
                raise OutputError(
                    f"{self._shown} was made by another program while this job ran: it was kept"
                ) from failure
            except OSError as failure:
                raise write_failure(self._shown, failure) from failure

    def _move_into_place(self) -> None:
        if self._unnamed:
            in_place = not self._target.exists()
            _name_unnamed(self._descriptor, self._target if in_place else self._hidden)
            if in_place:
                return
        if self._overwrite:
            self._hidden.replace(self._target)
            return
        try:
            # Unlike a rename, a link never replaces what is there.
            self._target.hardlink_to(self._hidden)
        except OSError as error:
            if error.errno not in _HARD_LINKS_UNSUPPORTED:
                raise
            self._hidden.replace(self._target)


class AtomicFolder:
    """A folder of files that appears at `target` when the `with` block ends well.

    `with AtomicFolder(target) as path` gives an empty folder to write into. A missing or empty
    target is replaced by it in one step; into one that holds files (only with `overwrite`) the new
    ones are moved one by one. Raises OutputError as AtomicOutput does.
    """

    def __init__(
        self, target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()
    ) -> None:
        check_output_folder(target, overwrite=overwrite, inputs=inputs)
        self._shown = target
        self._target = _resolved(target)
        self._overwrite = overwrite
        self._inputs = tuple(inputs)
        self._hidden = _hidden_beside(self._target)
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Path:
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(_lock(self._target, self._shown))
            try:
                if self._hidden.exists():
                    shutil.rmtree(self._hidden)
                self._hidden.mkdir()
            except OSError as error:
                raise write_failure(self._shown, error) from error
            cleanup.callback(shutil.rmtree, self._hidden, ignore_errors=True)
            self._cleanup = cleanup.pop_all()
        return self._hidden

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._cleanup:
            if kind is not None:
                return
            check_output_folder(self._shown, overwrite=self._overwrite, inputs=self._inputs)
            try:
                if self._target.exists() and any(self._target.iterdir()):
                    for path in sorted(self._hidden.iterdir()):
                        path.replace(self._target / path.name)
                else:
                    self._hidden.replace(self._target)
                _sync_folder(self._target.parent)
            except OSError as failure:
                raise write_failure(self._shown, failure) from failure


def _check_parent(target: Path) -> None:
    folder = _resolved(target).parent
    if not folder.is_dir():
        raise OutputError(f"{target} cannot be written: there is no folder {folder}; create it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{target} cannot be written: the folder {folder} is not writable")


def _check_not_input(target: Path, inputs: Sequence[Path]) -> None:
    for path in inputs:
        if target.exists() and path.exists() and target.samefile(path):
            raise OutputError(f"{target} is the input itself: choose another output")


def _resolved(target: Path) -> Path:
    try:
        return target.resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{target} cannot be written: {error}") from error


def _digest(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target)).hexdigest()[:24]


def _hidden_beside(target: Path) -> Path:
    """The hidden name, the same for every job to `target`, with its suffix."""
    return target.with_name(f".vsr-{_digest(target)}{target.suffix}")


def _descriptor_path(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")


def _open_unseen(hidden: Path) -> tuple[int, bool]:
    """A descriptor of a new file and whether it has no name; else its name is `hidden`."""
    if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
        try:
            return os.open(hidden.parent, os.O_TMPFILE | os.O_RDWR, 0o666), True
        except OSError as error:
            if error.errno not in _UNNAMED_FILES_UNSUPPORTED:
                raise
    return os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), False


def _name_unnamed(descriptor: int, path: Path) -> None:
    """Give a file without a name its first one; FileExistsError when that is taken."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Only with a folder descriptor does Python call linkat, which can follow /proc's link.
        os.link(_descriptor_path(descriptor), path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _lock(target: Path, shown: Path) -> Iterator[None]:
    """Keep other jobs of this user from writing `target`; released even by `kill -9`."""
    folder = Path(tempfile.gettempdir()) / f"vsr-{os.getuid()}"
    path = folder / f"{_digest(target)}.lock"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = _open_locked(path)
    except BlockingIOError as error:
        raise OutputError(
            f"{shown} is being written by another vsr: wait for it or choose another output"
        ) from error
    except OSError as error:
        raise OutputError(f"{shown} cannot be locked through {path}: {error.strerror}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _open_locked(path: Path) -> int:
    """A descriptor of the lock file, locked; BlockingIOError when another one holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have removed the name between our opening and our locking.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
