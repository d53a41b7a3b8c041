"""Degradations by name."""

from __future__ import annotations

import pytest
import torch

from vsrcli.degradation.compression import compressed
from vsrcli.degradation.kernels import degrade
from vsrcli.degradation.names import parse
from vsrcli.degradation.real import real
from vsrcli.errors import UsageError


@pytest.fixture
def clip(real_clip: torch.Tensor) -> torch.Tensor:
    return real_clip[:3, :, :88]


@pytest.mark.parametrize("name", ["bi", "BI", "bd", "Bd"])
def test_kernels(name: str, clip: torch.Tensor) -> None:
    kind = "bi" if name.lower() == "bi" else "bd"
    assert torch.equal(parse(name, 4)(clip), degrade(clip, kind, 4))


@pytest.mark.parametrize("name", ["crf28", "CRF28"])
def test_x264_at_a_rate_factor(name: str, clip: torch.Tensor) -> None:
    expected = compressed(degrade(clip, "bi", 2), "h264", 28)
    assert torch.equal(parse(name, 2)(clip), expected)


def test_real_is_drawn_by_the_seed(clip: torch.Tensor) -> None:
    made = parse("Real", 4, seed=3)
    expected = real(clip, 4, torch.Generator().manual_seed(3))
    assert torch.equal(made(clip), expected)
    assert torch.equal(made(clip), expected)
    assert not torch.equal(parse("real", 4, seed=4)(clip), expected)


@pytest.mark.parametrize("name", ["", "crf", "crf52", "crf-1", "crf280", "blur", "bicubic", " bi"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="use bi, bd, real, or crf0 to crf51"):
        parse(name, 4)


def test_bd_is_for_scale_four() -> None:
    with pytest.raises(UsageError, match="scale 4, not 2"):
        parse("bd", 2)
