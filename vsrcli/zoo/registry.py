"""Package files from the registries, by the registries' own clients.

Where a registry lies, and by which mirror or proxy it is reached, is the client's configuration.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from vsrcli.errors import FetchError

_SECONDS_BETWEEN_REPORTS = 0.2
_ERROR = "ERROR: "
"""How pip begins its errors."""


def pip_download(package: str, version: str, form: Literal["wheel", "source"]) -> list[str]:
    """The command that fetches one release from the Python package index, and no other.

    Of a wheel nothing runs; of a source package pip runs what tells its name and version. Raises
    FetchError where there is no pip.
    """
    if find_spec("pip") is None:
        raise FetchError(
            f"pip is needed for fetching and {sys.prefix} has none; `python -m ensurepip` installs "
            "it there"
        )
    return [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"),
        *("--only-binary" if form == "wheel" else "--no-binary", ":all:"),
        f"{package}=={version}",
    ]


def receive(
    command: Sequence[str], folder: Path, report: Callable[[int], None] = lambda received: None
) -> Path:
    """The file that a client, run in `folder`, puts there; it is not verified.

    The folder is emptied first. `report` is called now and then with the bytes received so far.
    Raises FetchError as `run` does, and when the client leaves more or less than one file.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(command, folder, report)
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise FetchError(f"{_words(command)} left {len(files)} files instead of one in {folder}")
    return files[0]


def run(
    command: Sequence[str], folder: Path, report: Callable[[int], None] = lambda received: None
) -> None:
    """Run a client in `folder`, where its temporary files lie too; stopped when interrupted.

    `report` is called now and then with the size of the largest file there. Raises FetchError when
    the client is not installed or fails.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is needed for fetching and is not installed") from None
    with process:
        try:
            said = _watched(process, folder, report)
        except BaseException:  # the client must not go on alone
            process.kill()
            raise
    if process.returncode:
        raise FetchError(
            f"{_words(command)} failed: {_reason(said)}; run it by hand to see more of it"
        )


def _watched(process: subprocess.Popen[str], folder: Path, report: Callable[[int], None]) -> str:
    """What the client says on stderr until its end."""
    while True:
        try:
            return process.communicate(timeout=_SECONDS_BETWEEN_REPORTS)[1]
        except subprocess.TimeoutExpired:
            report(_largest(folder))


def _largest(folder: Path) -> int:
    """Bytes of the largest file: the one on its way, which may have a copy already."""
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # moved since it was listed
                sizes.append(Path(place, name).stat().st_size)
    return max(sizes)


def _reason(said: str) -> str:
    """The last line that tells of an error; after it may stand advertisements."""
    lines = said.strip().splitlines() or ["it does not say why"]
    errors = [line for line in lines if line.startswith(_ERROR)]
    return (errors or lines)[-1].removeprefix(_ERROR)


def _words(command: Sequence[str]) -> str:
    return f"`{' '.join(command)}`"
