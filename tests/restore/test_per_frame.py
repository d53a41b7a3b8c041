"""Plain ONNX models as networks, and pictures covered by pieces of one size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from onnx_models import write_plain

from vsrcli.networks.spec import Window
from vsrcli.onnx.file import read
from vsrcli.onnx.plain import plain_model
from vsrcli.restore.per_frame import PerFrame, windows


def _network(path: Path) -> PerFrame:
    return PerFrame(plain_model(read(path), torch.device("cpu")))


def test_what_is_known_of_it(tmp_path: Path) -> None:
    spec = _network(write_plain(tmp_path / "model.onnx", scale=4, multiple=2)).spec
    assert (spec.task, spec.scales, spec.strategy, spec.multiple) == ("upscale", (4,), Window(0), 2)
    assert _network(write_plain(tmp_path / "same.onnx", scale=1)).spec.task == "deblur"


@pytest.mark.parametrize("height", [10, 48, 49, 100])
@pytest.mark.parametrize("width", [64, 130])
def test_a_fixed_size_makes_any(tmp_path: Path, height: int, width: int) -> None:
    """As the same model does it whole; borders of zeros inside the picture must not show."""
    whole = _network(write_plain(tmp_path / "whole.onnx"))
    pieces = _network(write_plain(tmp_path / "pieces.onnx", (1, 3, 48, 64)))
    frames = torch.rand(1, 2, 3, height, width)
    frames = frames[:, :1].expand(-1, 2, -1, -1, -1).reshape(2, 1, 3, height, width)
    made, wanted = pieces(frames), whole(frames)
    assert made.shape == (2, 1, 3, 2 * height, 2 * width)
    # Padding below a picture that is lower than the piece is no border of zeros.
    rows = slice(None, 2 * height - 4 if height < 48 else None)
    assert (made - wanted)[..., rows, :].abs().max() < 1e-5


def test_half_precision_comes_out_in_float32(tmp_path: Path) -> None:
    network = _network(write_plain(tmp_path / "half.onnx", element=10))
    made = network(torch.rand(1, 1, 3, 8, 8))
    assert made.dtype == torch.float32


def test_what_lies_outside_the_range_is_clamped(tmp_path: Path) -> None:
    network = _network(write_plain(tmp_path / "model.onnx"))
    frames = torch.rand(1, 1, 3, 8, 8) * 1.2 - 0.1
    assert torch.equal(network(frames), network(frames.clamp(0, 1)))


@pytest.mark.parametrize("length", [64, 65, 90, 96, 97, 500])
@pytest.mark.parametrize("side", [16, 64])
def test_windows_cover_a_line(length: int, side: int) -> None:
    spans = windows(length, side)
    covered = torch.zeros(length)
    for span in spans:
        assert span.source.stop - span.source.start == side
        assert span.source.start >= 0 and span.source.stop <= length
        # Away from the window's ends, but for those of the line.
        border = min(16, side // 4) // 2
        assert span.picked.start == 0 or span.picked.start >= span.source.start + border
        assert span.picked.stop == length or span.picked.stop <= span.source.stop - border
        covered[span.picked] += span.ramp(Fraction(1), covered.device)
    assert (covered - 1).abs().max() < 1e-6
