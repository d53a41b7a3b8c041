"""Models in ONNX Runtime through the whole of a restorer, beside torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from models import tiny_weights
from onnx_models import write_plain

from vsrcli.errors import DeviceError, UsageError, WeightsError
from vsrcli.restore.restorer import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that these tests share, as exporting takes a second and more."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_CACHE", str(folder))


def _two_scenes(lengths: tuple[int, int]) -> list[torch.Tensor]:
    """Frames of 38 x 52, a size that no network asks for."""
    frames = []
    for length, level in zip(lengths, (0.0, 0.7), strict=True):
        coarse = torch.rand(length, 3, 10, 14) * 0.3 + level
        frames += list(F.interpolate(coarse, (38, 52), mode="bilinear"))
    return frames


@pytest.mark.parametrize("name", ["basicvsr", "fstrn", "spmc", "stdan", "stfan", "tga"])
def test_every_strategy_equals_torch(name: str, tmp_path: Path) -> None:
    """A long scene and a short one, with states and streams that begin anew between them."""
    weights, frames = tiny_weights(tmp_path, name=name), _two_scenes((6, 2))
    torch_, onnx_ = (
        load(name, weights, "cpu", "fp32", backend=backend) for backend in ("torch", "onnx")
    )
    assert (torch_.backend, onnx_.backend) == ("torch", "onnx")
    wanted, made = (torch.stack(list(each.stream(frames))) for each in (torch_, onnx_))
    assert made.shape == wanted.shape
    assert (made - wanted).abs().max() < 1e-3 and (made - wanted).abs().mean() < 1e-5
    assert onnx_.warnings == []


@pytest.mark.parametrize("name", ["fstrn", "stfan", "tga"])
def test_tiles_equal_torch(name: str, tmp_path: Path) -> None:
    weights, frames = tiny_weights(tmp_path, name=name), _two_scenes((3, 1))
    wanted, made = (
        load(name, weights, "cpu", "fp32", tile=32, backend=backend).stream(frames)
        for backend in ("torch", "onnx")
    )
    for a, b in zip(made, wanted, strict=True):
        assert (a - b).abs().max() < 1e-4


def test_exported_once(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tiny_weights(tmp_path, seed=1)
    assert load("tga", weights, "cpu", backend="onnx").dtype == torch.float32
    files = set((folder / "onnx").iterdir())
    load("tga", weights, "cpu", "fp16", backend="onnx")
    half = set((folder / "onnx").iterdir()) - files
    assert len(half) == 1
    monkeypatch.setattr("vsrcli.restore.onnx_backend.export_network", None)
    load("tga", weights, "cpu", backend="onnx")
    assert load(str(*half), device="cpu").dtype == torch.float16


def test_a_file_is_a_model(tmp_path: Path, folder: Path) -> None:
    path = str(write_plain(tmp_path / "my model.ONNX", scale=2))
    restorer = load(path, device="cpu")
    assert (restorer.backend, restorer.name, restorer.scale) == ("onnx", path, 2)
    made = list(restorer.stream(_two_scenes((2, 1))))
    assert [frame.shape for frame in made] == [(3, 76, 104)] * 3


def test_the_best_device_is_one_that_the_runtime_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with a card and a build of ONNX Runtime for none."""
    card = torch.device("cuda", 0)
    monkeypatch.setattr("vsrcli.restore.restorer.find_device", lambda name: card)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    path = str(write_plain(tmp_path / "model.onnx"))
    assert load(path).device.type == "cpu"
    with pytest.raises(DeviceError, match="nothing for cuda:0"):
        load(path, device="cuda:0")


def test_what_does_not_go_together(tmp_path: Path) -> None:
    path = str(write_plain(tmp_path / "model.onnx"))
    weights = tiny_weights(tmp_path)
    with pytest.raises(UsageError, match="runs in ONNX Runtime alone"):
        load(path, device="cpu", backend="torch")
    with pytest.raises(UsageError, match="holds its weights"):
        load(path, weights, "cpu")
    with pytest.raises(UsageError, match="computes in fp32; leave --precision fp16 out"):
        load(path, device="cpu", precision="fp16")
    with pytest.raises(UsageError, match="does not compute in bf16 here"):
        load("tga", weights, "cpu", "bf16", backend="onnx")
    with pytest.raises(UsageError, match="needs no ONNX Runtime"):
        load("lanczos", device="cpu", backend="onnx")
    with pytest.raises(WeightsError, match="No ONNX file"):
        load(str(tmp_path / "absent.onnx"), device="cpu")


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VSR_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="cannot be used: .*VSR_CACHE"):
        load("tga", tiny_weights(tmp_path), "cpu", backend="onnx")


def test_out_of_memory_goes_on_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ONNX Runtime says then is understood."""
    restorer = load("tga", tiny_weights(tmp_path), "cpu", "fp32", backend="onnx")
    graph = restorer.network._graphs["from_features"]
    runtime = graph._session.runtime
    failure = onnx_failure("Failed to allocate memory for requested buffer of size 99")

    class Small:
        def run(self, outputs: list[str], feed: dict[str, object]) -> object:
            if feed["center"].shape[-1] > 150:  # type: ignore[attr-defined]
                raise failure
            return runtime.run(outputs, feed)

    monkeypatch.setattr(graph._session, "runtime", Small())
    frames = list(torch.rand(2, 3, 24, 200))
    made = torch.stack(list(restorer.stream(frames)))
    assert len(restorer.warnings) == 1 and "tiles of 100 pixels" in restorer.warnings[0]
    whole = load("tga", tiny_weights(tmp_path), "cpu", "fp32")
    assert (made - torch.stack(list(whole.stream(frames)))).abs().max() < 1e-3


def onnx_failure(text: str) -> Exception:
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    failure: Exception = RuntimeException(text)
    return failure
