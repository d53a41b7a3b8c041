"""Counted work, beside figures that were worked out by hand from the papers' layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from models import tiny

from vsrcli.networks import basicvsr, fstrn, spmc, stdan, stfan, tga
from vsrcli.networks.architectures import ARCHITECTURES
from vsrcli.networks.cost import flop_per_frame

ROOT = Path(__file__).parents[2]

# FSTRN's last kernel (16 -> 1 channel, 27 taps for each of 16 pixels) works on blocks of 4 x 4
# pixels, 36 positions in space each, three taps in time.
FSTRN_ZEROS = 180 * 320 * 16 * 16 * (3 * 36 - 27)


@pytest.mark.parametrize(
    ("network", "config", "multiply_adds"),
    [
        # The published window of seven, less what the six other windows of a frame share.
        ("tga", tga.PUBLISHED, 694.1e9 - 58.2e9 + 10.7e9),
        ("tga", tga.PUBLISHED_DILATED, 694.1e9 - 58.2e9 + 32.2e9),
        ("fstrn", fstrn.PUBLISHED, 40.1e9 + FSTRN_ZEROS),
        # One step decoded of three, and the first one begun from zeros.
        ("spmc", spmc.REFERENCE, 257.3e9),
        # The motion of the middle frame is known to be none.
        ("spmc", spmc.STANDARD, 257.3e9 - 0.48e9),
        # Of flow (both ways), the steps back (half of them twice), forth, and the enlargement.
        ("basicvsr", basicvsr.PUBLISHED, 36.84e9 + 129.62e9 * 2.5 + 78.51e9),
        # The filtering itself is not counted: 0.37e9 at 1280x720.
        ("stfan", stfan.PUBLISHED, 539.25e3 * 180 * 320 - 0.37e9 / 16),
    ],
    ids=["tga", "tga dilated", "fstrn", "spmc published", "spmc", "basicvsr", "stfan"],
)
def test_known_work(network: str, config: object, multiply_adds: float) -> None:
    built = ARCHITECTURES[network].build(config).eval()
    assert flop_per_frame(built, 320, 180) == pytest.approx(2 * multiply_adds, rel=2e-3)


def test_known_work_of_stdan() -> None:
    """The figure holds 0.3 of sampling, which is not counted; sizes are padded to 184."""
    counted = flop_per_frame(stdan.STDAN().eval(), 320, 180)
    assert counted == pytest.approx(2 * 9.8e6 * 320 * 184, rel=0.05)


@pytest.mark.parametrize("name", ["tga", "fstrn", "spmc", "stdan", "stfan", "basicvsr"])
def test_grows_with_the_padded_area(name: str) -> None:
    network = tiny(name)
    small = flop_per_frame(network, 64, 64)
    assert flop_per_frame(network, 128, 128) == pytest.approx(4 * small)
    padded = 80 if name == "stdan" else 76 if name in ("spmc", "stfan") else 73
    assert flop_per_frame(network, 73, 64) == pytest.approx(small * padded / 64)


def test_does_not_load_the_compiler_of_torch() -> None:
    code = (
        "import sys\n"
        "from vsrcli.networks.cost import flop_per_frame\n"
        "from vsrcli.networks.fstrn import FSTRN, FSTRNConfig\n"
        "assert flop_per_frame(FSTRN(FSTRNConfig(channels=1, blocks=1)), 8, 8) > 0\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
