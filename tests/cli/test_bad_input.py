"""Everything a user can get wrong: one line, an exit code, nothing left behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import clips
import pytest
import torch
from command import Outcome, Vsr
from models import tiny_weights

from vsrcli.zoo import catalogue as catalogue_module


def refused(outcome: Outcome, said: str, code: int = 1) -> None:
    """Assert that a command ended with this code and one line that holds `said`."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("vsr: ")
    assert said in lines[0]


def no_moov(folder: Path) -> Path:
    return clips.truncated(clips.clip(folder / "whole.mp4"), folder / "in.mp4")


def no_frame(folder: Path) -> Path:
    """An MP4 whose index is whole and whose pictures are gone."""
    data = bytearray(clips.clip(folder / "whole.mp4").read_bytes())
    start, stop = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:stop] = bytes(stop - start)
    path = folder / "in.mp4"
    path.write_bytes(data)
    return path


def empty(folder: Path) -> Path:
    path = folder / "in.mp4"
    path.touch()
    return path


def text(folder: Path, content: str = "Dear Sir or Madam,\nno film today.\n") -> Path:
    path = folder / "in.mp4"
    path.write_text(content)
    return path


def without_images(folder: Path) -> Path:
    path = folder / "in"
    path.mkdir()
    (path / "notes.txt").write_text("none")
    return path


def playlist(folder: Path) -> Path:
    clips.clip(folder / "other.ts", codec="mpeg2video")
    content = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n"
    return text(folder, content)


def concat_list(folder: Path) -> Path:
    clips.clip(folder / "other.mp4")
    return text(folder, "ffconcat version 1.0\nfile other.mp4\n")


BAD_INPUTS: list[tuple[Callable[[Path], Path], str]] = [
    (lambda folder: folder / "in.mp4", "no such file"),
    (without_images, "image"),
    (empty, "is empty"),
    (text, "holds text"),
    (lambda folder: clips.audio_only(folder / "in.mp3"), "no video"),
    (lambda folder: clips.cover_only(folder / "in.m4a"), "no video but a cover"),
    (no_frame, "can be decoded"),
    (no_moov, "moov"),
    (playlist, "--allow-protocol hls"),
    (concat_list, "--allow-protocol concat"),
    (lambda folder: folder / "%06d.png", "in"),
]


@pytest.mark.parametrize(("make", "said"), BAD_INPUTS)
@pytest.mark.parametrize("name", ["out.mp4", "%04d.png"])
def test_bad_input(
    vsr: Vsr, tmp_path: Path, make: Callable[[Path], Path], said: str, name: str
) -> None:
    source = make(tmp_path)
    target = tmp_path / "out"
    target.mkdir()
    refused(vsr("upscale", source, target / name, "--model", "lanczos"), said)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(("make", "said"), [row for row in BAD_INPUTS[:1] + BAD_INPUTS[2:8]])
def test_bad_input_of_probe(
    vsr: Vsr, tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    refused(vsr("probe", make(tmp_path)), said)


def test_strict_refuses_a_loss(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.truncated(clips.clip(tmp_path / "whole.mkv", frames=60), tmp_path / "in.mkv")
    words = ("upscale", source, "--model", "lanczos", "--scale", "2")
    assert vsr(*words, tmp_path / "out.mkv").code == 0
    refused(vsr(*words, tmp_path / "strict.mkv", "--strict"), "cut short; --strict refuses that")
    assert not (tmp_path / "strict.mkv").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9/in.mp4", "--allow-protocol http"),
        ("https://127.0.0.1:9/in.mp4", "--allow-protocol https"),
        ("concat:a.mp4|b.mp4", "protocol concat is refused"),
        ("pipe:0", "protocol pipe is refused"),
    ],
)
def test_protocols_are_refused(vsr: Vsr, tmp_path: Path, address: str, said: str) -> None:
    refused(vsr("upscale", address, tmp_path / "out.mp4", "--model", "lanczos"), said)
    refused(vsr("probe", address), said)
    assert list(tmp_path.iterdir()) == []


def test_allowed_protocol_that_does_not_answer(vsr: Vsr, tmp_path: Path) -> None:
    address = "http://127.0.0.1:9/in.mp4"
    target = tmp_path / "out.mp4"
    refused(
        vsr("upscale", address, target, "--model", "lanczos", "--allow-protocol", "http"),
        "cannot be read",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_playlist_that_is_trusted_is_read(vsr: Vsr, tmp_path: Path) -> None:
    found = vsr("probe", concat_list(tmp_path), "--allow-protocol", "concat")
    assert found.code == 0, found
    assert "64x48" in found.out


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (["--model", "nope"], "choose one of", 2),
        (["--codec", "nope"], "choose one of", 2),
        (["--device", "nope"], "use auto, cpu, cuda", 2),
        (["--device", "mps:3"], "use auto, cpu, cuda", 2),
        (["--scale", "0"], "--scale 0 makes no sense", 2),
        (["--scale", "-2"], "--scale -2 makes no sense", 2),
        (["--scale", "1000"], "--scale 1000 makes no sense", 2),
        (["--scale", "nan"], "'nan' is not a number", 2),
        (["--scale", "inf"], "'inf' is not a number", 2),
        (["--scale", "1/0"], "'1/0' is not a number", 2),
        (["--scale", "two"], "'two' is not a number", 2),
        (["--scale", "2", "--height", "90"], "not several", 2),
        (["--height", "0"], "makes no sense", 2),
        (["--height", "-3"], "makes no sense", 2),
        (["--height", "70000"], "too large", 2),
        (["--size", "1920"], "is not a size", 2),
        (["--size", "0x5"], "makes no sense", 2),
        (["--size", "99999x99999"], "too large", 2),
        (["--tile", "x"], "neither a number", 2),
        (["--tile", "1"], "too small", 2),
        (["--start", "soon"], "is not a time", 2),
        (["--start", "-1"], "is not a time", 2),
        (["--start", "5", "--end", "4"], "must be later than the start", 2),
        (["--start", "500"], "it lasts 0.500 s", 1),
        (["--crf", "99"], "goes from 0 to 51", 2),
        (["--crf", "nan"], "goes from 0 to 51", 2),
        (["--preset", "warp"], "choose one of ultrafast", 2),
        (["--pix-fmt", "nope"], "cannot encode nope", 1),
        (["--encoder-option", "novalue"], "is not KEY=VALUE", 2),
        (["--encoder-option", "nope=1"], "has no such option", 1),
        (["--audio", "nope"], "nope", 2),
        (["--fps", "30"], "only for images", 2),
        (["--weights", "nope.safetensors"], "takes no weights", 2),
        (["--model", "nope.safetensors"], "No weights file", 1),
        (["--codec", "prores"], "mp4 does not hold prores", 1),
    ],
)
def test_bad_option(vsr: Vsr, tmp_path: Path, options: list[str], said: str, code: int) -> None:
    source = clips.with_audio(tmp_path / "in.mp4", frames=5)
    target = tmp_path / "out"
    target.mkdir()
    model = [] if "--model" in options else ["--model", "lanczos"]
    refused(vsr("upscale", source, target / "out.mp4", *model, *options), said, code)
    assert list(target.iterdir()) == []


def test_options_that_typer_refuses_exit_with_two(vsr: Vsr, tmp_path: Path) -> None:
    for words in (["--nope"], ["--precision", "fp8"], ["--deinterlace", "x"], ["--crf", "x"]):
        found = vsr("upscale", tmp_path / "in.mp4", tmp_path / "out.mp4", *words)
        assert found.code == 2
        assert found.out == ""
        assert found.err.startswith("vsr: ") and found.err.count("\n") == 1
        assert words[0] in found.err and "vsr upscale --help`" in found.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    for device in ("cuda", "cuda:1"):
        found = vsr("upscale", source, tmp_path / "out.mp4", "--device", device)
        refused(found, "use --device cpu")
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none/out.mp4", "there is no folder"),
        ("in.mp4/out.mp4", "there is no folder"),
        ("folder", "is a folder"),
        ("in.mp4", "is the input itself"),
        ("link.mp4", "is the input itself"),
        ("there.mp4", "add --overwrite"),
        ("out.xyz", "no container is known by the suffix .xyz"),
        ("out", "no container is known by the suffix"),
        ("there.mp4/%d.png", "is a file"),
        ("folder/%d.png", "is not empty"),
        ("out.exr", "no container is known"),
        ("a\nb.xyz", "a b.xyz: no container is known"),
    ],
)
def test_bad_output(vsr: Vsr, tmp_path: Path, name: str, said: str) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    (tmp_path / "link.mp4").symlink_to(source)
    (tmp_path / "there.mp4").write_text("there")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "there.txt").touch()
    before = sorted(tmp_path.rglob("*")), source.read_bytes()
    refused(vsr("upscale", source, tmp_path / name, "--model", "lanczos"), said)
    assert (sorted(tmp_path.rglob("*")), source.read_bytes()) == before
    assert (tmp_path / "there.mp4").read_text() == "there"


def test_overwrite_does_not_overwrite_the_input(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    before = source.read_bytes()
    refused(
        vsr("upscale", source, source, "--model", "lanczos", "--overwrite"), "is the input itself"
    )
    assert source.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(vsr: Vsr, tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    folder = tmp_path / "out"
    folder.mkdir(mode=0o500)
    refused(vsr("upscale", source, folder / "out.mp4", "--model", "lanczos"), "not writable")


def shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one tiny network, put in the place of the shipped one; its weights file."""
    weights = tiny_weights(folder)
    row = {
        "network": "tga", "file": weights.name, "scale": 4, "degradation": "none",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "training": "none", "licence": "MIT",
    }  # fmt: skip
    (folder / "catalogue.json").write_text(json.dumps({"tga-lite": row}))
    monkeypatch.setattr(catalogue_module, "weights_folder", lambda: folder)
    catalogue_module.catalogue.cache_clear()
    return weights


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    (tmp_path / "weights").mkdir()
    yield shipped(tmp_path / "weights", monkeypatch)
    catalogue_module.catalogue.cache_clear()


def test_weights_of_another_hash(vsr: Vsr, tmp_path: Path, weights: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=2)
    assert vsr("weights", "verify").out == f"tga-lite: {weights.name} is whole\n"
    assert "tga-lite" in vsr("weights", "list").out
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    refused(vsr("upscale", source, tmp_path / "out.mp4", "--model", "tga-lite"), "has SHA-256")
    refused(vsr("weights", "verify"), "has SHA-256")
    weights.unlink()
    refused(vsr("upscale", source, tmp_path / "out.mp4", "--model", "tga-lite"), "No weights file")
    assert not (tmp_path / "out.mp4").exists()


def test_weights_of_another_network(vsr: Vsr, tmp_path: Path, weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = clips.clip(tmp_path / "in.mp4", frames=2)
    state = load_file(weights)
    config = '{"features": 8, "growth": 4, "intra_blocks": 2, "inter_blocks": 1, "up_features": 8}'
    name = next(iter(state))
    damaged = {
        "network": ("of fstrn", {"network": "fstrn", "config": "{}"}, state),
        "lacks": (name, {"network": "tga", "config": config},
                  {k: v for k, v in state.items() if k != name}),
        "unnamed": ("does not say which network", {}, state),
        "config": ("Not a configuration", {"network": "tga", "config": '{"width": 3}'}, state),
    }  # fmt: skip
    for kind, (said, header, tensors) in damaged.items():
        path = tmp_path / f"{kind}.safetensors"
        save_file(tensors, path, metadata=header)
        for words in (["--model", "tga-lite", "--weights", path], ["--model", path]):
            found = vsr("upscale", source, tmp_path / "out.mp4", *words)
            # Without a name to compare it with, the header is believed until the tensors belie it.
            believed = kind == "network" and "tga-lite" not in words
            refused(found, "is of another network" if believed else said)
    shutil.copy(source, tmp_path / "film.safetensors")
    for words in (["--weights", tmp_path / "film.safetensors"], ["--weights", tmp_path]):
        refused(vsr("upscale", source, tmp_path / "out.mp4", *words), "is not a readable")
    assert not (tmp_path / "out.mp4").exists()
