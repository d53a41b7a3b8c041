"""The command in this process, as a shell would see it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest
from command import Outcome, Vsr

from vsrcli.cli.main import run
from vsrcli.cli.options import DEBUG


@pytest.fixture
def vsr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Vsr]:
    """Runs `vsr` with the given words."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}

    def command(*words: object) -> Outcome:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["vsr", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            run()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        said = capsys.readouterr()
        return Outcome(int(left.value.code or 0), said.out, said.err)

    yield command
    DEBUG.clear()
