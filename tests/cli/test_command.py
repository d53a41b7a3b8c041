"""What the command prints, and where."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import clips
import pytest
import torch
from command import Vsr
from ffmpeg import describe, video_times
from models import tiny_tga
from parity import load_fixture

import vsrcli
from vsrcli.cli import progress as progress_module
from vsrcli.cli.options import parse_encoder_option, parse_ratio, parse_size, parse_time
from vsrcli.cli.progress import clock, summary
from vsrcli.errors import UsageError
from vsrcli.jobs.report import Progress

ROOT = Path(__file__).parents[2]
LANCZOS = ("--model", "lanczos", "--scale", "2", "--preset", "ultrafast", "--device", "cpu")
HEAVY = {"torch", "onnxruntime", "av", "numpy", "safetensors"}


def python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    )


def loaded_by(code: str) -> set[str]:
    """Which of the slow packages a fresh interpreter has loaded after `code`."""
    done = python(f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)")
    assert done.returncode == 0, done.stderr
    return HEAVY & set(done.stderr.split())


def test_import_and_help_load_nothing_slow() -> None:
    assert loaded_by("import vsrcli; vsrcli.__version__") == set()
    for words in (
        ["--help"],
        ["upscale", "--help"],
        ["deblur", "--help"],
        ["weights", "--help"],
        ["--version"],
    ):
        code = (
            "from vsrcli.cli.main import run\n"
            f"sys.argv = ['vsr', *{words}]\n"
            "try: run()\nexcept SystemExit as left: assert not left.code"
        )
        assert loaded_by(code) == set(), words


def test_help_lists_every_verb(vsr: Vsr) -> None:
    found = vsr("--help")
    assert found.code == 0
    for verb in ("upscale", "deblur", "models", "probe", "train", "weights"):
        assert verb in found.out
    assert vsr("--version").out == f"vsr {vsrcli.__version__}\n"


def test_no_words_show_the_help(vsr: Vsr) -> None:
    for words, verb in (((), "upscale"), (("weights",), "import")):
        found = vsr(*words)
        assert found.code == 2
        assert "Usage" in found.out + found.err and verb in found.out + found.err
    assert "No such command 'enlarge'; see" in vsr("enlarge").err


def test_public_names() -> None:
    assert vsrcli.__all__ == sorted(vsrcli.__all__)
    for name in vsrcli.__all__:
        assert getattr(vsrcli, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        vsrcli.nothing  # noqa: B018
    assert {"bicubic", "lanczos", "tga-lite"} <= set(vsrcli.available_models())


def test_summary_stands_on_stderr(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4")
    target = tmp_path / "out.mp4"
    found = vsr("upscale", source, target, *LANCZOS)
    assert found.code == 0
    assert found.out == ""
    lines = found.err.splitlines()
    assert lines[0] == "Untagged 64x48 video: assuming BT.601 (smpte170m) matrix"
    assert lines[-1].startswith(
        f"{target}: 64x48 -> 128x96, lanczos on cpu in fp32, h264, 10 frame"
    )
    assert len(video_times(target)) == 10


def test_json_is_one_object_on_stdout(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS, "--json", "--quiet")
    assert found.code == 0
    assert found.err == ""
    assert found.out.count("\n") == 1
    report = json.loads(found.out)
    assert report["frames"] == 20
    assert (report["input_size"], report["output_size"]) == ([64, 48], [128, 96])
    assert (report["codec"], report["container"], report["model"]) == ("h264", "mp4", "lanczos")
    assert report["seconds"] > 0
    assert report["fps"] == pytest.approx(20 / report["seconds"], rel=0.2)
    assert sum(report["stages"].values()) == pytest.approx(1)
    assert set(report["stages"]) == {"decode", "restore", "encode"}
    assert any("attachment" in note for note in report["notes"])
    assert any("BT.601" in guess for guess in report["guesses"])


def test_json_without_quiet_keeps_stdout_clean(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS, "--json")
    assert json.loads(found.out)["frames"] == 2
    assert "2 frames" in found.err


def test_quiet_says_nothing(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS, "--quiet")
    assert (found.code, found.out, found.err) == (0, "", "")
    assert (tmp_path / "out.mp4").exists()


def test_quiet_still_says_what_fails(vsr: Vsr, tmp_path: Path) -> None:
    found = vsr("upscale", tmp_path / "in.mp4", tmp_path / "out.mp4", *LANCZOS, "--quiet")
    assert (found.code, found.err) == (1, f"vsr: {tmp_path / 'in.mp4'}: no such file\n")


def test_encoders_print_nothing_of_their_own(tmp_path: Path) -> None:
    """libx265 and SVT-AV1 like to write to the terminal, past Python's own streams."""
    source = clips.clip(tmp_path / "in.mp4", frames=3)
    code = (
        "import sys\nfrom vsrcli.cli.main import run\n"
        "sys.argv = ['vsr', 'upscale', sys.argv[1], sys.argv[2], '--model', 'lanczos', '--scale',"
        " '2', '--quiet', '--codec', sys.argv[3]]\nrun()"
    )
    for codec in ("hevc", "av1"):
        done = python(code, str(source), str(tmp_path / f"{codec}.mp4"), codec)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["out.mp4", "out/%03d.png", "out.mkv"])
def test_dry_run_writes_nothing(vsr: Vsr, tmp_path: Path, name: str) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    found = vsr("upscale", source, tmp_path / name, "--model", "lanczos", "--dry-run")
    assert found.code == 0
    assert found.out == ""
    last = found.err.splitlines()[-1]
    assert last.startswith(f"Would write {tmp_path / name}: 64x48 -> 256x192, lanczos on ")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_dry_run_as_json(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.rotated(tmp_path / "in.mp4", 90)
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS, "--dry-run", "--json")
    report = json.loads(found.out)
    assert (report["input_size"], report["output_size"]) == ([48, 64], [96, 128])
    assert (report["frames"], report["codec"], report["pix_fmt"]) == (0, "h264", "yuv420p")
    assert not (tmp_path / "out.mp4").exists()


def test_progress_comes_in_lines_where_there_is_no_terminal(
    vsr: Vsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN_LINES", 0.0)
    source = clips.clip(tmp_path / "in.mp4", frames=4)
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS)
    lines = [line for line in found.err.splitlines() if " frames, " in line and "left" in line]
    assert [line.split()[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert "\r" not in found.err and "\x1b" not in found.err
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN_LINES", 3600.0)
    found = vsr("upscale", source, tmp_path / "out2.mp4", *LANCZOS)
    assert "left" not in found.err


def test_progress_is_a_bar_on_a_terminal(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=50)
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "vsrcli.cli.main", "upscale", source, tmp_path / "out.mp4",
         "--model", "lanczos", "--scale", "8"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert out == b""
    text = shown.decode()
    assert "/50 frames" in text and "decode" in text and "left" in text
    assert "50 frames in 0:00:" in text.splitlines()[-1]


def test_debug_shows_where(tmp_path: Path) -> None:
    code = "from vsrcli.cli.main import run; run()"
    words = ["upscale", str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4"), "--debug"]
    done = python(code, *words)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "InputError" in done.stderr.splitlines()[-1]


def test_a_fault_of_our_own_is_one_line(
    vsr: Vsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("vsrcli.jobs.picture_route._to_planes", broken)
    source = clips.clip(tmp_path / "in.mp4", frames=3)
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS, "--pix-fmt", "yuv444p")
    assert found.code == 1
    assert found.err == (
        "vsr: ZeroDivisionError: two lines (a fault of vsr; --debug shows where)\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_frames_lost_on_the_way_are_an_error(
    vsr: Vsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vsrcli.restore.restorer import Restorer

    stream = Restorer.stream
    monkeypatch.setattr(
        Restorer, "stream", lambda self, pictures: iter(list(stream(self, pictures))[:-1])
    )
    source = clips.clip(tmp_path / "in.mp4", frames=5)
    found = vsr("upscale", source, tmp_path / "out.mp4", *LANCZOS, "--pix-fmt", "yuv444p")
    assert found.code == 1
    assert "1 frames went in and did not come out" in found.err
    assert not (tmp_path / "out.mp4").exists()


def test_probe_prints_for_people_and_machines(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    found = vsr("probe", source)
    assert (found.code, found.err) == (0, "")
    assert "64x48" in found.out and "deu" in found.out and "subrip" in found.out
    found = vsr("probe", source, "--json")
    assert (found.code, found.err) == (0, "")
    info = json.loads(found.out)
    video = info["streams"][info["video"]]
    assert (video["width"], video["height"], video["codec"]) == (64, 48, "h264")
    assert [stream["type"] for stream in info["streams"]] == [
        "video", "audio", "audio", "subtitle", "other",
    ]  # fmt: skip
    assert [chapter["metadata"]["title"] for chapter in info["chapters"]] == ["One", "Two"]


def test_probe_of_images(vsr: Vsr, tmp_path: Path) -> None:
    folder = clips.images(tmp_path / "in", "%03d.png", "rgb24")
    for source in (folder, folder / "%03d.png", folder / "001.png"):
        found = vsr("probe", source, "--json")
        assert found.code == 0, found.err
        assert json.loads(found.out)["streams"][0]["width"] == 64


def test_weights_list(vsr: Vsr) -> None:
    found = vsr("weights", "list")
    assert found.code == 0
    assert "tga-lite" in found.out and "x4" in found.out
    listed = json.loads(vsr("weights", "list", "--json").out)
    assert listed["tga-lite"]["network"] == "tga"
    assert len(listed["tga-lite"]["sha256"]) == 64


def test_weights_verify(vsr: Vsr) -> None:
    found = vsr("weights", "verify")
    assert (found.code, found.err) == (0, "")
    assert "tga-lite: tga-lite.safetensors is whole" in found.out.splitlines()


def test_weights_import(vsr: Vsr, tmp_path: Path) -> None:
    checkpoint = tmp_path / "official.pth"
    torch.save(load_fixture("tga").state, checkpoint)
    found = vsr("weights", "import", "tga", checkpoint)
    assert found.code == 0, found
    target = tmp_path / "official.safetensors"
    assert found.out == f"{target}\n"
    assert str(target) in found.err
    again = vsr("weights", "import", "tga", checkpoint)
    assert again.code == 1 and "--overwrite" in again.err
    assert vsr("weights", "import", "tga", checkpoint, "--overwrite").code == 0

    source = clips.clip(tmp_path / "in.mp4", frames=1, size=(16, 16))
    found = vsr("upscale", source, tmp_path / "out.mp4", "--model", target, "--device", "cpu")
    assert found.code == 0, found
    assert "64x64" in describe(tmp_path / "out.mp4")


def test_weights_import_of_something_else(vsr: Vsr, tmp_path: Path) -> None:
    checkpoint = tmp_path / "official.pth"
    torch.save(tiny_tga().state_dict(), checkpoint)
    before = checkpoint.read_bytes()
    for words, code in (
        (["tga", checkpoint], 1),
        (["nope", checkpoint], 2),
        (["tga", tmp_path / "none.pth"], 1),
        (["tga", checkpoint, "-o", checkpoint], 1),
    ):
        found = vsr("weights", "import", *words)
        assert found.code == code, found
        assert found.err.startswith("vsr: ") and found.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["official.pth"]
    assert checkpoint.read_bytes() == before


def test_train_says_what_it_lacks(vsr: Vsr, tmp_path: Path) -> None:
    for words in ([], ["tga-lite", "--out", tmp_path], ["nope", "--out", tmp_path, "--data",
                  tmp_path, "--steps", "1"]):  # fmt: skip
        found = vsr("train", *words)
        assert found.code == 2, found
        assert found.err.startswith("vsr: ") and found.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_times_sizes_and_ratios_are_exact() -> None:
    assert parse_time("1:02:03.25") == Fraction(14893, 4)
    assert parse_time("90") == 90
    assert parse_time("0:01.001") == Fraction(1001, 1000)
    assert parse_ratio("30000/1001") == Fraction(30000, 1001)
    assert parse_ratio("2.5") == Fraction(5, 2)
    assert parse_size("1920x1080") == (1920, 1080)
    assert parse_encoder_option("x264-params=a=1:b=2") == ("x264-params", "a=1:b=2")
    for parse, text in ((parse_time, "1:2:3:4"), (parse_time, "1e3"), (parse_ratio, ""),
                        (parse_size, "1920*1080"), (parse_encoder_option, "=1")):  # fmt: skip
        with pytest.raises(UsageError):
            parse(text)  # type: ignore[operator]


def test_summary_of_progress() -> None:
    shares = {"decode": 0.03, "restore": 0.9, "encode": 0.07}
    assert summary(Progress(34, 72, 5.1, shares)) == (
        "34/72 frames, 5.1 fps, decode 3% restore 90% encode 7%, 0:00:07 left"
    )
    assert summary(Progress(34, None, 5.1, shares)) == (
        "34 frames, 5.1 fps, decode 3% restore 90% encode 7%"
    )
    assert clock(3723.4) == "1:02:03"
