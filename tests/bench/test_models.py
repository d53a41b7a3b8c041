"""Timing models and jobs: the structure of what comes out, not the times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clips
import pytest
import torch
from models import tiny_weights

from vsrcli.bench import models, run
from vsrcli.bench.jobs import time_job
from vsrcli.bench.models import How, Peaks, time_model
from vsrcli.bench.probe import Peak
from vsrcli.bench.result import Row
from vsrcli.bench.run import Request
from vsrcli.bench.subjects import different_names, find_subject
from vsrcli.bench.timing import Effort
from vsrcli.errors import DeviceError, UsageError, WeightsError
from vsrcli.jobs.clock import STEPS
from vsrcli.networks.cost import flop_per_frame
from vsrcli.restore import restorer
from vsrcli.zoo.catalogue import MODELS
from vsrcli.zoo.weights import load_weights

CPU = torch.device("cpu")
BRIEF = Effort(runs=2, seconds=0, warm_up=0)


@pytest.fixture(autouse=True)
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device's peak is known to be a GFLOP/s."""
    monkeypatch.setattr(models, "probe_arithmetic", lambda *_: Peak(1e9, "guess"))
    monkeypatch.setattr(run, "probe_copy", lambda *_: 1e9)


def timed(name: str | Path, folder: Path, how: How, *sizes: tuple[int, int]) -> list[Row]:
    return list(time_model(str(name), sizes, how, Peaks(how.device), folder, lambda line: None))


@pytest.mark.parametrize(
    ("network", "scale", "frames"),
    [("tga", 4, 1), ("fstrn", 4, 1), ("stdan", 4, 2), ("stfan", 1, 1)],
)
def test_a_row_for_every_strategy(tmp_path: Path, network: str, scale: int, frames: int) -> None:
    path = tiny_weights(tmp_path, name=network)
    (row,) = timed(path, tmp_path, How(CPU, "fp32", effort=BRIEF), (20, 16))
    assert (row.model, row.trained, row.backend, row.precision) == (
        path.name,
        True,
        "torch",
        "fp32",
    )
    assert row.input_size == (20, 16)
    assert row.output_size == (20 * scale, 16 * scale)
    assert (row.frames, row.runs) == (frames, 2)
    assert 0 < row.quartiles[0] <= row.seconds <= row.quartiles[1]
    assert row.flop == flop_per_frame(load_weights(path), 20, 16)
    assert row.peak == 1e9
    assert row.notes == ()


def test_sizes_and_batches(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path)
    how = How(CPU, "fp32", batch=3, effort=BRIEF)
    small, large = timed(path, tmp_path, how, (16, 16), (32, 16))
    assert small.frames == large.frames == 3
    assert small.flop is not None
    assert large.flop == 2 * small.flop


def test_a_fall_back_to_fp32_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorer, "_LARGEST_ERROR", 0.0)
    path = tiny_weights(tmp_path)
    (row,) = timed(path, tmp_path, How(CPU, "bf16", effort=BRIEF), (16, 16))
    assert row.precision == "fp32"
    # Perhaps behind the word that this processor is slow in bf16.
    assert row.notes[-1].startswith("precision bf16 is off by")


def test_plain_resampling_has_no_work_to_count(tmp_path: Path) -> None:
    (row,) = timed("lanczos", tmp_path, How(CPU, effort=BRIEF), (16, 16))
    assert (row.flop, row.share, row.trained) == (None, None, True)


def test_a_model_without_weights_runs_untrained(tmp_path: Path, cache: Path) -> None:
    subject = find_subject("basicvsr", tmp_path)
    assert not subject.trained
    assert subject.weights is not None
    assert subject.network is not None
    loaded = load_weights(subject.weights)
    assert loaded.config == subject.network.config
    again = find_subject("basicvsr", tmp_path).network
    assert again is not None
    for one, other in zip(subject.network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_model_with_weights_keeps_them(tmp_path: Path) -> None:
    subject = find_subject("tga-lite", tmp_path)
    assert subject.trained
    assert subject.weights is None
    assert list(tmp_path.iterdir()) == []


def test_of_models_that_differ_in_their_weights_alone_one_is_timed(cache: Path) -> None:
    names = different_names()
    assert len(names) == len(set(names))
    assert {MODELS.get(name, name.split("-")[0]) for name in names} == set(MODELS.values())
    assert {"tga", "tga-lite", "fstrn", "basicvsr"} <= set(names)
    assert not {"basicvsr-bd", "basicvsr-reds", "lanczos", "bicubic"} & set(names)


def test_a_job_and_the_model_alone(tmp_path: Path) -> None:
    clip = clips.clip(tmp_path / "in.mp4", frames=6)
    path = tiny_weights(tmp_path)
    job = time_job(str(path), clip, How(CPU, "fp32", effort=BRIEF), tmp_path)
    assert (job.clip, job.frames, job.codec) == ("in.mp4", 6, "h264")
    assert job.input_size == (clips.WIDTH, clips.HEIGHT)
    assert job.output_size == (4 * clips.WIDTH, 4 * clips.HEIGHT)
    assert tuple(job.work) == STEPS
    assert all(seconds > 0 for seconds in job.work.values())
    assert sum(job.shares.values()) == pytest.approx(1)
    assert job.work["restore"] < job.seconds
    assert job.alone > 0
    assert {file.name for file in tmp_path.iterdir()} == {"in.mp4", path.name}


def test_a_job_that_deblurs(tmp_path: Path) -> None:
    clip = clips.clip(tmp_path / "in.mp4", frames=3)
    path = tiny_weights(tmp_path, name="stfan")
    job = time_job(str(path), clip, How(CPU, "fp32", effort=BRIEF), tmp_path)
    assert job.output_size == job.input_size == (clips.WIDTH, clips.HEIGHT)


def test_one_model_that_fails_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = timed(tiny_weights(tmp_path), tmp_path, How(CPU, "fp32", effort=BRIEF), (16, 16))[0]

    def time_or_fail(name: str, *_: object) -> Iterator[Row]:
        if name == "large":
            raise DeviceError("out of memory")
        yield row

    monkeypatch.setattr(run, "time_model", time_or_fail)
    said: list[str] = []
    found = run.run(Request(("large", "small"), device="cpu"), said.append)
    assert found.rows == (row,)
    assert said == ["large is left out: out of memory"]
    with pytest.raises(DeviceError):
        run.run(Request(("large",), device="cpu"), said.append)


def test_a_result_names_its_machine(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path)
    request = Request((str(path),), ((16, 16),), device="cpu", precision="fp32", runs=1)
    found = run.run(request, lambda line: None)
    assert found.machine.device == "cpu"
    assert found.peaks == {"fp32": Peak(1e9, "guess")}
    assert found.copy_rate == 1e9
    assert found.date.endswith("+00:00")
    assert [row.input_size for row in found.rows] == [(16, 16)]


def test_requests_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="--runs 0"):
        Request(runs=0)
    with pytest.raises(UsageError, match="8x64 are too small"):
        Request(sizes=((320, 180), (8, 64)))
    with pytest.raises(UsageError, match="Unknown model 'tg'"):
        run.run(Request(("tg",), device="cpu"), lambda line: None)
    with pytest.raises(WeightsError, match=r"no\.safetensors"):
        run.run(Request(("no.safetensors",), device="cpu"), lambda line: None)


@pytest.mark.cuda
def test_rows_and_jobs_on_a_card(tmp_path: Path) -> None:
    how = How(torch.device("cuda"), effort=BRIEF)
    path = tiny_weights(tmp_path)
    (row,) = timed(path, tmp_path, how, (64, 48))
    assert (row.memory or 0) > 0
    assert row.seconds > 0
    job = time_job(str(path), clips.clip(tmp_path / "in.mp4", frames=8), how, tmp_path)
    assert all(seconds > 0 for seconds in job.work.values())
    assert sum(job.shares.values()) == pytest.approx(1)
