"""Models beside each other on clips in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from models import tiny_weights
from torch import Tensor
from truth import write_clip

from vsrcli.degradation.kernels import degrade
from vsrcli.errors import UsageError
from vsrcli.networks.spec import Task
from vsrcli.ops.resize import resize
from vsrcli.quality.clips import ClipFiles
from vsrcli.quality.comparison import (
    INPUT,
    Progress,
    ScoredClip,
    common_task,
    compare,
    load_models,
    name_of,
)
from vsrcli.quality.conventions import Conventions
from vsrcli.quality.metrics import psnr_y
from vsrcli.restore.restorer import Restorer


def loaded(*paths: Path, scale: int | None = None) -> list[Restorer]:
    return load_models([*map(str, paths)], scale=scale, device="cpu", precision="fp32")


def compared(
    models: list[Restorer], files: ClipFiles, task: Task, degradation: str, **more: int
) -> ScoredClip:
    scale = 1 if task == "deblur" else 4
    conventions = Conventions(task, degradation, scale, **more)  # type: ignore[arg-type]
    (clip,) = compare(models, [files], conventions, lambda progress: None)
    return clip


@pytest.fixture
def moving(tmp_path: Path) -> tuple[ClipFiles, Tensor]:
    """A clip of five frames of 64x48."""
    frames = write_clip(tmp_path / "moving.mkv", 5, 64, 48)
    return ClipFiles(tmp_path / "moving.mkv"), frames


def test_a_window_model(tmp_path: Path, moving: tuple[ClipFiles, Tensor]) -> None:
    files, truth = moving
    (model,) = loaded(tiny_weights(tmp_path))
    clip = compared([model], files, "upscale", "bi")
    assert (clip.width, clip.height, clip.frames) == (64, 48, 5)
    names = ["bicubic", "lanczos", "tiny-tga0.safetensors", "tiny-tga0.safetensors repeated"]
    assert [scores.model for scores in clip.scores] == names
    scores = {each.model: each.frames for each in clip.scores}
    low = degrade(truth, "bi", 4)
    expected = {
        "bicubic": resize(low, (48, 64)),
        "lanczos": resize(low, (48, 64), "lanczos"),
        names[2]: torch.stack(list(model.stream(low))),
        # A window is seven frames.
        names[3]: torch.stack([list(model.stream([frame] * 7))[3] for frame in low]),
    }
    for name, pictures in expected.items():
        stored = (255 * pictures.clamp(0, 1)).round() / 255
        values = [score.psnr_y for score in scores[name]]
        assert values == pytest.approx(psnr_y(stored, truth, 8).tolist(), abs=1e-3), name
        assert [score.frame for score in scores[name]] == [1, 2, 3, 4, 5]
        assert (scores[name][1].tof is None) == (name == names[3])


def test_repeated_frames_are_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moving: tuple[ClipFiles, Tensor]
) -> None:
    monkeypatch.setattr("vsrcli.quality.comparison._SPREAD", 2)
    (model,) = loaded(tiny_weights(tmp_path, name="fstrn"))
    clip = compared([model], moving[0], "upscale", "bi", first=2)
    *_, own, alone = clip.scores
    assert [score.frame for score in own.frames] == [2, 3, 4, 5]
    assert [score.frame for score in alone.frames] == [2, 4]
    frame = degrade(moving[1][3], "bi", 4)
    restored = list(model.stream([frame] * 9))[4].clamp(0, 1)
    expected = float(psnr_y((255 * restored).round() / 255, moving[1][3], 8))
    assert alone.frames[1].psnr_y == pytest.approx(expected, abs=1e-3)


def test_a_space_time_model(tmp_path: Path, moving: tuple[ClipFiles, Tensor]) -> None:
    models = loaded(tiny_weights(tmp_path, name="stdan"))
    clip = compared(models, moving[0], "space-time", "bi")
    name = name_of(models[0])
    names = ["bicubic", "lanczos", name, f"{name} repeated"]
    assert [scores.model for scores in clip.scores] == names
    for scores in clip.scores[:3]:
        parts = [score.part for score in scores.frames]
        assert parts == ["given", "new", "given", "new", "given"]
    small = degrade(moving[1][::2], "bi", 4)
    # A group is four frames, the third of them the fifth of seven outputs.
    alone = torch.stack([list(models[0].stream([frame] * 4))[4] for frame in small]).clamp(0, 1)
    alone = (255 * alone).round() / 255
    repeated = clip.scores[3].frames
    assert [(score.frame, score.part) for score in repeated] == [(n, "given") for n in (1, 3, 5)]
    values = psnr_y(alone, moving[1][::2], 8).tolist()
    assert [score.psnr_y for score in repeated] == pytest.approx(values, abs=1e-3)
    blend = (resize(small[:2], (48, 64)).mean(0) * 255).round() / 255
    expected = float(psnr_y(blend, moving[1][1], 8))
    assert clip.scores[0].frames[1].psnr_y == pytest.approx(expected, abs=1e-3)


def test_new_frames_alone_have_nothing_to_repeat(
    tmp_path: Path, moving: tuple[ClipFiles, Tensor]
) -> None:
    models = loaded(tiny_weights(tmp_path, name="stdan"))
    clip = compared(models, moving[0], "space-time", "bi", first=2, last=2)
    assert [scores.model for scores in clip.scores] == ["bicubic", "lanczos", name_of(models[0])]


def test_a_deblurring_model(tmp_path: Path) -> None:
    for name, seed in (("a_blur", 1), ("a_sharp", 2)):
        write_clip(tmp_path / f"{name}.mkv", 3, 64, 48, seed)
    models = loaded(tiny_weights(tmp_path, name="stfan"))
    pair = ClipFiles(tmp_path / "a_sharp.mkv", tmp_path / "a_blur.mkv")
    clip = compared(models, pair, "deblur", "blur")
    assert [scores.model for scores in clip.scores] == [INPUT, name_of(models[0])]


def test_progress_is_told(tmp_path: Path, moving: tuple[ClipFiles, Tensor]) -> None:
    told: list[Progress] = []
    list(compare([], [moving[0]], Conventions("upscale", "bi", 4, frames=2), told.append))
    assert [(p.clip, p.model, p.frames, p.expected) for p in told] == [
        ("moving", kernel, done, 2) for kernel in ("bicubic", "lanczos") for done in (0, 1)
    ]


def test_models_that_can_be_compared(tmp_path: Path) -> None:
    assert common_task(loaded(Path("bicubic")), None) == ("upscale", 4)
    assert common_task([], 3) == ("upscale", 3)
    tga, stdan, stfan, spmc = (
        tiny_weights(tmp_path, name=name) for name in ("tga", "stdan", "stfan", "spmc")
    )
    assert common_task(loaded(stfan), None) == ("deblur", 1)
    assert common_task(loaded(spmc), 2) == ("upscale", 2)
    with pytest.raises(UsageError, match="is for space-time, .* for upscale: score them one by"):
        common_task(loaded(tga, stdan), None)
    with pytest.raises(UsageError, match="makes x2, not x4"):
        common_task(loaded(tga, spmc), None)
    with pytest.raises(UsageError, match="makes x4, not x2"):
        common_task(loaded(tga), 2)
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="Two weights files have one name"):
        loaded(tga, tiny_weights(tmp_path / "other"))
