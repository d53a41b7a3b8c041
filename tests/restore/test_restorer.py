"""Loading a model and streaming frames through it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models import tiny_tga, tiny_weights

import vsrcli
from vsrcli.errors import InputError, UsageError, WeightsError
from vsrcli.ops.resize import resize
from vsrcli.restore.device import find_dtype
from vsrcli.restore.restorer import Restorer, load
from vsrcli.zoo.catalogue import catalogue
from vsrcli.zoo.weights import load_weights


def test_network_takes_windows(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path)
    restorer = load(str(path), device="cpu", precision="fp32")
    frames = torch.rand(2, 7, 3, 8, 9)
    with torch.no_grad():
        assert (restorer.network(frames) - load_weights(path)(frames)).abs().max() < 1e-5
    assert restorer.scale == 4


def test_weights_without_a_name_say_what_they_are(tmp_path: Path) -> None:
    restorer = load(weights=tiny_weights(tmp_path, name="fstrn"), device="cpu", precision="fp32")
    assert restorer.spec.network == "fstrn"


def test_streams_arrays_and_tensors_alike(tmp_path: Path) -> None:
    restorer = load(str(tiny_weights(tmp_path)), device="cpu", precision="fp32")
    arrays = [np.random.default_rng(i).integers(0, 256, (8, 9, 3), np.uint8) for i in range(5)]
    tensors = [torch.from_numpy(a).permute(2, 0, 1) / 255 for a in arrays]
    from_arrays, from_tensors = list(restorer.stream(arrays)), list(restorer.stream(tensors))
    assert len(from_arrays) == 5
    assert from_arrays[0].shape == (3, 32, 36) and from_arrays[0].dtype == torch.float32
    for a, b in zip(from_arrays, from_tensors, strict=True):
        assert torch.equal(a, b)


def test_takes_an_endless_iterable() -> None:
    def endless():  # type: ignore[no-untyped-def]
        while True:
            yield torch.rand(3, 4, 4)

    results = load("bicubic", device="cpu", scale=2).stream(endless())
    assert next(results).shape == (3, 8, 8)


def test_no_frames_are_no_frames() -> None:
    assert list(load("lanczos", device="cpu").stream([])) == []


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
def test_baselines_resample_and_keep_what_lies_outside(kernel) -> None:  # type: ignore[no-untyped-def]
    frame = torch.rand(3, 6, 5) * 1.2 - 0.1
    made = list(load(kernel, device="cpu", scale=3).stream([frame]))
    assert torch.equal(made[0], resize(frame, (18, 15), kernel))


def test_scene_cut_resets_the_window(tmp_path: Path) -> None:
    """Frames of the second scene come out as if the first did not exist."""
    path = str(tiny_weights(tmp_path))
    dark, bright = torch.rand(6, 3, 32, 32) * 0.2, torch.rand(6, 3, 32, 32) * 0.2 + 0.7
    both = [*dark, *bright]
    detected = list(load(path, precision="fp32", device="cpu").stream(both))
    mixed = load(path, precision="fp32", device="cpu", scene_detection=False).stream(both)
    alone = list(load(path, precision="fp32", device="cpu").stream(list(bright)))
    assert max(float((a - b).abs().max()) for a, b in zip(detected[6:], alone, strict=True)) < 1e-5
    assert (list(mixed)[6] - alone[0]).abs().max() > 1e-3


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    restorer = load(str(tiny_weights(tmp_path)), device="cpu")
    with pytest.raises(InputError, match=r"Frame 1 has shape \(3, 8, 9\)"):
        list(restorer.stream([torch.rand(3, 8, 8), torch.rand(3, 8, 9)]))
    with pytest.raises(InputError, match="uint8"):
        list(restorer.stream([np.zeros((8, 8, 3), np.float32)]))  # type: ignore[list-item]


def test_precision_that_overflows_falls_back() -> None:
    """Activations beyond fp16's range: the first frames show it and the job goes on in fp32."""
    network = tiny_tga()
    with torch.no_grad():
        network.conv3d_r1.weight.mul_(1e6)
        network.conv3d_r2.weight.mul_(1e-6)
    frames = list(torch.rand(3, 3, 16, 16))
    half = Restorer(
        "tiny", network, torch.device("cpu"), torch.float16, "off", scene_detection=False
    )
    full = Restorer(
        "tiny", network, torch.device("cpu"), torch.float32, "off", scene_detection=False
    )
    for a, b in zip(half.stream(frames), full.stream(frames), strict=True):
        assert torch.equal(a, b)
    assert half.dtype == torch.float32
    assert len(half.warnings) == 1 and "using fp32" in half.warnings[0]
    assert full.warnings == []


def test_says_how_it_went_on_without_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough for one window but not for two: batches shrink, and no tile is spoken of."""
    restorer = load(str(tiny_weights(tmp_path)), device="cpu", precision="fp32")
    original = restorer.network.from_features

    def one_at_a_time(features, center):  # type: ignore[no-untyped-def]
        if len(center) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return original(features, center)

    monkeypatch.setattr("vsrcli.restore.restorer.choose_batch", lambda *_: 2)
    monkeypatch.setattr(restorer.network, "from_features", one_at_a_time)
    assert len(list(restorer.stream(torch.rand(5, 3, 16, 16)))) == 5
    assert restorer.warnings == ["Memory ran out; went on with one frame at a time"]


def test_bad_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Unknown model 'tgaa'; choose one of .*tga-lite.*lanczos"):
        load("tgaa", device="cpu")
    with pytest.raises(UsageError, match="takes no weights"):
        load("bicubic", weights=tmp_path / "x.safetensors", device="cpu")
    with pytest.raises(UsageError, match="too small"):
        load("tga-lite", device="cpu", tile=3)
    with pytest.raises(WeightsError, match="No weights file"):
        load("tga", weights=tmp_path / "absent.safetensors", device="cpu")


def test_says_that_a_processor_only_emulates_a_precision(tmp_path: Path) -> None:
    weights = str(tiny_weights(tmp_path))
    said = load(weights, device="cpu", precision="bf16").warnings
    if find_dtype("auto", torch.device("cpu")) == torch.float32:
        assert said == [
            "This processor has no bf16 of its own, fp32 is faster; leave out --precision"
        ]
    else:
        assert said == []
    assert load(weights, device="cpu").warnings == []
    assert load("lanczos", device="cpu", precision="bf16").warnings == []


def test_public_load_is_this_one() -> None:
    assert vsrcli.load is load


@pytest.mark.skipif(
    find_dtype("auto", torch.device("cpu")) == torch.float32,
    reason="auto takes fp32 on this processor, where bf16 would need minutes",
)
@pytest.mark.parametrize("model", sorted(catalogue()))
def test_shipped_models_hold_their_precision(model: str, real_clip: torch.Tensor) -> None:
    """bf16 within 1/255 of fp32 on real frames, so `auto` never has to fall back."""
    frames = list(real_clip[:3])
    exact = list(load(model, device="cpu", precision="fp32").stream(frames))
    restorer = load(model, device="cpu", precision="bf16")
    quick = list(restorer.stream(frames))
    assert restorer.warnings == [] and restorer.dtype == torch.bfloat16
    assert max(float((a - b).abs().max()) for a, b in zip(exact, quick, strict=True)) < 1 / 255


@pytest.mark.cuda
@pytest.mark.parametrize("model", sorted(catalogue()))
def test_card_equals_cpu(model: str, real_clip: torch.Tensor) -> None:
    frames = list(real_clip[:8])
    exact = list(load(model, device="cpu", precision="fp32").stream(frames))
    for precision, bound in (("fp32", 1e-3), ("fp16", 1 / 255)):
        restorer = load(model, device="cuda", precision=precision)  # type: ignore[arg-type]
        made = [frame.cpu() for frame in restorer.stream(frames)]
        assert restorer.warnings == []
        assert max(float((a - b).abs().max()) for a, b in zip(made, exact, strict=True)) < bound


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["fstrn", "spmc", "stdan", "stfan", "basicvsr"])
def test_untrained_networks_on_a_card_equal_those_on_a_cpu(
    name: str, tmp_path: Path, real_clip: torch.Tensor
) -> None:
    weights, frames = tiny_weights(tmp_path, name=name), list(real_clip[:6])
    exact = torch.stack(list(load(name, weights, "cpu", "fp32").stream(frames)))
    made = torch.stack(
        [frame.cpu() for frame in load(name, weights, "cuda", "fp32").stream(frames)]
    )
    assert float((made - exact).abs().mean()) < 1e-4
