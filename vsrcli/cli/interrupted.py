"""How a command ends after Ctrl-C."""

from __future__ import annotations

from vsrcli.errors import VsrError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""


class Interrupted(VsrError):
    """An interruption after which something is left to go on from; the message says what."""

    exit_code = INTERRUPTED
