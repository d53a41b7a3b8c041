"""Standard output and error that are closed, full, or read by nobody any more."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

from vsrcli.errors import OutputError


def replace_closed() -> None:
    """Open the null device in the place of every standard stream that the caller has closed.

    Otherwise the next file opened would get its number, and what libraries print would end up in
    that file: the output, say.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """A block in which standard error never fails, and standard output in a way that can be told.

    A job is worth more than the words about it: it goes on when `vsr ... 2>&1 | head` has read
    enough of them, or the terminal is gone. Printing results raises BrokenPipeError or OutputError.
    """
    results, messages = cast(TextIO, _Results(sys.stdout)), cast(TextIO, _Messages(sys.stderr))
    with contextlib.redirect_stdout(results), contextlib.redirect_stderr(messages):
        yield


class _Messages:
    """A text stream that falls silent once nobody takes what is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def _fail(self, error: OSError) -> None:
        # With it vanishes what waits in the buffer, over which the interpreter would fail at its
        # end.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


class _Results(_Messages):
    """A text stream that falls silent too, but says so."""

    def _fail(self, error: OSError) -> None:
        super()._fail(error)
        if isinstance(error, BrokenPipeError):
            raise error
        raise OutputError(f"Standard output cannot be written: {error.strerror}") from error
