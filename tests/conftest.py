"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

FIXTURES = Path(__file__).parent / "fixtures"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip CUDA tests where there is no card, unless the machine promised one."""
    if "cuda" not in item.keywords or torch.cuda.is_available():
        return
    if os.environ.get("VSR_REQUIRE_CUDA"):
        pytest.fail("VSR_REQUIRE_CUDA is set, but torch finds no CUDA device")
    pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Random tensors are the same in every run and in every order of tests."""
    torch.manual_seed(0)


@pytest.fixture
def fixtures() -> Path:
    """The folder of files that tests read."""
    return FIXTURES
