"""Finding devices and precisions."""

from __future__ import annotations

import pytest
import torch

from vsrcli.errors import DeviceError, UsageError
from vsrcli.restore.device import find_device, find_dtype


def test_auto_takes_what_is_there() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "CPU", "meta", "cuda:-1"])
def test_unknown_names_are_usage_errors(name: str) -> None:
    with pytest.raises(UsageError, match="use auto, cpu, cuda"):
        find_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_absent_card_is_a_device_error(name: str) -> None:
    with pytest.raises(DeviceError, match="torch sees 0 CUDA devices"):
        find_device(name)


def test_precision_by_name() -> None:
    cpu = torch.device("cpu")
    assert find_dtype("fp32", cpu) == torch.float32
    assert find_dtype("bf16", cpu) == torch.bfloat16
    with pytest.raises(UsageError, match="fp64"):
        find_dtype("fp64", cpu)  # type: ignore[arg-type]


def test_auto_precision_on_a_cpu_is_one_it_is_fast_in() -> None:
    chosen = find_dtype("auto", torch.device("cpu"))
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert chosen in ((torch.float32, torch.bfloat16) if supported else (torch.float32,))
