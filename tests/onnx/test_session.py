"""What ONNX Runtime is asked for on each device."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import onnxruntime
import pytest
import torch
from onnx_models import write_plain

from vsrcli.errors import DeviceError
from vsrcli.onnx.session import Session, providers_for, runs_on

CARD = torch.device("cuda", 1)
TENSORRT, CUDA, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU"))


def _offers(monkeypatch: pytest.MonkeyPatch, *providers: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))


def test_cpu() -> None:
    assert providers_for(torch.device("cpu")) == [CPU]


def test_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT only where its own package is: ONNX Runtime always says that it has it."""
    _offers(monkeypatch, TENSORRT, CUDA, CPU)
    monkeypatch.setattr("vsrcli.onnx.session.find_spec", lambda name: None)
    assert providers_for(CARD) == [(CUDA, {"device_id": 1}), CPU]


def test_tensorrt_keeps_its_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _offers(monkeypatch, TENSORRT, CUDA, CPU)
    monkeypatch.setenv("VSR_CACHE", str(tmp_path))
    monkeypatch.setattr("vsrcli.onnx.session.find_spec", lambda name: ModuleSpec(name, None))
    (first, settings), *others = providers_for(CARD)
    assert first == TENSORRT and others == [(CUDA, {"device_id": 1}), CPU]
    assert settings["device_id"] == 1
    assert Path(settings["trt_engine_cache_path"]).is_relative_to(tmp_path)


def test_nothing_for_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    _offers(monkeypatch, CPU)
    for device in (CARD, torch.device("mps")):
        assert not runs_on(device)
        with pytest.raises(DeviceError, match=f"nothing for {device}; use --device cpu"):
            providers_for(device)


def test_as_many_threads_as_torch_has(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "model.onnx")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        session = Session(path, torch.device("cpu"), path)
        assert session.runtime.get_session_options().intra_op_num_threads == 1
    finally:
        torch.set_num_threads(before)
