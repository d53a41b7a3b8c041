"""Damaged files of every kind: none may bring vsr down. `examples/fuzz_inputs.py` does more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from fuzz import workers
from fuzz.mutations import mutated
from fuzz.seeds import Seed, make_seeds
from fuzz.workers import Tally, fuzz

from vsrcli.errors import WeightsError

INPUTS = 1000
SECONDS = 40
"""After which no further files are begun: a slow machine does fewer."""


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def test_damaged_files(seeds: Sequence[Seed], tmp_path: Path) -> None:
    """A crash inside FFmpeg is contained by its process, and told; whatever else is a fault."""
    end = time.monotonic() + SECONDS
    tally = fuzz(5, iter(range(INPUTS)), seeds, tmp_path, stop=lambda _: time.monotonic() > end)
    print(tally, *tally.crashes, sep="\n")
    assert tally.faults == []
    assert tally.hangs == []
    assert len(tally.crashes) <= tally.done / 1000
    assert tally.memory < workers.MOST_MEMORY
    # The files are damaged neither beyond recognition nor so little that nothing is tested.
    assert tally.done > 100
    assert 0.2 < tally.refused / tally.done < 0.8
    assert list(tmp_path.iterdir()) == []


def test_whole_files_can_be_read(seeds: Sequence[Seed], tmp_path: Path) -> None:
    for seed in seeds:
        path = tmp_path / seed.name
        path.write_bytes(seed.content)
        if path.suffix in (".pth", ".zip"):  # of a smaller network than the published one
            with pytest.raises(WeightsError, match="has shape"):
                workers.read_whole(path)
        else:
            workers.read_whole(path)
    assert len(seeds) > 50


def test_the_same_number_gives_the_same_file(seeds: Sequence[Seed]) -> None:
    files = [seed.content for seed in seeds]
    made = [mutated(1, number, files) for number in range(200)]
    assert made == [mutated(1, number, files) for number in range(200)]
    assert len({content for _, content in made}) > 190
    assert sum(content != files[origin] for origin, content in made) > 180


def _crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(path: Path) -> None:
    time.sleep(600)


def _fail(path: Path) -> None:
    raise KeyError("a fault")


@pytest.mark.parametrize(
    ("breaks", "kind"), [(_crash, "crashes"), (_hang, "hangs"), (_fail, "faults")]
)
def test_what_breaks_is_noticed(
    breaks: object,
    kind: str,
    seeds: Sequence[Seed],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "read_whole", breaks)
    monkeypatch.setattr(workers, "MOST_SECONDS", 0.2)
    tally: Tally = fuzz(7, iter(range(2)), seeds, tmp_path)
    assert tally.done == 2
    assert len(getattr(tally, kind)) == 2
    assert getattr(tally, kind)[0].startswith("seed 7 number 0 (")
