"""Tiny clips made by the static ffmpeg, and files that are broken on purpose.

Every function writes `path` and returns it. The picture is ffmpeg's moving test card, 64x48, and
every call with the same arguments gives the same frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from ffmpeg import ffmpeg

WIDTH, HEIGHT = 64, 48
EXAMPLE = Path(__file__).parent.parent / "examples" / "bunny.mp4"
"""Two seconds of real film with a cut in it, 160x90."""


def source(frames: int = 10, rate: str = "10", size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    """A lavfi source of so many frames of the test card."""
    seconds = Fraction(frames) / Fraction(rate)
    return f"testsrc2=size={size[0]}x{size[1]}:rate={rate}:duration={float(seconds):.6f}"


def clip(
    path: Path,
    *options: str | Path,
    frames: int = 10,
    rate: str = "10",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    video_filter: str = "null",
) -> Path:
    """A clip at a constant rate without sound; `options` go to the encoder and the muxer."""
    tune = ["-x265-params", "log-level=none"] if codec == "libx265" else []
    if "-x265-params" in options:
        tune = []
    ffmpeg(
        "-f", "lavfi", "-i", source(frames, rate, size), "-vf", video_filter, "-c:v", codec,
        "-pix_fmt", pix_fmt, "-threads", "1", *tune, *options, path,
    )  # fmt: skip
    return path


def b_frames(path: Path, frames: int = 24) -> Path:
    """H.264 with groups of 8 frames, two B-frames in a row."""
    return clip(path, "-bf", "2", "-g", "8", "-x264-params", "scenecut=0", frames=frames)


def uneven_times(frames: int) -> list[int]:
    """The presentation times of `variable_rate`, in milliseconds."""
    return [40 * n + 9 * (n * n % 5) for n in range(frames)]


def variable_rate(path: Path, frames: int = 12) -> Path:
    """A clip whose frames stand at `uneven_times`; time base 1/1000."""
    return clip(
        path, "-fps_mode", "passthrough", "-enc_time_base", "1/1000", "-bf", "2",
        *(["-video_track_timescale", "1000"] if path.suffix in (".mp4", ".mov") else []),
        frames=frames, video_filter=r"settb=1/1000,setpts=40*N+9*mod(N*N\,5)",
    )  # fmt: skip


def late_start(path: Path, seconds: float = 1000.0) -> Path:
    """A clip whose clock begins far from zero; `.ts` and `.mkv` can say so."""
    return clip(path, "-bf", "2", "-output_ts_offset", str(seconds))


def ten_bit(path: Path) -> Path:
    """10-bit HEVC."""
    return clip(path, codec="libx265", pix_fmt="yuv420p10le")


def hdr10(path: Path) -> Path:
    """PQ, BT.2020, 10 bits, chroma at the top left, with mastering and light-level metadata."""
    parameters = (
        "log-level=none:range=limited:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
        ":chromaloc=2:max-cll=1000,400"
        ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    )
    return clip(path, "-x265-params", parameters, codec="libx265", pix_fmt="yuv420p10le")


def odd_size(path: Path) -> Path:
    """FFV1 of 63x47 in 4:2:0, whose chroma planes are rounded up to 32x24."""
    crop = "format=gbrp,crop=63:47:exact=1,format=yuv420p"
    return clip(path, codec="ffv1", video_filter=crop)


def full_range(path: Path) -> Path:
    """H.264 tagged BT.709 and full range."""
    tags = "range=pc:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    return clip(path, video_filter=f"scale=out_range=full:out_color_matrix=bt709,setparams={tags}")


def anamorphic(path: Path) -> Path:
    """H.264 with samples of 16:11."""
    return clip(path, video_filter="setsar=16/11")


def interlaced(path: Path, codec: str = "libx264", frames: int = 10, first: str = "top") -> Path:
    """A moving test card of 25 frames a second, each woven from two instants."""
    mode = "interleave_top" if first == "top" else "interleave_bottom"
    parameters = ["-x264-params", f"{'tff' if first == 'top' else 'bff'}=1"]
    return clip(
        path, *(parameters if codec == "libx264" else []), "-flags", "+ildct+ilme",
        frames=2 * frames, rate="50", codec=codec,
        video_filter=f"tinterlace={mode},setfield={'tff' if first == 'top' else 'bff'}",
    )  # fmt: skip


def rotated(path: Path, degrees: int, *, mirrored: bool = False, work: Path | None = None) -> Path:
    """H.264 in MP4 with a display matrix: turned counter-clockwise, and mirrored if wanted."""
    plain = clip((work or path.parent) / f"plain-{path.name}")
    flip = ["-display_hflip"] if mirrored else []
    ffmpeg("-display_rotation", str(degrees), *flip, "-i", plain, "-c", "copy", path)
    return path


def everything(path: Path) -> Path:
    """Matroska with video, two audio tracks, subtitles, two chapters, a font and tags.

    The second audio track starts 0.25 s late; the languages are eng, deu and fra.
    """
    subtitles = path.with_suffix(".srt")
    subtitles.write_text(
        "1\n00:00:00,200 --> 00:00:00,900\nfirst line\n\n"
        "2\n00:00:01,000 --> 00:00:01,800\nsecond line\n"
    )
    chapters = path.with_suffix(".ffmeta")
    chapters.write_text(
        ";FFMETADATA1\ntitle=Everything\nartist=Nobody\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Two\n"
    )
    font = path.with_suffix(".ttf")
    font.write_bytes(bytes(range(256)) * 4)
    ffmpeg(
        "-f", "lavfi", "-i", source(20),
        "-f", "lavfi", "-i", "sine=frequency=440:duration=2",
        "-itsoffset", "0.25", "-f", "lavfi", "-i", "sine=frequency=880:duration=1.5",
        "-i", subtitles, "-i", chapters,
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map_metadata", "4",
        "-map_chapters", "4", "-attach", font,
        "-metadata:s:t", "mimetype=application/x-truetype-font",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu",
        "-metadata:s:a:1", "title=Commentary", "-metadata:s:s:0", "language=fra",
        "-disposition:a:1", "comment", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a:0", "aac",
        "-c:a:1", "libopus", "-c:s", "subrip", path,
    )  # fmt: skip
    return path


def with_cover(path: Path) -> Path:
    """MP4 with an attached PNG cover, larger than the video, as the first stream."""
    cover = path.with_suffix(".png")
    ffmpeg("-f", "lavfi", "-i", source(1, size=(320, 240)), "-frames:v", "1", cover)
    video = clip(path.with_name(f"plain-{path.name}"))
    ffmpeg(
        "-i", cover, "-i", video, "-map", "0", "-map", "1", "-c", "copy",
        "-disposition:v:0", "attached_pic", path,
    )  # fmt: skip
    return path


def cover_only(path: Path) -> Path:
    """An M4A song with a cover picture and no video."""
    cover = path.with_suffix(".png")
    ffmpeg("-f", "lavfi", "-i", source(1), "-frames:v", "1", cover)
    ffmpeg(
        "-f", "lavfi", "-i", "sine=duration=1", "-i", cover, "-map", "0", "-map", "1",
        "-c:a", "aac", "-c:v", "copy", "-disposition:v:0", "attached_pic", path,
    )  # fmt: skip
    return path


def audio_only(path: Path) -> Path:
    """One second of a sine tone."""
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    return path


def with_audio(path: Path, *options: str, frames: int = 20, audio_delay: float = 0.0) -> Path:
    """H.264 and AAC; the sound may start late."""
    ffmpeg(
        "-f", "lavfi", "-i", source(frames), "-itsoffset", str(audio_delay),
        "-f", "lavfi", "-i", f"sine=duration={frames / 10}", "-c:v", "libx264",
        "-pix_fmt", "yuv420p", "-c:a", "aac", *options, path,
    )  # fmt: skip
    return path


def changing_size(path: Path) -> Path:
    """MPEG-TS whose picture goes from 64x48 to 96x72 after 10 frames."""
    small = clip(path.with_name("small.ts"), codec="mpeg2video")
    large = clip(
        path.with_name("large.ts"), "-output_ts_offset", "1", size=(96, 72), codec="mpeg2video"
    )
    path.write_bytes(small.read_bytes() + large.read_bytes())
    return path


def smashed(intact: Path, path: Path, at: float = 0.5, length: int = 200) -> Path:
    """A copy with `length` bytes overwritten at the given share of the file."""
    data = bytearray(intact.read_bytes())
    offset = int(len(data) * at)
    data[offset : offset + length] = bytes((7 * n + 13) % 256 for n in range(length))
    path.write_bytes(data)
    return path


def truncated(intact: Path, path: Path, keep: float = 0.6) -> Path:
    """A copy of the first part of the file."""
    data = intact.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def images(folder: Path, pattern: str, pix_fmt: str, frames: int = 3, *options: str) -> Path:
    """A folder with one image a frame, numbered from 1."""
    folder.mkdir(exist_ok=True)
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        source(frames),
        "-pix_fmt",
        pix_fmt,
        *options,
        "-f",
        "image2",
        folder / pattern,
    )
    return folder


def concatenated(path: Path, parts: Sequence[Path]) -> Path:
    """A copy of the bytes of all parts, one after the other."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
