"""Where the kernels written in Triton are tested."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture(params=["interpreter", pytest.param("cuda", marks=pytest.mark.cuda)])
def kernels_on(request: pytest.FixtureRequest) -> torch.device:
    """The device to call kernels on: a card; or the CPU, on which Triton can act out what they say
    if it is installed and TRITON_INTERPRET is 1 from the beginning."""
    if request.param == "cuda":
        return torch.device("cuda")
    if os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("TRITON_INTERPRET is not 1")
    return torch.device("cpu")
