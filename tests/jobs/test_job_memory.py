"""Memory of a job does not grow with the length of the video."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
from models import tiny_weights

ROOT = Path(__file__).parents[2]
JOB = """
import resource, sys
import vsrcli
from vsrcli.media.encoders import EncodeOptions

source, target, model, scale = sys.argv[1:]
report = vsrcli.upscale(
    source, target, model, float(scale), device="cpu", overwrite=True, precision="fp32",
    encode=EncodeOptions(preset="ultrafast"),
)
print(report.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(source: Path, target: Path, model: str, scale: float) -> tuple[int, int]:
    """Frames written and the most memory, in KiB, that a process doing one job had."""
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(source), str(target), model, str(scale)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    frames, kibibytes = done.stdout.split()
    return int(frames), int(kibibytes)


@pytest.mark.release
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("model", "scale"), [("lanczos", 2), ("tiny", 4)])
def test_memory_of_3000_frames_is_that_of_300(tmp_path: Path, model: str, scale: float) -> None:
    name = str(tiny_weights(tmp_path)) if model == "tiny" else model
    peaks = {}
    for count in (300, 3000):
        source = clips.with_audio(tmp_path / f"{count}.mp4", frames=count)
        frames, peaks[count] = peak_memory(source, tmp_path / "out.mp4", name, scale)
        assert frames == count
    print(f"{model}: {peaks[300]} KiB with 300 frames, {peaks[3000]} KiB with 3000")
    assert peaks[3000] <= 1.1 * peaks[300]
