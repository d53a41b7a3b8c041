"""Whole jobs on real clips, their outputs checked with the static ffmpeg."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
import torch
from ffmpeg import (
    describe,
    ffmpeg,
    frame_info,
    packet_hashes,
    raw_frames,
    stored_planes,
    video_times,
)
from models import tiny_weights

import vsrcli
from vsrcli.errors import OutputError
from vsrcli.jobs.report import Report
from vsrcli.media.encoders import EncodeOptions
from vsrcli.ops.resize import resize

FAST = EncodeOptions(preset="ultrafast", crf=4)
LOSSLESS = EncodeOptions(codec="ffv1")


def enlarge(source: Path, target: Path, scale: float | None = 2, **options: Any) -> Report:
    """The job with the cheapest model and encoder, unless `options` name others."""
    options = {"model": "lanczos", "encode": FAST, "device": "cpu", **options}
    return vsrcli.upscale(source, target, scale=scale, **options)


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) of the video as the second reader sees it."""
    match = re.search(r"Video: .*? (\d+)x(\d+)[ ,]", describe(path))
    assert match, describe(path)
    return int(match[1]), int(match[2])


def lanczos(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """(T, H, W) samples, resized as numbers; resampling is linear, so this holds for any of
    Y, R, G and B."""
    resized = resize(torch.from_numpy(plane.astype(np.float32)), (height, width), "lanczos")
    return resized.numpy()


def psnr(found: np.ndarray, wanted: np.ndarray, peak: float = 255) -> float:
    error = float(np.mean((found.astype(np.float64) - wanted) ** 2))
    return 10 * np.log10(peak**2 / max(error, 1e-9))


def test_picture_is_the_plain_resize_of_the_source(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv444p")
    report = enlarge(source, tmp_path / "out.mkv", encode=LOSSLESS)
    before = stored_planes(source, "yuv444p", 64, 48)
    after = stored_planes(tmp_path / "out.mkv", "yuv444p", 128, 96)
    assert report.frames == len(after[0]) == 10
    assert report.output_size == (128, 96)
    for wanted, found in zip(before, after, strict=True):
        assert np.abs(found - lanczos(wanted, 128, 96).clip(0, 255)).max() <= 1


def test_lossy_picture_is_close_to_the_plain_resize(tmp_path: Path) -> None:
    source = clips.b_frames(tmp_path / "in.mp4")
    enlarge(source, tmp_path / "out.mp4", 1.5)
    before = stored_planes(source, "yuv420p", 64, 48)[0]
    after = stored_planes(tmp_path / "out.mp4", "yuv420p", 96, 72)[0]
    assert after.shape == (24, 72, 96)
    assert psnr(after, lanczos(before, 96, 72).clip(0, 255)) > 40
    assert video_times(tmp_path / "out.mp4") == pytest.approx(video_times(source))


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv444p12le", "gray10le"]
)
def test_scale_one_is_the_identity(tmp_path: Path, pix_fmt: str) -> None:
    source = clips.clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=4)
    report = enlarge(source, tmp_path / "out.mkv", 1, encode=LOSSLESS)
    assert report.pix_fmt == pix_fmt
    assert f"{pix_fmt}(" in describe(tmp_path / "out.mkv") or pix_fmt in describe(source)
    before = stored_planes(source, pix_fmt, 64, 48)
    after = stored_planes(tmp_path / "out.mkv", pix_fmt, 64, 48)
    for wanted, found in zip(before, after, strict=True):
        assert np.abs(found.astype(int) - wanted).max() <= 1


def test_variable_frame_rate_keeps_every_time(tmp_path: Path) -> None:
    source = clips.variable_rate(tmp_path / "in.mp4")
    for name in ("out.mp4", "out.mkv", "out.mov"):
        report = enlarge(source, tmp_path / name)
        times = video_times(tmp_path / name)
        assert times == pytest.approx([t / 1000 for t in clips.uneven_times(12)], abs=1e-9)
        assert report.frames == len(times)


def test_variable_frame_rate_with_late_audio_stays_in_sync(tmp_path: Path) -> None:
    video = clips.variable_rate(tmp_path / "video.mkv")
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-i", video, "-itsoffset", "0.3", "-f", "lavfi", "-i", "sine=duration=0.8",
        "-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac", source,
    )  # fmt: skip
    for name in ("out.mkv", "out.mp4"):
        enlarge(source, tmp_path / name)
        assert video_times(tmp_path / name) == pytest.approx(video_times(source), abs=1e-6)
        same_packets(source, "0:a:0", tmp_path / name, "0:a:0", tolerance=0.0011)


def same_packets(
    source: Path, wanted: str, target: Path, found: str, tolerance: float, offset: float = 0
) -> None:
    """Assert that two streams hold the same bytes at the same times, less `offset` seconds."""
    before, after = packet_hashes(source, wanted), packet_hashes(target, found)
    assert [digest for _, digest in after] == [digest for _, digest in before]
    assert len(after) > 0
    assert [t for t, _ in after] == pytest.approx([t - offset for t, _ in before], abs=tolerance)


def test_the_tiny_network_gives_every_frame(tmp_path: Path) -> None:
    source = clips.variable_rate(tmp_path / "in.mp4", frames=9)
    report = enlarge(
        source, tmp_path / "out.mkv", None, model=str(tiny_weights(tmp_path)), encode=LOSSLESS
    )
    assert report.frames == 9
    assert size_of(tmp_path / "out.mkv") == report.output_size == (256, 192)
    assert video_times(tmp_path / "out.mkv") == pytest.approx(video_times(source), abs=1e-9)


def test_the_job_gives_what_the_loaded_model_gives(tmp_path: Path) -> None:
    """The same network on RGB from the second reader, resized to the size asked for."""
    source = clips.clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt="gbrp", frames=8)
    weights = tiny_weights(tmp_path)
    enlarge(
        source, tmp_path / "out.mkv", 2.5, model=str(weights), encode=LOSSLESS, precision="fp32"
    )
    frames = raw_frames(source, "rgb24", 64, 48)
    restorer = vsrcli.load(str(weights), device="cpu", precision="fp32")
    wanted = torch.stack([resize(one, (120, 160)) for one in restorer.stream(frames)])
    found = raw_frames(tmp_path / "out.mkv", "rgb24", 160, 120).transpose(0, 3, 1, 2)
    assert np.abs(found - (255 * wanted).clamp(0, 255).numpy()).max() <= 0.51


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied_and_not_told_again(tmp_path: Path, degrees: int) -> None:
    source = clips.rotated(tmp_path / "in.mp4", degrees)
    enlarge(source, tmp_path / "out.mp4")
    assert "Display Matrix" in describe(source)
    assert "Display Matrix" not in describe(tmp_path / "out.mp4")
    width, height = size_of(tmp_path / "out.mp4")
    assert (width, height) == ((128, 96) if degrees == 180 else (96, 128))
    # The second reader turns the source as a player does.
    shown = ffmpeg("-i", source, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt",
                   "yuv420p", "-")  # fmt: skip
    frames = np.frombuffer(shown, np.uint8).reshape(10, -1)[:, : width * height // 4]
    wanted = lanczos(frames.reshape(10, height // 2, width // 2), width, height)
    found = stored_planes(tmp_path / "out.mp4", "yuv420p", width, height)[0]
    assert psnr(found, wanted.clip(0, 255)) > 40


@pytest.mark.parametrize("degrees", [0, 90])
def test_mirrored_pictures_are_mirrored(tmp_path: Path, degrees: int) -> None:
    source = clips.rotated(tmp_path / "in.mp4", degrees, mirrored=True)
    report = enlarge(source, tmp_path / "out.mkv", 1, encode=LOSSLESS)
    shown = ffmpeg("-i", source, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt",
                   "yuv420p", "-")  # fmt: skip
    wanted = np.frombuffer(shown, np.uint8).reshape(10, -1)[:, : 64 * 48]
    found = stored_planes(tmp_path / "out.mkv", "yuv420p", *report.output_size)[0]
    assert np.abs(found.reshape(10, -1).astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("scale", "wanted", "stored"),
    [(2, (82, 62), (82, 62)), (1, (41, 31), (42, 32)), (1.5, (62, 46), (62, 46))],
)
def test_odd_size_in_h264_is_padded_at_most_by_one(
    tmp_path: Path, scale: float, wanted: tuple[int, int], stored: tuple[int, int]
) -> None:
    source = odd_clip(tmp_path)
    report = enlarge(source, tmp_path / "out.mp4", scale)
    assert report.output_size == wanted
    assert size_of(tmp_path / "out.mp4") == stored
    assert any("repeated at the edge" in note for note in report.notes) == (wanted != stored)
    before = stored_planes(source, "yuv420p", 41, 31)[0]
    after = stored_planes(tmp_path / "out.mp4", "yuv420p", *stored)[0]
    assert psnr(after[:, : wanted[1], : wanted[0]], lanczos(before, *wanted).clip(0, 255)) > 40


def test_odd_size_stays_odd_where_the_codec_can(tmp_path: Path) -> None:
    for options in (LOSSLESS, EncodeOptions(codec="vp9", preset="8")):
        target = tmp_path / f"{options.codec}.mkv"
        enlarge(odd_clip(tmp_path), target, 1, encode=options)
        assert size_of(target) == (41, 31)


def odd_clip(folder: Path) -> Path:
    crop = "format=gbrp,crop=41:31:exact=1,format=yuv420p"
    return clips.clip(folder / "odd.mkv", codec="ffv1", video_filter=crop)


def test_height_and_size(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=3)
    enlarge(source, tmp_path / "height.mp4", None, height=90)
    assert size_of(tmp_path / "height.mp4") == (120, 90)
    enlarge(source, tmp_path / "size.mp4", None, size=(100, 50))
    assert size_of(tmp_path / "size.mp4") == (100, 50)


def test_full_range_stays_full_range(tmp_path: Path) -> None:
    tags = "range=pc:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    source = patches(tmp_path / "in.mp4", tags=tags)
    report = enlarge(source, tmp_path / "out.mp4")
    assert "(pc, bt709" in describe(tmp_path / "out.mp4")
    assert report.guesses == ()
    same_patches(source, tmp_path / "out.mp4", 128, 96)


def patches(path: Path, *options: str, pix_fmt: str = "yuv420p", tags: str = "") -> Path:
    """Frames of 4 x 3 flat patches in many colours, 64x48; `tags` as setparams takes them."""
    matrix = re.search(r"colorspace=(\w+)", tags)
    full = "range=pc" in tags
    convert = f"scale=out_range={'full' if full else 'limited'}"
    if matrix:
        convert += f":out_color_matrix={matrix[1]}"
    flat = f"format=gbrp,scale=4:3:flags=area,scale=64:48:flags=neighbor,{convert}"
    tagged = f",format={pix_fmt},setparams={tags}" if tags else ""
    codec = "libx264" if path.suffix == ".mp4" else "ffv1"
    quality = ["-qp", "4"] if codec == "libx264" else []
    return clips.clip(
        path, *quality, *options, codec=codec, pix_fmt=pix_fmt, video_filter=flat + tagged, frames=3
    )


def same_patches(source: Path, target: Path, width: int, height: int) -> None:
    """Assert that the second reader shows both clips of `patches` in the same colours."""

    def centers(frames: np.ndarray) -> np.ndarray:
        _, height, width, _ = frames.shape
        return frames[:, height // 6 :: height // 3, width // 8 :: width // 4].astype(int)

    before = centers(raw_frames(source, "rgb24", 64, 48))
    after = centers(raw_frames(target, "rgb24", width, height))
    assert before.shape == after.shape == (3, 3, 4, 3)
    assert np.ptp(before) > 120
    assert np.abs(after - before).max() <= 3


@pytest.mark.parametrize(
    ("matrix", "primaries"),
    [("bt709", "bt709"), ("smpte170m", "smpte170m"), ("bt470bg", "bt470bg")],
)
def test_color_tags_are_kept(tmp_path: Path, matrix: str, primaries: str) -> None:
    tags = f"range=tv:colorspace={matrix}:color_primaries={primaries}:color_trc=bt709"
    source = patches(tmp_path / "in.mp4", tags=tags)
    report = enlarge(source, tmp_path / "out.mp4")
    wanted = re.search(r"yuv420p\(.*?\)", describe(source))
    found = re.search(r"yuv420p\(.*?\)", describe(tmp_path / "out.mp4"))
    assert wanted and found and matrix in wanted[0]
    assert found[0] == wanted[0]
    assert report.guesses == ()
    same_patches(source, tmp_path / "out.mp4", 128, 96)


def test_untagged_sd_keeps_its_colors_when_it_becomes_hd(tmp_path: Path) -> None:
    """Players take untagged video of 720 lines and more for BT.709: the output must say BT.601."""
    source = patches(tmp_path / "in.mp4")
    report = enlarge(source, tmp_path / "out.mp4", None, height=768)
    assert "BT.601" in " ".join(report.guesses)
    assert "smpte170m" in describe(tmp_path / "out.mp4")
    same_patches(source, tmp_path / "out.mp4", 1024, 768)


def test_ten_bits_stay_ten_bits(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv420p10le", frames=5)
    for codec, suffix in (("h264", ".mp4"), ("hevc", ".mp4"), ("av1", ".webm")):
        target = tmp_path / f"{codec}{suffix}"
        preset = {"av1": "12"}.get(codec, "ultrafast")
        report = enlarge(source, target, encode=EncodeOptions(codec, 4, preset))
        assert report.pix_fmt == "yuv420p10le"
        assert "yuv420p10le" in describe(target)
        before = stored_planes(source, "yuv420p10le", 64, 48)[0]
        after = stored_planes(target, "yuv420p10le", 128, 96)[0]
        assert psnr(after, lanczos(before, 128, 96).clip(0, 1023), 1023) > 40


def test_hdr_stays_hdr(tmp_path: Path) -> None:
    source = clips.hdr10(tmp_path / "in.mp4")
    enlarge(source, tmp_path / "out.mp4", encode=EncodeOptions("hevc", 8, "ultrafast"))
    said = describe(tmp_path / "out.mp4")
    assert "yuv420p10le(tv, bt2020nc/bt2020/smpte2084" in said
    for wanted in ("max_luminance=1000", "MaxCLL=1000, MaxFALL=400", "r(0.6800,0.3200)"):
        assert wanted in frame_info(source), frame_info(source)
        assert wanted in frame_info(tmp_path / "out.mp4"), wanted
    before = stored_planes(source, "yuv420p10le", 64, 48)[0]
    after = stored_planes(tmp_path / "out.mp4", "yuv420p10le", 128, 96)[0]
    assert psnr(after, lanczos(before, 128, 96).clip(0, 1023), 1023) > 40


def test_grey_and_422_through_h264(tmp_path: Path) -> None:
    for pix_fmt, wanted in (("gray", "yuv420p"), ("yuv422p", "yuv422p"), ("yuv444p", "yuv444p")):
        source = patches(tmp_path / f"{pix_fmt}.mkv", pix_fmt=pix_fmt)
        report = enlarge(source, tmp_path / f"{pix_fmt}.mp4")
        assert report.pix_fmt in (wanted, "gray")
        same_patches(source, tmp_path / f"{pix_fmt}.mp4", 128, 96)


def test_sample_aspect_ratio_is_kept(tmp_path: Path) -> None:
    source = clips.anamorphic(tmp_path / "in.mp4")
    for name in ("out.mp4", "out.mkv", "out.mov"):
        enlarge(source, tmp_path / name)
        assert "SAR 16:11" in describe(tmp_path / name), name


def test_sample_aspect_ratio_turns_with_the_picture(tmp_path: Path) -> None:
    plain = clips.anamorphic(tmp_path / "plain.mp4")
    source = tmp_path / "in.mp4"
    ffmpeg("-display_rotation", "90", "-i", plain, "-c", "copy", source)
    enlarge(source, tmp_path / "out.mp4")
    assert "96x128 [SAR 11:16" in describe(tmp_path / "out.mp4")


def test_interlaced_video_is_deinterlaced(tmp_path: Path) -> None:
    """Upright bars that move 8 pixels a field: woven fields comb, deinterlaced ones do not."""
    bars = "geq=lum='16+200*lt(mod(X+8*N,64),32)':cb=128:cr=128"
    source = clips.clip(
        tmp_path / "in.mp4", "-flags", "+ildct+ilme", "-x264-params", "tff=1",
        frames=20, rate="50", video_filter=f"{bars},tinterlace=interleave_top,setfield=tff",
    )  # fmt: skip
    report = enlarge(source, tmp_path / "out.mp4")
    said = describe(tmp_path / "out.mp4")
    assert report.frames == len(video_times(tmp_path / "out.mp4")) == len(video_times(source)) == 10
    assert "top first" in describe(source)
    assert "top first" not in said and "bottom first" not in said
    enlarge(source, tmp_path / "combed.mp4", deinterlace="off")

    def combing(name: str) -> float:
        luma = stored_planes(tmp_path / name, "yuv420p", 128, 96)[0].astype(float)
        return float(np.abs(np.diff(luma[1:-1, ::2], axis=1)).mean())

    assert combing("combed.mp4") > 20
    assert combing("out.mp4") < 4


def test_everything_is_carried_into_matroska(tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    report = enlarge(source, tmp_path / "out.mkv")
    said = describe(tmp_path / "out.mkv")
    assert video_times(tmp_path / "out.mkv") == pytest.approx(video_times(source), abs=1e-6)
    assert report.frames == 20
    for stream in ("0:a:0", "0:a:1", "0:s:0"):
        same_packets(source, stream, tmp_path / "out.mkv", stream, tolerance=1e-6)
    for wanted in (
        r"\(eng\).*Audio: aac", r"\(deu\).*Audio: opus", r"\(fra\).*Subtitle: subrip",
        r"Attachment: ttf", r"title\s+: Commentary", r"title\s+: One", r"title\s+: Two",
        r"Chapter #0:1: start 1\.000000, end 2\.000000", r"artist\s+: Nobody", r"\(comment\)",
    ):  # fmt: skip
        assert re.search(wanted, said, re.IGNORECASE), f"{wanted} not in {said}"
    assert attachment(tmp_path / "out.mkv", tmp_path) == attachment(source, tmp_path)


def attachment(path: Path, folder: Path) -> bytes:
    """The first attached file; ffmpeg complains of having no output, after writing it."""
    extracted = folder / "extracted"
    ffmpeg("-dump_attachment:t:0", extracted, "-i", path, "-t", "0", "-f", "null", "-")
    return extracted.read_bytes()


def test_what_mp4_holds_is_carried_into_mp4(tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    report = enlarge(source, tmp_path / "out.mp4")
    said = describe(tmp_path / "out.mp4")
    assert video_times(tmp_path / "out.mp4") == pytest.approx(video_times(source), abs=1e-6)
    for stream in ("0:a:0", "0:a:1"):
        same_packets(source, stream, tmp_path / "out.mp4", stream, tolerance=0.0011)
    for wanted in (
        r"\(eng\).*Audio: aac", r"\(deu\).*Audio: opus", r"\(fra\).*Subtitle: mov_text",
        r"title\s+: One", r"title\s+: Two", r"artist\s+: Nobody",
    ):  # fmt: skip
        assert re.search(wanted, said, re.IGNORECASE), f"{wanted} not in {said}"
    text = ffmpeg("-i", tmp_path / "out.mp4", "-map", "0:s:0", "-f", "srt", "-").decode()
    assert "00:00:00,200 --> 00:00:00,900\nfirst line" in text
    assert "00:00:01,000 --> 00:00:01,800\nsecond line" in text
    assert any("attachment" in note and "left out" in note for note in report.notes)


def test_audio_and_subtitles_can_be_left_out(tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    enlarge(source, tmp_path / "out.mkv", audio="none", subtitles="none")
    said = describe(tmp_path / "out.mkv")
    assert "Audio:" not in said and "Subtitle:" not in said
    assert "Video:" in said


def test_late_clock_keeps_audio_in_sync(tmp_path: Path) -> None:
    """A broadcast's clock starts anywhere; both are shifted alike."""
    source = clips.with_audio(tmp_path / "in.ts", "-output_ts_offset", "1000", audio_delay=0.2)
    enlarge(source, tmp_path / "out.mp4")
    shift = video_times(source)[0] - video_times(tmp_path / "out.mp4")[0]
    wanted = [t - shift for t in video_times(source)]
    assert video_times(tmp_path / "out.mp4") == pytest.approx(wanted, abs=1e-4)
    # ADTS headers are gone in MP4, so that packets compare by their times.
    before = [t - shift for t, _ in packet_hashes(source, "0:a:0")]
    after = [t for t, _ in packet_hashes(tmp_path / "out.mp4", "0:a:0")]
    assert after == pytest.approx(before, abs=0.001)


@pytest.mark.parametrize(
    ("name", "codecs", "delays"),
    [
        ("in.mp4", ("libx264", "aac"), (0.3, 0)),
        ("in.mp4", ("libx264", "aac"), (0, 0.3)),
        ("in.mov", ("libx264", "pcm_s16le"), (0, 0)),
        ("in.mpg", ("mpeg2video", "mp2"), (0, 0)),
        ("in.avi", ("mpeg4", "mp2"), (0, 0)),
        ("in.flv", ("flv1", "aac"), (0, 0)),
        ("in.webm", ("libvpx", "libopus"), (0, 0)),
    ],
)
def test_sound_and_picture_keep_their_distance(
    tmp_path: Path, name: str, codecs: tuple[str, str], delays: tuple[float, float]
) -> None:
    """Whatever begins late or before zero, in containers with edit lists, and without times."""
    source = tmp_path / name
    ffmpeg(
        "-itsoffset", str(delays[0]), "-f", "lavfi", "-i", clips.source(24, "30000/1001"),
        "-itsoffset", str(delays[1]), "-f", "lavfi", "-i", "anoisesrc=duration=0.8:seed=1",
        "-c:v", codecs[0], "-c:a", codecs[1], "-pix_fmt", "yuv420p", source,
    )  # fmt: skip
    target = tmp_path / "out.mkv"
    enlarge(source, target)
    before, after = video_times(source), video_times(target)
    moved = after[0] - before[0]
    assert after == pytest.approx([t + moved for t in before], abs=0.0011)
    same_packets(source, "0:a:0", target, "0:a:0", tolerance=0.0016, offset=-moved)


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_a_cut_keeps_sound_and_picture_together(tmp_path: Path, name: str) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    report = enlarge(
        source, tmp_path / name, 1, start=Fraction("0.5"), end=Fraction("1.3"), encode=FAST
    )
    assert report.frames == 8
    times = video_times(tmp_path / name)
    # Matroska has no times below zero: with the packet of sound that begins before the cut, all
    # is moved by the same few milliseconds.
    moved = times[0]
    assert 0 <= moved < 0.025
    assert times == pytest.approx([moved + 0.1 * n for n in range(8)], abs=1e-6)
    before = stored_planes(source, "yuv420p", 64, 48)[0][5:13]
    assert psnr(stored_planes(tmp_path / name, "yuv420p", 64, 48)[0], before) > 40
    for stream in ("0:a:0", "0:a:1"):
        wanted = packet_hashes(source, stream)
        found = packet_hashes(tmp_path / name, stream)
        assert 0.75 < found[-1][0] - found[0][0] < 0.85
        first = min(range(len(wanted)), key=lambda n: abs(wanted[n][0] - 0.5 + moved - found[0][0]))
        kept = wanted[first : first + len(found)]
        assert [digest for _, digest in found] == [digest for _, digest in kept]
        assert [t for t, _ in found] == pytest.approx(
            [t - 0.5 + moved for t, _ in kept], abs=0.0011
        )


@pytest.mark.parametrize("start", ["0.55", "0.599", "0.5001"])
@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_a_cut_within_a_frame_keeps_that_frame_and_the_sync(
    tmp_path: Path, name: str, start: str
) -> None:
    source = tmp_path / "in.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(20), "-f", "lavfi", "-i",
        "anoisesrc=duration=2:seed=1:sample_rate=44100", "-c:v", "libx264", "-pix_fmt", "yuv420p",
        "-c:a", "aac", source,
    )  # fmt: skip
    report = enlarge(source, tmp_path / name, 1, start=Fraction(start))
    times = video_times(tmp_path / name)
    assert report.frames == len(times) == 15
    # The first frame is the one shown at the start, and lasts to the next one.
    moved = times[0]
    assert 0 <= moved < 0.025
    wanted = [0.0] + [0.1 * n - float(start) for n in range(6, 20)]
    assert [t - moved for t in times] == pytest.approx(wanted, abs=0.0011)
    before = stored_planes(source, "yuv420p", 64, 48)[0][5:]
    assert psnr(stored_planes(tmp_path / name, "yuv420p", 64, 48)[0], before) > 40
    sound = {digest: t for t, digest in packet_hashes(source, "0:a:0")}
    for t, digest in packet_hashes(tmp_path / name, "0:a:0"):
        assert t - moved == pytest.approx(sound[digest] - float(start), abs=0.0016)


def test_converted_sound_is_cut_with_the_picture(tmp_path: Path) -> None:
    """A tone from 1.0 s to 1.2 s of the source is heard 0.55 s earlier."""
    source = tmp_path / "in.mov"
    tone = "aevalsrc='between(t,1,1.2)*sin(2*PI*1000*t)':d=2:s=48000"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(20), "-f", "lavfi", "-i", tone,
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", source,
    )  # fmt: skip
    report = enlarge(source, tmp_path / "out.mp4", start=Fraction("0.55"), end=Fraction("1.5"))
    assert any("becomes aac" in note for note in report.notes)
    raw = ffmpeg("-i", tmp_path / "out.mp4", "-f", "s16le", "-ac", "1", "-ar", "48000", "-")
    loud = np.flatnonzero(np.abs(np.frombuffer(raw, np.int16)) > 3000) / 48000
    assert loud[0] == pytest.approx(0.45, abs=0.005)
    assert loud[-1] == pytest.approx(0.65, abs=0.005)
    assert len(raw) / 2 / 48000 == pytest.approx(0.95, abs=0.03)


def test_windows_media(tmp_path: Path) -> None:
    """Its sound's last frame comes without a time."""
    source = tmp_path / "in.wmv"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(20), "-f", "lavfi", "-i", "sine=duration=2",
        "-c:v", "wmv2", "-c:a", "wmav2", source,
    )  # fmt: skip
    report = enlarge(source, tmp_path / "out.mp4")
    assert report.frames == len(video_times(tmp_path / "out.mp4")) == 20
    assert "Audio: aac" in describe(tmp_path / "out.mp4")


def test_a_cut_of_images_within_one(tmp_path: Path) -> None:
    source = clips.images(tmp_path / "in", "%03d.png", "rgb24", 6)
    report = enlarge(source, tmp_path / "out.mp4", fps=Fraction(10), start=Fraction("0.27"))
    times = video_times(tmp_path / "out.mp4")
    assert report.frames == len(times) == 4
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_webm_gets_vp9_and_opus(tmp_path: Path) -> None:
    source = clips.everything(tmp_path / "in.mkv")
    report = enlarge(source, tmp_path / "out.webm", encode=EncodeOptions(preset="8"))
    said = describe(tmp_path / "out.webm")
    assert report.codec == "vp9"
    assert "Video: vp9" in said and "Audio: aac" not in said
    assert said.count("Audio: opus") == 2
    assert len(video_times(tmp_path / "out.webm")) == 20
    assert any("opus" in note for note in report.notes)


def test_prores_in_mov(tmp_path: Path) -> None:
    source = patches(tmp_path / "in.mp4")
    enlarge(source, tmp_path / "out.mov", encode=EncodeOptions("prores"))
    assert "Video: prores" in describe(tmp_path / "out.mov")
    same_patches(source, tmp_path / "out.mov", 128, 96)


def test_images_become_larger_images(tmp_path: Path) -> None:
    source = clips.images(tmp_path / "in", "%03d.png", "rgb24")
    report = enlarge(source, tmp_path / "out" / "frame-%04d.png", encode=EncodeOptions())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "frame-0001.png", "frame-0002.png", "frame-0003.png",
    ]  # fmt: skip
    assert report.frames == 3
    before = raw_frames(source / "%03d.png", "rgb24", 64, 48).transpose(0, 3, 1, 2)
    after = raw_frames(tmp_path / "out" / "frame-%04d.png", "rgb24", 128, 96).transpose(0, 3, 1, 2)
    for index in range(3):
        wanted = lanczos(before[index], 128, 96).clip(0, 255)
        assert np.abs(after[index] - wanted).max() <= 0.51


def test_images_become_a_video_at_the_rate_asked_for(tmp_path: Path) -> None:
    source = clips.images(tmp_path / "in", "%03d.png", "rgb24", 5)
    enlarge(source / "%03d.png", tmp_path / "out.mkv", fps=Fraction(30000, 1001), encode=LOSSLESS)
    times = video_times(tmp_path / "out.mkv")
    assert times == pytest.approx([n * 1001 / 30000 for n in range(5)], abs=0.00051)


def test_video_becomes_images(tmp_path: Path) -> None:
    source = patches(tmp_path / "in.mp4")
    enlarge(source, tmp_path / "out" / "%02d.png", encode=EncodeOptions())
    same_patches(source, tmp_path / "out" / "%02d.png", 128, 96)


def test_one_image_becomes_one_image(tmp_path: Path) -> None:
    source = clips.images(tmp_path / "in", "%d.png", "rgb24", 1) / "1.png"
    report = enlarge(source, tmp_path / "out.png", 4, encode=EncodeOptions())
    assert report.frames == 1
    before = raw_frames(source, "rgb24", 64, 48)[0].transpose(2, 0, 1)
    after = raw_frames(tmp_path / "out.png", "rgb24", 256, 192)[0].transpose(2, 0, 1)
    assert np.abs(after - lanczos(before, 256, 192).clip(0, 255)).max() <= 0.51


def test_alpha_is_kept_by_ffv1(tmp_path: Path) -> None:
    fade = "format=gbrap,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='4*X'"
    source = clips.clip(
        tmp_path / "in.mkv", codec="ffv1", pix_fmt="gbrap", video_filter=fade, frames=3
    )
    enlarge(source, tmp_path / "out.mkv", 1, encode=LOSSLESS)
    before = raw_frames(source, "rgba", 64, 48)
    after = raw_frames(tmp_path / "out.mkv", "rgba", 64, 48)
    assert before[0, 0, 40, 3] == 160
    assert np.abs(after.astype(int) - before).max() <= 1


def test_video_of_one_frame_needs_an_image_target_for_one_image(tmp_path: Path) -> None:
    source = clips.clip(tmp_path / "in.mp4", frames=3)
    with pytest.raises(OutputError, match="more than one frame"):
        enlarge(source, tmp_path / "out.png", encode=EncodeOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_damaged_packets_are_counted_and_survived(tmp_path: Path) -> None:
    intact = clips.with_audio(tmp_path / "intact.ts", frames=40)
    source = clips.smashed(intact, tmp_path / "in.ts")
    report = enlarge(source, tmp_path / "out.mkv")
    assert report.losses
    assert report.frames == len(video_times(tmp_path / "out.mkv")) > 10
