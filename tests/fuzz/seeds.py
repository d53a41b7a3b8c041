"""Small whole files of many kinds, from which damaged ones are made."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import clips
import torch
from ffmpeg import ffmpeg
from models import tiny, tiny_weights
from onnx_models import write_plain, write_tiny

_VIDEOS: dict[str, tuple[str, ...]] = {
    "h264.mp4": ("-c:v", "libx264", "-bf", "2", "-c:a", "aac"),
    "fragments.mp4": ("-c:v", "libx264", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "hevc.mp4": ("-c:v", "libx265", "-x265-params", "log-level=none", "-an"),
    "av1.mp4": ("-c:v", "libaom-av1", "-cpu-used", "8", "-an"),
    "subtitles.mp4": ("-c:v", "mpeg4", "-c:a", "aac", "-c:s", "mov_text"),
    "prores.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "qtrle.mov": ("-c:v", "qtrle", "-an"),
    "png.mov": ("-c:v", "png", "-an"),
    "dnxhr.mov": ("-c:v", "dnxhd", "-profile:v", "dnxhr_lb", "-s", "256x120", "-an"),
    "h263.3gp": ("-c:v", "h263", "-s", "128x96", "-an"),
    "ffv1.mkv": ("-c:v", "ffv1", "-level", "3", "-g", "1", "-c:a", "flac", "-c:s", "subrip"),
    "h264.mkv": ("-c:v", "libx264", "-flags", "+ildct+ilme", "-c:a", "libmp3lame", "-c:s", "ass"),
    "mpeg1.mkv": ("-c:v", "mpeg1video", "-c:a", "ac3"),
    "theora.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "vp8.webm": ("-c:v", "libvpx", "-c:a", "libvorbis"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus", "-c:s", "webvtt"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-an"),
    "huffyuv.avi": ("-c:v", "huffyuv", "-pix_fmt", "yuv422p", "-an"),
    "raw.avi": ("-c:v", "rawvideo", "-pix_fmt", "bgr24", "-an"),
    "utvideo.avi": ("-c:v", "utvideo", "-an"),
    "cinepak.avi": ("-c:v", "cinepak", "-pix_fmt", "rgb24", "-an"),
    "mpeg2.ts": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "h264.ts": ("-c:v", "libx264", "-c:a", "aac"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "flv1.flv": ("-c:v", "flv", "-c:a", "adpcm_swf", "-ar", "22050"),
    "wmv2.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "mpeg2.mxf": ("-c:v", "mpeg2video", "-s", "720x576", "-r", "25", "-frames:v", "1", "-an"),
    "rv10.rm": ("-c:v", "rv10", "-an"),
    "snow.nut": ("-c:v", "snow", "-strict", "-2", "-an"),
    "jpeg2000.mkv": ("-c:v", "jpeg2000", "-an"),
    "svq1.mov": ("-c:v", "svq1", "-pix_fmt", "yuv410p", "-an"),
    "raw.y4m": ("-an",),
    "animated.gif": ("-pix_fmt", "rgb8", "-an"),
    "animated.apng": ("-f", "apng", "-an"),
    "stream.h264": ("-c:v", "libx264", "-an"),
    "stream.hevc": ("-c:v", "libx265", "-x265-params", "log-level=none", "-an"),
    "stream.m4v": ("-c:v", "mpeg4", "-f", "m4v", "-an"),
    "stream.obu": ("-c:v", "libaom-av1", "-cpu-used", "8", "-an"),
    "stream.ivf": ("-c:v", "libvpx", "-an"),
    "rgb.png": ("-frames:v", "1", "-an"),
    "grey.png": ("-frames:v", "1", "-pix_fmt", "gray16be", "-an"),
    "palette.png": ("-frames:v", "1", "-pix_fmt", "pal8", "-an"),
    "picture.jpg": ("-frames:v", "1", "-pix_fmt", "yuvj420p", "-an"),
    "picture.bmp": ("-frames:v", "1", "-an"),
    "picture.tiff": ("-frames:v", "1", "-compression_algo", "lzw", "-an"),
    "raw.tiff": ("-frames:v", "1", "-compression_algo", "raw", "-pix_fmt", "rgb48le", "-an"),
    "picture.webp": ("-frames:v", "1", "-an"),
    "lossless.webp": ("-frames:v", "1", "-lossless", "1", "-an"),
    "picture.exr": ("-frames:v", "1", "-pix_fmt", "gbrpf32le", "-an"),
}
"""Names and options of ffmpeg; what this build of it cannot write is left out."""


@dataclass(frozen=True)
class Seed:
    """A file to begin with."""

    name: str
    content: bytes


def make_seeds(folder: Path) -> list[Seed]:
    """All kinds of files, written into `folder` on the way: videos and images of 64x48 mostly,
    checkpoints of tiny networks."""
    encoders = ffmpeg("-encoders").decode()
    subtitles = folder / "in.srt"
    subtitles.write_text("1\n00:00:00,000 --> 00:00:00,400\nword\n")
    for name, options in _VIDEOS.items():
        encoder = options[options.index("-c:v") + 1] if "-c:v" in options else "png"
        if f" {encoder} " not in encoders:
            continue
        words = [] if "-c:s" not in options else ["-i", subtitles, "-metadata", "title=a title"]
        ffmpeg(
            "-f", "lavfi", "-i", clips.source(5, "25"), "-f", "lavfi", "-i", "sine=duration=0.2",
            *words, "-pix_fmt", "yuv420p", "-threads", "1", *options, folder / name,
        )  # fmt: skip
    subtitles.unlink()
    _make_checkpoints(folder)
    return [Seed(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def _make_checkpoints(folder: Path) -> None:
    for name in ("tga", "fstrn", "stfan"):
        tiny_weights(folder, name=name)
    state = {f"module.{key}": value for key, value in tiny("stfan").state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, folder / "new.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "new.pth", "new.pth")
    write_plain(folder / "plain.onnx")
    write_tiny(folder / "fstrn.onnx", "fstrn")
