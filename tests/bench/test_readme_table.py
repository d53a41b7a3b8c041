"""The tables in Markdown, and the script that puts them into a README."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from results import JOB, ROW, result

from vsrcli.bench.compare import pairs_of
from vsrcli.bench.table import explained, in_markdown, table_of_jobs, table_of_pairs, table_of_rows

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "examples" / "update_benchmark_table.py"
BEGIN, END = (
    "<!-- benchmarks: made by examples/update_benchmark_table.py -->",
    "<!-- end of benchmarks -->",
)


@pytest.fixture
def update(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
    """Runs the script on a README and a folder."""

    def run(readme: Path, folder: Path) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(readme), str(folder)])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    return run


def test_rows_in_markdown() -> None:
    assert in_markdown(table_of_rows([ROW])) == (
        "| model | input | output | in | at once | ms a frame | quartiles | fps | memory | GFLOP "
        "| GFLOP/s | of peak |\n"
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| tga | 320x180 | 1280x720 | bf16 | 1 | 500 | 400-600 | 2.00 | 1,024 MiB | 100 | 200 "
        "| 50% |\n"
    )


def test_what_is_not_known_is_left_empty() -> None:
    unknown = replace(ROW, flop=None, memory=None, trained=False, backend="onnx")
    cells = table_of_rows([unknown]).rows[0]
    assert cells[0] == "tga*"
    assert cells[3] == "bf16, onnx"
    assert cells[8:] == ("", "", "", "")


def test_jobs_and_pairs_have_a_cell_for_each_heading() -> None:
    for table in (
        table_of_jobs([JOB]),
        table_of_pairs(pairs_of(result(ROW), result(replace(ROW, seconds=0.25)))),
    ):
        assert {len(row) for row in table.rows} == {len(table.headings)}
    cells = dict(zip(table.headings, table.rows[0], strict=True))
    assert (cells["A, ms a frame"], cells["B, ms a frame"], cells["A / B"]) == (
        "500",
        "250",
        "2.00",
    )


def test_the_reader_is_told_of_the_machine_and_of_notes() -> None:
    lines = explained(result(ROW, jobs=(JOB,)))
    assert lines == [
        "A Processor, 2 threads; vsr 0.1.0, torch 2.13; 2026-03-01.",
        "Load before the bench: 0.25 of 2 cores.",
        "Peak in bf16: 400 GFLOP/s, by a 3x3 convolution of 64 channels.",
        "Copying: 20.0 GB/s, read and written.",
        "* with random weights, which take as long as trained ones.",
        "tga: a note",
    ]


def test_the_readme_is_the_same_after_a_second_run(
    tmp_path: Path, update: Callable[[Path, Path], None]
) -> None:
    readme, folder = tmp_path / "README.md", tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(result(ROW).as_json()))
    (folder / "b.json").write_text(json.dumps(result(jobs=(JOB,)).as_json()))
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    update(readme, folder)
    once = readme.read_text()
    assert once.startswith(f"before\n{BEGIN}\n")
    assert once.endswith(f"|\n\n{END}\nafter\n")
    assert "old" not in once
    assert once.index("a.json") < once.index("| tga | 320x180") < once.index("b.json")
    update(readme, folder)
    assert readme.read_text() == once
    for file in folder.iterdir():
        file.unlink()
    update(readme, folder)
    assert readme.read_text() == f"before\n{BEGIN}\n{END}\nafter\n"


def test_a_readme_without_the_markers_is_left_alone(
    tmp_path: Path, update: Callable[[Path, Path], None]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing\n")
    with pytest.raises(SystemExit, match=BEGIN):
        update(readme, tmp_path)
    assert readme.read_text() == "nothing\n"


@pytest.mark.parametrize("marker", [BEGIN, END])
def test_the_readme_has_the_markers(marker: str) -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count(marker) == 1
