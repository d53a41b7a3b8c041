"""What a bench found: the derived figures, and the JSON file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from results import JOB, ROW, WORK, result

from vsrcli.bench.compare import pairs_of
from vsrcli.bench.machine import Card
from vsrcli.bench.result import PARTS, Job, Row, read_result
from vsrcli.errors import InputError
from vsrcli.jobs.clock import STEPS


def test_speed_and_share_of_the_peak() -> None:
    assert ROW.fps == 2
    assert ROW.flop_rate == 200e9
    assert ROW.share == 0.5
    unknown = replace(ROW, flop=None)
    assert unknown.flop_rate is None
    assert unknown.share is None
    assert replace(ROW, peak=None).share is None


def test_parts_of_a_job() -> None:
    assert JOB.fps == 2
    assert JOB.alone_fps == 2.5
    assert JOB.pace == pytest.approx(0.8)
    wanted = {"decode": 0.1, "color": 0.2, "copy": 0.1, "inference": 0.4, "encode": 0.2}
    assert JOB.shares == pytest.approx(wanted)
    assert sum(JOB.shares.values()) == pytest.approx(1)


def test_every_step_belongs_to_one_part() -> None:
    assert sorted(step for steps in PARTS.values() for step in steps) == sorted(STEPS)


@pytest.mark.parametrize(
    ("changes", "bound", "busy"),
    [
        ({}, "inference", 0.8),
        ({"encode": 3.5}, "encode", 0.9),  # less than inference, but its stage has more to do
        ({"to_rgb": 3.0}, "color", 0.9),
        ({"upload": 9.0}, "copy", 2.3),
    ],
)
def test_what_bounds_a_job(changes: dict[str, float], bound: str, busy: float) -> None:
    job = replace(JOB, work={**WORK, **changes})
    assert job.bound == bound
    assert job.busy == pytest.approx(busy)


def test_a_job_without_work_has_no_shares() -> None:
    assert set(replace(JOB, work=dict.fromkeys(STEPS, 0.0)).shares.values()) == {0.0}


def test_a_file_holds_everything(tmp_path: Path) -> None:
    made = result(ROW, replace(ROW, model="fstrn", flop=None, memory=None), jobs=(JOB,))
    card = Card("A Card", 2**36, "9.0", "570.1", "12.8", 91002)
    made = replace(made, machine=replace(made.machine, card=card, device="cuda"))
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(made.as_json()))
    assert read_result(path) == made


def test_the_file_has_the_documented_keys() -> None:
    found = json.loads(json.dumps(result(ROW, jobs=(JOB,)).as_json()))
    assert list(found) == ["date", "machine", "clocks", "peaks", "copy_rate", "rows", "jobs"]
    assert set(found["rows"][0]) == {*Row.__dataclass_fields__, "fps", "flop_rate", "share"}
    derived = {"fps", "alone_fps", "pace", "shares", "bound", "busy"}
    assert set(found["jobs"][0]) == {*Job.__dataclass_fields__, *derived}
    assert found["rows"][0]["share"] == 0.5
    assert found["jobs"][0]["bound"] == "inference"
    assert found["machine"]["versions"]["torch"] == "2.13"
    assert found["peaks"]["bf16"]["flop_rate"] == 400e9


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"machine": null}', '{"machine": {}, "rows": []}', "\x00"]
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not what vsr bench --json writes"):
        read_result(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.json cannot be read: No such file"):
        read_result(tmp_path / "none.json")


def test_pairs_are_the_same_task() -> None:
    faster = replace(ROW, seconds=0.25)
    other_size = replace(ROW, input_size=(64, 48))
    a = result(ROW, replace(ROW, model="fstrn"), jobs=(JOB,))
    b = result(other_size, faster, jobs=(replace(JOB, clip="other.mp4"),))
    (pair,) = pairs_of(a, b)
    assert (pair.a, pair.b) == (ROW, faster)
    assert pair.ratio == 2
    (job,) = pairs_of(result(jobs=(JOB,)), result(jobs=(replace(JOB, seconds=2.5),)))
    assert (job.name, job.ratio) == ("tga, in.mp4", 2)


def test_the_most_similar_ways_are_paired() -> None:
    fp32, onnx = replace(ROW, precision="fp32"), replace(ROW, backend="onnx")
    pairs = pairs_of(result(ROW, fp32), result(onnx, fp32, ROW))
    assert [(pair.a, pair.b) for pair in pairs] == [(ROW, ROW), (fp32, fp32)]
    (pair,) = pairs_of(result(ROW), result(onnx))
    assert pair.b == onnx
