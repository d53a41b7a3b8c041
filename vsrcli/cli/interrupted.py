"""How a command ends after Ctrl-C."""

from __future__ import annotations

import signal
from typing import NoReturn

from vsrcli.errors import VsrError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""


class Interrupted(VsrError):
    """An interruption after which something is left; the message says what."""

    exit_code = INTERRUPTED


def handle_signals() -> None:
    """Have Ctrl-C, `kill` and a terminal that is closed end the program in an orderly way.

    Not where the caller had them ignored, as `nohup` and shells do for jobs in the background.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """From now on nothing is to be interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(*_: object) -> NoReturn:
    # A second one would hit the clean-up, while threads still work on what is being closed.
    ignore_signals()
    raise KeyboardInterrupt
