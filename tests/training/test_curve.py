"""A training's log as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vsrcli.cli.train import train
from vsrcli.errors import InputError
from vsrcli.training.curve import curve_of, draw
from vsrcli.training.log import read_log

ROWS = [
    {"seconds": 0, "note": "anything"},
    {"seconds": 60, "loss": 0.5, "rate": 1e-3},
    {"seconds": 90, "gain": 0.1},
    {"seconds": 180, "loss": 0.4, "rate": 9e-4},
    # Gone on from a checkpoint of before that.
    {"seconds": 120, "loss": 0.45, "rate": 8e-4},
    {"seconds": 240, "loss": 0.3, "rate": 1e-4},
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lines = [json.dumps(row) for row in ROWS]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + '\n{"seconds": 3')
    return tmp_path


def test_curves_are_of_what_was_gone_on_from(run: Path) -> None:
    found = read_log(run / "log.jsonl")
    assert found == ROWS
    assert curve_of(found, "loss") == [(1, 0.5), (2, 0.45), (4, 0.3)]
    assert curve_of(found, "gain") == [(1.5, 0.1)]


def test_draws_what_there_is(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    train(out=run, curve=tmp_path / "curve.svg")
    drawn = (tmp_path / "curve.svg").read_text()
    for text in ("loss", "learning rate", "validation gain, dB", "minutes trained"):
        assert f"<!-- {text} -->" in drawn


def test_says_that_there_is_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match="no such log"):
        draw(tmp_path, tmp_path / "curve.svg")
    (tmp_path / "log.jsonl").write_text('{"seconds": 0, "note": "begun"}\n')
    with pytest.raises(InputError, match="no figures yet"):
        draw(tmp_path, tmp_path / "curve.svg")
