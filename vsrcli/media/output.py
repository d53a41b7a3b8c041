"""Files that appear at their target whole, or not at all.

They are written where nobody sees them and linked into place at the end. On Linux that place has
no name (`O_TMPFILE`), so even `kill -9` leaves nothing behind; where the file system has no such
files it is a hidden one beside the target, which the next job to the same target removes, or a
later one to the same folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vsrcli.errors import OutputError
from vsrcli.media.claims import claimed, hidden_name, hold_new, lock, sweep
from vsrcli.media.placing import descriptor_path, name_unnamed, sync_folder, undisturbed

_UNNAMED_FILES_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}
"""What a file system or an old kernel answers to O_TMPFILE."""

_HARD_LINKS_UNSUPPORTED = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}


def check_output(target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Raise OutputError unless a file may be written at `target`.

    `inputs` are never overwritten, by whatever name, link or spelling `target` reaches them.
    """
    check_folder(target, resolved(target).parent)
    check_not_input(target, inputs)
    if target.is_dir():
        raise OutputError(f"{target} is a folder: name a file in it, such as {target / 'out.mp4'}")
    if target.exists() and not target.is_file():
        raise OutputError(f"{target} is not a regular file: choose another output")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already: choose another output or add --overwrite")


def write_failure(target: Path, error: Exception) -> OutputError:
    """The one line about a write to `target` that the system, an encoder or a muxer refused."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{target} cannot be written: the disk is full; free some space there")
    if number == errno.EFBIG:
        return OutputError(f"{target} cannot be written: larger than the limit on file sizes here")
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return OutputError(f"{target} cannot be written: {reason or type(error).__name__}")


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
        self._target = resolved(target)
        self._overwrite = overwrite
        self._inputs = tuple(inputs)
        self._hidden = self._target.with_name(hidden_name(self._target))
        self._descriptor = -1
        self._unnamed = False
        self._cleanup = contextlib.ExitStack()
        self.is_done = False
        """Whether it is in its place."""

    def __enter__(self) -> Path:
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(claimed(self._target, self._shown))
            check_output(self._shown, overwrite=self._overwrite, inputs=self._inputs)
            sweep(self._hidden)
            try:
                self._descriptor, self._unnamed = _open_unseen(self._hidden, self._shown)
            except OSError as error:
                raise write_failure(self._shown, error) from error
            cleanup.callback(os.close, self._descriptor)
            cleanup.callback(self._hidden.unlink, missing_ok=True)
            self._cleanup = cleanup.pop_all()
        return descriptor_path(self._descriptor) if self._unnamed else self._hidden

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
                with undisturbed():
                    self._move_into_place()
                    sync_folder(self._target.parent)
                    self.is_done = True
            except FileExistsError as failure:
                raise OutputError(
                    f"{self._shown} was made by another program while this job ran: it was kept"
                ) from failure
            except OSError as failure:
                raise write_failure(self._shown, failure) from failure

    def _move_into_place(self) -> None:
        if self._unnamed:
            in_place = not self._target.exists()
            name_unnamed(self._descriptor, self._target if in_place else self._hidden)
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


def check_folder(target: Path, folder: Path) -> None:
    """Raise OutputError unless `target` may be made in `folder`."""
    if not folder.is_dir():
        raise OutputError(f"{target} cannot be written: there is no folder {folder}; create it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{target} cannot be written: the folder {folder} is not writable")


def check_not_input(target: Path, inputs: Sequence[Path]) -> None:
    """Raise OutputError if `target` is one of `inputs`, by whatever name, link or spelling."""
    for path in inputs:
        if target.exists() and path.exists() and target.samefile(path):
            raise OutputError(f"{target} is the input itself: choose another output")


def resolved(target: Path) -> Path:
    """The absolute path behind all links; OutputError when they lead nowhere, or when it is no
    possible name."""
    try:
        path = target.resolve()
        path.exists()
    except (OSError, RuntimeError) as error:
        raise write_failure(target, error) from error
    return path


def _open_unseen(hidden: Path, shown: Path) -> tuple[int, bool]:
    """A descriptor of a new file and whether it has no name; else its name is `hidden`.

    It is locked, so that nobody takes it for a killed job's once it has a name.
    """
    if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
        try:
            descriptor = os.open(hidden.parent, os.O_TMPFILE | os.O_RDWR, 0o666)
        except OSError as error:
            if error.errno not in _UNNAMED_FILES_UNSUPPORTED:
                raise
        else:
            lock(descriptor)
            return descriptor, True
    return hold_new(hidden, shown, _new_file), False


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
