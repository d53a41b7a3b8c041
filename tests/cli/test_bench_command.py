"""`vsr bench` from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import clips
import pytest
from command import Vsr
from models import tiny_weights

from vsrcli.bench import models, run
from vsrcli.bench.probe import Peak
from vsrcli.bench.timing import Effort


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "probe_arithmetic", lambda *_: Peak(1e9, "guess"))
    monkeypatch.setattr(run, "probe_copy", lambda *_: 2e9)
    monkeypatch.setattr(
        run, "Effort", lambda runs: replace(Effort(), runs=runs, seconds=0, warm_up=0)
    )


def test_a_table_a_file_and_a_comparison(vsr: Vsr, tmp_path: Path) -> None:
    path, file = tiny_weights(tmp_path), tmp_path / "bench.json"
    words = ("bench", "--model", path, "--size", "32x16", "--size", "16x16", "--device", "cpu")
    done = vsr(*words, "--precision", "fp32", "--runs", 2, "--json", file)
    assert done.code == 0, done.err
    assert done.err.splitlines() == [f"{path} 32x16", f"{path} 16x16"]
    for word in ("32x16", "64x64", "fp32", "of peak", "Peak in fp32: 1.00 GFLOP/s, by a guess."):
        assert word in done.out
    found = json.loads(file.read_text())
    assert [row["input_size"] for row in found["rows"]] == [[32, 16], [16, 16]]
    assert [row["runs"] for row in found["rows"]] == [2, 2]
    compared = vsr("bench", "--compare", file, file)
    assert compared.code == 0, compared.err
    assert compared.out.count("1.00") == 2


def test_a_job_with_a_picture_and_json_on_stdout(vsr: Vsr, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    clip, picture = clips.clip(tmp_path / "in.mp4", frames=3), tmp_path / "bench.png"
    words = ("bench", "--model", tiny_weights(tmp_path), "--pipeline", clip, "--device", "cpu")
    done = vsr(*words, "--precision", "fp32", "--json", "-", "--plot", picture, "--quiet")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["rows"] == []
    assert found["copy_rate"] is None
    assert [job["clip"] for job in found["jobs"]] == ["in.mp4"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_table_of_jobs(vsr: Vsr, tmp_path: Path) -> None:
    clip = clips.clip(tmp_path / "in.mp4", frames=3)
    done = vsr("bench", "--model", "lanczos", "--pipeline", clip, "--device", "cpu")
    assert done.code == 0, done.err
    for word in ("in.mp4", "64x48", "256x192", "decode", "inference", "bound by"):
        assert word in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runs", "0"), "--runs 0 makes no sense"),
        (("--size", "8x8"), "Frames of 8x8 are too small"),
        (("--size", "big"), "not a size"),
        (("--model", "tg"), "Unknown model 'tg'"),
        (("--device", "tpu"), "Unknown device"),
        (("--model", "lanczos", "--batch", "0"), "0 pictures at once"),
        (("--pipeline", "in.mp4", "--size", "64x48"), "--pipeline takes its size from the clip"),
        (("--pipeline", "in.mp4", "--batch", "2"), "--pipeline takes its size from the clip"),
        (("--compare", "a", "b", "--json", "c"), "--compare only shows two files"),
    ],
)
def test_usage_errors(vsr: Vsr, words: tuple[str, ...], said: str) -> None:
    done = vsr("bench", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_said_before_the_work(vsr: Vsr, tmp_path: Path) -> None:
    done = vsr("bench", "--model", "lanczos", "--json", tmp_path / "none" / "bench.json")
    assert done.code == 1
    assert "bench.json" in done.err
    assert "lanczos" not in done.err


def test_two_files_with_nothing_in_common(vsr: Vsr, tmp_path: Path) -> None:
    files = []
    for size in ("16x16", "32x32"):
        files.append(tmp_path / f"{size}.json")
        words = ("bench", "--model", "lanczos", "--size", size, "--json", files[-1])
        assert vsr(*words, "--device", "cpu").code == 0
    done = vsr("bench", "--compare", *files)
    assert done.code == 2
    assert "no model at the same size in common" in done.err
