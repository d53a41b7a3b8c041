"""Running the registries' clients, played by small scripts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from vsrcli.errors import FetchError
from vsrcli.zoo import registry


def client(*statements: str) -> list[str]:
    """A client that executes Python statements."""
    return [sys.executable, "-c", "; ".join(("import os, sys, time", *statements))]


def test_the_one_file_is_what_was_fetched(tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "old").touch()
    makes = client("os.mkdir('cache')", "open(os.environ['TMPDIR'] + '/new', 'w').write('new')")
    assert registry.receive(makes, folder) == folder / "new"
    assert (folder / "new").read_text() == "new"


@pytest.mark.parametrize("names", ["", "ab"])
def test_no_file_or_several(tmp_path: Path, names: str) -> None:
    with pytest.raises(FetchError, match=f"left {len(names)} files instead of one"):
        registry.receive(client(f"[open(name, 'w') for name in '{names}']"), tmp_path / "x")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "it does not say why"),
        ("WARNING: broken\nERROR: No such release\n[notice] Buy a new pip", "No such release"),
        ("npm: not found\nsee the log", "see the log"),
    ],
)
def test_failures_are_told_in_one_line(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(FetchError) as failed:
        registry.run(client(f"sys.stderr.write({said!r})", "sys.exit(3)"), tmp_path)
    assert f"` failed: {told}; run it by hand" in str(failed.value)


def test_a_client_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no-such-client is needed"):
        registry.run(["no-such-client"], tmp_path)


def test_progress_is_that_of_the_largest_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vsrcli.zoo.registry._SECONDS_BETWEEN_REPORTS", 0.01)
    seen: list[int] = []
    script = client(
        *("os.mkdir('part')", "a = open('part/a', 'wb', 0)", "b = open('b', 'wb', 0)"),
        *("a.write(bytes(3000))", "b.write(bytes(1000))", "time.sleep(0.3)"),
    )
    registry.run(script, tmp_path, seen.append)
    assert seen and seen[-1] == 3000 and sorted(seen) == seen


def test_an_interrupted_client_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vsrcli.zoo.registry._SECONDS_BETWEEN_REPORTS", 0.01)

    def interrupt(received: int) -> None:
        if received:
            raise KeyboardInterrupt

    script = client("open('pid', 'w', 1).write(f'{os.getpid()}\\n')", "time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        registry.run(script, tmp_path, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_pip_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsrcli.zoo.registry.find_spec", lambda name: None)
    with pytest.raises(FetchError, match="pip is needed .* ensurepip"):
        registry.pip_download("x", "1.0", "wheel")


def test_wheels_and_sources_are_told_apart() -> None:
    assert "--only-binary" in registry.pip_download("x", "1.0", "wheel")
    source = registry.pip_download("x", "1.0", "source")
    assert "--no-binary" in source and "--no-deps" in source and source[-1] == "x==1.0"
