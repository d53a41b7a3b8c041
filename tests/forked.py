"""The command in real processes that end badly, without the start of an interpreter for each.

A server that has imported everything forks a process for every command, and ends it as it is told.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

SERVER = """
import json, os, signal, sys, time

import av, torch
import vsrcli.cli.main
import vsrcli.cli.progress
import vsrcli.jobs.job

vsrcli.cli.progress._SECONDS_BETWEEN_LINES = 0.0
WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR
CHANGES = {
    "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.chmod",
    "fcntl.flock", "shutil.rmtree",
}


def act(request):
    changes = 0

    def watch(event, arguments):
        nonlocal changes
        if event in CHANGES or (event == "open" and arguments[2] & WRITING):
            changes += 1
            if changes == request["kill_before"]:
                os.kill(os.getpid(), signal.SIGKILL)

    log = os.open(request["log"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.argv = ["vsr", *request["words"]]
    sys.addaudithook(watch)
    exec(request["before"], {})
    try:
        vsrcli.cli.main.run()
    except SystemExit as left:
        sys.stdout.flush()
        code = left.code or 0
    with open(request["changes"], "w") as file:
        file.write(str(changes - 1))
    os._exit(code)


for line in sys.stdin:
    request = json.loads(line)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        act(request)
    if request["signal_after"] is not None:
        time.sleep(request["signal_after"])
        os.kill(child, request["signal"])
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), time.monotonic() - started, flush=True)
"""


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    code: int
    """Exit code, or the signal that ended it as a negative number."""
    said: str
    """What it printed, but for the lines of progress."""
    seconds: float
    changes: int
    """Calls that change a file system, unless it was killed."""


class Forked:
    """Runs `vsr` with given words; a context manager."""

    def __init__(self, folder: Path, *around: str) -> None:
        """`folder` gets what the commands print, and is their folder for temporary files.

        `around` are the words of a command that starts the server as its own last words say.
        """
        self.temporary = folder / "temporary"
        self.temporary.mkdir(parents=True)
        self._log, self._changes = folder / "log", folder / "changes"
        self._server = subprocess.Popen(
            [*around, sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(self.temporary),
            },
        )

    def seen(self, path: Path) -> Path:
        """A file of the commands' own mounts, as this process reaches it."""
        return Path(f"/proc/{self._server.pid}/root{path}")

    def __call__(
        self,
        *words: object,
        signal: int = 9,
        signal_after: float | None = None,
        kill_before: int = 0,
        before: str = "",
    ) -> Ending:
        """Run `vsr` with these words, after the Python statements `before`.

        `signal` is sent `signal_after` seconds after its start; `kill_before` is the number, from
        1, of the call changing a file system before which it is killed.
        """
        request: dict[str, Any] = {
            "words": [str(word) for word in words],
            "signal": int(signal),
            "signal_after": signal_after,
            "kill_before": kill_before,
            "before": before,
            "log": str(self._log),
            "changes": str(self._changes),
        }
        self._changes.unlink(missing_ok=True)
        assert self._server.stdin is not None and self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        code, seconds = self._server.stdout.readline().split()
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        said = "\n".join(line for line in lines if " frames, " not in line or " fps, " not in line)
        changes = int(self._changes.read_text()) if self._changes.exists() else 0
        return Ending(int(code), said, float(seconds), changes)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(timeout=60)
