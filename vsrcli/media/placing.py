"""Moving what is whole into its place: the steps that nothing may come between."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A block that no signal's handler breaks into: the first to come is called at its end."""
    if threading.current_thread() is not threading.main_thread():  # the only one they run in
        yield
        return
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if callable(signal.getsignal(number))
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def descriptor_path(descriptor: int) -> Path:
    """A name under which this process can open again what it has open."""
    return Path(f"/proc/self/fd/{descriptor}")


def name_unnamed(descriptor: int, path: Path) -> None:
    """Give a file without a name its first one; FileExistsError when that is taken."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Only with a folder descriptor does Python call linkat, which can follow /proc's link.
        os.link(descriptor_path(descriptor), path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system cannot, and nothing was changed.

    Linux can on most file systems.
    """
    import ctypes

    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def can_rename(folder: Path, other: Path) -> bool:
    """Whether what is in one folder can be moved into the other: not between two mounts."""
    nothing = ".vsr-nothing"
    try:
        # The system compares the mounts before it looks for the file.
        (folder / nothing).rename(other / nothing)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
