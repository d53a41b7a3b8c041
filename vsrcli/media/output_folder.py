"""Folders of files that appear at their target whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vsrcli.errors import OutputError
from vsrcli.media.claims import claimed, hidden_name, hold_new, is_hidden, sweep
from vsrcli.media.output import check_folder, check_not_input, resolved, write_failure
from vsrcli.media.placing import can_rename, exchange, sync_folder, undisturbed


def check_output_folder(
    target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()
) -> None:
    """Raise OutputError unless a sequence of files may be written into the folder `target`.

    The folder may be missing or empty; with `overwrite` it may hold files, and those that have
    the names of new ones are replaced.
    """
    check_folder(target, _workplace(resolved(target)))
    check_not_input(target, inputs)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file, not a folder: choose another output")
    if target.is_dir() and _content(target) and not overwrite:
        raise OutputError(f"{target} is not empty: choose another folder or add --overwrite")


class AtomicFolder:
    """A folder of files that appears at `target` when the `with` block ends well.

    `with AtomicFolder(target) as path` gives an empty folder to write into. It replaces the target
    in one step, if that is missing, empty, or (only with `overwrite`) holds files with the names of
    new ones alone; else the new ones are moved into it one by one. Raises OutputError as
    AtomicOutput does.
    """

    def __init__(
        self, target: Path, *, overwrite: bool = False, inputs: Sequence[Path] = ()
    ) -> None:
        check_output_folder(target, overwrite=overwrite, inputs=inputs)
        self._shown = target
        self._target = resolved(target)
        self._overwrite = overwrite
        self._inputs = tuple(inputs)
        self._hidden = _workplace(self._target) / hidden_name(self._target)
        self._cleanup = contextlib.ExitStack()
        self.is_done = False
        """Whether it is in its place."""

    def __enter__(self) -> Path:
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(claimed(self._target, self._shown))
            check_output_folder(self._shown, overwrite=self._overwrite, inputs=self._inputs)
            sweep(self._hidden)
            try:
                descriptor = hold_new(self._hidden, self._shown, _new_folder)
            except OSError as error:
                raise write_failure(self._shown, error) from error
            cleanup.callback(os.close, descriptor)
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
                with undisturbed():
                    self._move_into_place()
                    sync_folder(self._target.parent)
                    self.is_done = True
            except OSError as failure:
                raise write_failure(self._shown, failure) from failure

    def _move_into_place(self) -> None:
        in_it = self._hidden.parent == self._target
        old = _content(self._target) if self._target.exists() else []
        if not old and not in_it:
            self._hidden.replace(self._target)
            return
        new = {path.name for path in self._hidden.iterdir()}
        if not in_it and all(path.is_file() and path.name in new for path in old):
            shutil.copystat(self._target, self._hidden)
            if exchange(self._hidden, self._target):
                return
        for name in sorted(new):
            (self._hidden / name).replace(self._target / name)


def _workplace(target: Path) -> Path:
    """Where the files are written: beside the target, or in it where it cannot be replaced: when
    another file system is mounted there, or its own folder is read-only."""
    folder = target.parent
    if target.is_dir() and not (os.access(folder, os.W_OK) and can_rename(folder, target)):
        return target
    return folder


def _content(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not is_hidden(path.name)]


def _new_folder(path: Path) -> int:
    path.mkdir()
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as error:  # another job took it for abandoned: the next attempt
        raise FileExistsError from error
