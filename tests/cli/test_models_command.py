"""`vsr models`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import Vsr
from models import tiny_tga

from vsrcli.zoo.models import find_model, listed_names
from vsrcli.zoo.weights import save_weights

pytestmark = pytest.mark.usefixtures("cache")


def test_list(vsr: Vsr, cache: Path) -> None:
    licence = "none stated by the authors, who were asked twice"
    save_weights(cache / "tga-official.safetensors", tiny_tga(), {"licence": licence})
    (cache / "torn.safetensors").write_bytes(b"hello")
    names = [name for name in listed_names() if name != "torn"]
    found = vsr("models")
    assert found.code == 0
    assert found.err.startswith("torn is left out: ") and found.err.count("\n") == 1
    rows = {line.split()[0]: line for line in found.out.splitlines() if line.strip()}
    assert set(names) <= set(rows)
    tga = find_model("tga")
    assert re.split(" {2,}", rows["tga"].strip()) == [
        "tga", "upscale x4", "window of 7", "7.06 M", "1,293", "shipped", f"{tga.gain:+.2f}", "MIT",
    ]  # fmt: skip
    assert "groups of 4, twice the frames" in rows["stdan"] and "space-time x4" in rows["stdan"]
    assert "online" in rows["basicvsr-reds"] and "both ways with 15 ahead" in rows["basicvsr-reds"]
    assert "fetched" in rows["tga-official"] and licence in rows["tga-official"]
    degradation = re.escape(tga.header["degradation"])
    assert re.search(rf"Degradation \([^)]*\btga\b[^)]*\): {degradation}", found.out)


def test_list_on_a_terminal(vsr: Vsr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = vsr("models").out
    assert "\x1b[" in out
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert max(map(len, lines)) <= 80
    # Nothing is cut, and no word is broken.
    assert "…" not in out
    for row in (("1,293", "window of", "MIT"), ("recurrent",), ("basicvsr", "Apache-2.0")):
        assert any(all(part in line for part in row) for line in lines), row


def test_list_for_machines(vsr: Vsr) -> None:
    found = vsr("models", "--json")
    assert (found.code, found.err) == (0, "")
    listed = json.loads(found.out)
    assert list(listed) == listed_names()
    assert listed["tga"]["gflop"] == pytest.approx(1293, rel=1e-3)
    assert listed["bicubic"]["scales"] == []


def test_all_of_one(vsr: Vsr) -> None:
    found = vsr("models", "tga")
    assert (found.code, found.err) == (0, "")
    told = [line.split(maxsplit=1) for line in found.out.splitlines()[1:]]
    first = {label: text for label, text in reversed(told)}
    assert first["task"] == "upscale x4"
    assert "default" not in first
    assert "for enlarging other video" in vsr("models", "fstrn").out
    assert "CVPR 2020" in first["paper"]
    assert first["parameters"] == "7,057,853"
    assert first["work"] == "1,293 GFLOP an output frame, input of 320x180"
    tga = find_model("tga")
    assert first["file"].startswith(f"{tga.path}, ") and first["file"].endswith(" bytes")
    assert first["SHA-256"] == tga.file_hash()
    assert first["training"] and first["licence"] == "MIT"
    assert first["gain"] == f"{tga.gain:+.2f} dB over bicubic in the mean"
    assert "vsr weights fetch tga" in first["note"]


def test_all_of_one_for_machines(vsr: Vsr) -> None:
    found = json.loads(vsr("models", "fstrn", "--json").out)
    assert found["name"] == "fstrn"
    assert found["strategy"]["kind"] == "chunk"
    assert found["advice"]


def test_unknown_name(vsr: Vsr) -> None:
    found = vsr("models", "edvr")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("vsr: Unknown model 'edvr'; choose one of tga, ")
