"""Images hold exactly the samples they were given, and ffmpeg reads them back."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from ffmpeg import describe, ffmpeg

from vsrcli.errors import OutputError, UsageError
from vsrcli.media.encoders import EncodeOptions, EncoderPlan, Picture
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, Range, Samples
from vsrcli.media.image_writer import ImageWriter, image_plan, is_image_target
from vsrcli.media.output import AtomicOutput
from vsrcli.media.output_folder import AtomicFolder

BT709 = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1, ChromaLocation.LEFT)
WIDTH, HEIGHT = 37, 23


def plan_for(name: str, source: str = "yuv420p", **options: object) -> EncoderPlan:
    picture = Picture(WIDTH, HEIGHT, pixel_format(source), BT709, Fraction(25))
    return image_plan(Path(name), picture, EncodeOptions(**options))  # type: ignore[arg-type]


def random_frame(plan: EncoderPlan, seed: int = 0) -> Frame:
    form = plan.format
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if form.bits == 8 else np.uint16
    planes: list[Samples] = [
        rng.integers(0, 1 << form.bits, (HEIGHT, WIDTH), dtype) for _ in range(3 + form.alpha)
    ]
    return Frame(tuple(planes), form, seed, Fraction(1, 25), 1)


def read(path: Path, form: str, channels: int) -> np.ndarray:
    """(H, W, channels) as ffmpeg decodes the image."""
    data = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", form, "-")
    dtype = "<u2" if form.endswith("le") else np.uint8
    return np.frombuffer(data, dtype).reshape(HEIGHT, WIDTH, channels)


@pytest.mark.parametrize(
    ("suffix", "source", "planar", "stored", "read_as"),
    [
        (".png", "yuv420p", "gbrp", "rgb24", "rgb24"),
        (".png", "yuv420p10le", "gbrp16le", "rgb48be", "rgb48le"),
        (".png", "yuva420p", "gbrap", "rgba", "rgba"),
        (".png", "gbrap16le", "gbrap16le", "rgba64be", "rgba64le"),
        (".tif", "yuv420p", "gbrp", "rgb24", "rgb24"),
        (".tiff", "yuv444p12le", "gbrp16le", "rgb48le", "rgb48le"),
        (".tiff", "gbrap", "gbrap", "rgba", "rgba"),
        (".webp", "yuv420p", "gbrp", "bgra", "rgb24"),
        (".webp", "gbrap", "gbrap", "bgra", "rgba"),
    ],
)
def test_images_lose_nothing(
    tmp_path: Path, suffix: str, source: str, planar: str, stored: str, read_as: str
) -> None:
    plan = plan_for(f"x{suffix}", source)
    assert (plan.format.name, plan.pix_fmt) == (planar, stored)
    assert (plan.color.matrix, plan.color.range) == (Matrix.RGB, Range.FULL)
    frame = random_frame(plan)
    target = tmp_path / f"x{suffix}"
    with AtomicOutput(target) as path, ImageWriter(path, plan) as writer:
        writer.write(frame)
    pixels = read(target, read_as, len(frame.planes))
    if suffix == ".webp" and plan.format.alpha:
        # Lossless WebP is free to change what is wholly transparent.
        seen = frame.planes[3] > 0
        assert np.array_equal(pixels[..., 3], frame.planes[3])
        assert np.array_equal(pixels[seen], np.stack(frame.planes, -1)[seen])
    else:
        assert np.array_equal(pixels, np.stack(frame.planes, -1))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg(tmp_path: Path, suffix: str) -> None:
    """BT.601 in full range, whatever the source was."""
    plan = plan_for(f"x{suffix}")
    assert plan.format.name == "yuv444p"
    assert (plan.color.matrix, plan.color.range) == (Matrix.BT470BG, Range.FULL)
    across = np.broadcast_to(np.linspace(0, 255, WIDTH), (HEIGHT, WIDTH)).astype(np.uint8)
    planes = (across, np.full_like(across, 100), np.full_like(across, 160))
    target = tmp_path / f"x{suffix}"
    with ImageWriter(target, plan) as writer:
        writer.write(Frame(planes, plan.format, 0, Fraction(1, 25), 1))
    assert re.search(r"mjpeg .*yuvj444p\(pc, bt470bg", describe(target))
    decoded = ffmpeg("-i", target, "-f", "rawvideo", "-pix_fmt", "yuvj444p", "-")
    got = np.frombuffer(decoded, np.uint8).reshape(3, HEIGHT, WIDTH).astype(int)
    assert abs(got - np.stack(planes)).max() <= 3
    sizes = [target.stat().st_size]
    with ImageWriter(target, plan_for(f"x{suffix}", crf=31.0)) as writer:
        writer.write(random_frame(plan))
    with ImageWriter(tmp_path / "fine.jpg", plan) as writer:
        writer.write(random_frame(plan))
    sizes = [target.stat().st_size, (tmp_path / "fine.jpg").stat().st_size]
    assert sizes[0] < sizes[1] / 2


def test_a_sequence(tmp_path: Path) -> None:
    plan = plan_for("f-%03d.png")
    target = tmp_path / "frames"
    with AtomicFolder(target) as folder, ImageWriter(folder / "f-%03d.png", plan) as writer:
        for seed in range(11):
            writer.write(random_frame(plan, seed))
        assert writer.frames == 11
    names = sorted(path.name for path in target.iterdir())
    assert names == [f"f-{number:03d}.png" for number in range(1, 12)]
    for seed, name in enumerate(names):
        wanted = np.stack(random_frame(plan, seed).planes, -1)
        assert np.array_equal(read(target / name, "rgb24", 3), wanted)


def test_one_image_for_many_frames(tmp_path: Path) -> None:
    plan = plan_for("x.png")
    with (
        pytest.raises(OutputError, match="more than one frame for one image: name the output out/"),
        AtomicOutput(tmp_path / "x.png") as path,
        ImageWriter(path, plan) as writer,
    ):
        writer.write(random_frame(plan))
        writer.write(random_frame(plan))
    assert list(tmp_path.iterdir()) == []


def test_targets() -> None:
    for name in ("a.png", "A.JPG", "frames/%06d.tiff", "x.webp"):
        assert is_image_target(Path(name))
    for name in ("a.mp4", "frames", "a.exr"):
        assert not is_image_target(Path(name))


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("%s.png", {}, UsageError, "write the number as one %d or %06d"),
        ("%d-%d.png", {}, UsageError, "write the number as one %d or %06d"),
        ("x.png", {"codec": "h264"}, UsageError, "--codec h264 is for videos"),
        ("x.png", {"preset": "fast"}, UsageError, "--preset fast is for videos"),
        ("x.png", {"crf": 3.0}, UsageError, "--crf 3: .png images are lossless"),
        ("x.jpg", {"crf": 0.0}, UsageError, "--crf 0 for .jpg: it goes from 1"),
        ("x.png", {"pix_fmt": "gray"}, OutputError, ".png images are written as rgb24"),
        ("x.png", {"encoder_options": (("foo", "1"),)}, OutputError, "png has no such option"),
    ],
)
def test_requests_that_make_no_sense(
    name: str, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        plan_for(name, **options)


def test_losses_are_told() -> None:
    assert plan_for("x.png", "yuv420p10le").notes == ()
    assert plan_for("x.jpg", "yuv420p10le").notes == (
        "10-bit source: .jpg stores 8 bits; .png stores 16",
    )


def test_only_hdr_images_are_tagged(tmp_path: Path) -> None:
    pq = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED, 9, 16, ChromaLocation.TOPLEFT)
    picture = Picture(WIDTH, HEIGHT, pixel_format("yuv420p10le"), pq, Fraction(25))
    for name, plan in (
        ("sdr.png", plan_for("x.png")),
        ("hdr.png", image_plan(Path("x.png"), picture, EncodeOptions())),
    ):
        with ImageWriter(tmp_path / name, plan) as writer:
            writer.write(random_frame(plan))
    sdr, hdr = (tmp_path / "sdr.png").read_bytes(), (tmp_path / "hdr.png").read_bytes()
    assert not any(chunk in sdr for chunk in (b"cICP", b"gAMA", b"sRGB", b"cHRM"))
    # Primaries 9, transfer 16, RGB, full range.
    assert b"cICP" + bytes((9, 16, 0, 1)) in hdr


def test_encoder_options(tmp_path: Path) -> None:
    sizes = []
    for lossless in ("0", "1"):
        plan = plan_for("x.webp", encoder_options=(("lossless", lossless),))
        with ImageWriter(tmp_path / f"{lossless}.webp", plan) as writer:
            writer.write(random_frame(plan))
        sizes.append((tmp_path / f"{lossless}.webp").stat().st_size)
    assert sizes[0] < sizes[1]
