"""Hard files: sizes, shapes, pixel formats, colours, alpha, fields."""

from __future__ import annotations

from pathlib import Path

import clips
import pytest
from case import DEFAULT, HEVC, LOSSLESS, PRORES, WEBM, Case, Kept, Refused
from ffmpeg import ffmpeg
from harness import run
from making import (
    SMOOTH,
    described,
    film,
    remuxed,
    telecined,
    with_clean_aperture,
    with_icc_profile,
)

from vsrcli.media.icc import profile_in

BWDIF = "bwdif=mode=send_frame:deint=interlaced"


def sized(folder: Path, width: int, height: int, pix_fmt: str = "yuv420p") -> Path:
    return film(
        # In C: ffmpeg's gblur for AVX2 writes nonsense into pictures this narrow. And smooth in few
        # pixels too, since the second reader repeats chroma, which vsr interpolates.
        folder / "in.nut", "-cpuflags", "0",
        codec="rawvideo", frames=3, size=(4 * width, 4 * height),
        pix_fmt=pix_fmt, video_filter=f"gblur=sigma=6,scale={width}:{height}:flags=area",
    )  # fmt: skip


def stored(
    folder: Path, pix_fmt: str, codec: str = "ffv1", name: str = "in.mkv", *options: str
) -> Path:
    return film(folder / name, *options, codec=codec, pix_fmt=pix_fmt, frames=4)


def turned(folder: Path, degrees: int, mirrored: bool = False, name: str = "in.mp4") -> Path:
    flip = ["-display_hflip"] if mirrored else []
    plain = film(folder / f"plain-{name}", frames=4, pix_fmt="yuv444p")
    ffmpeg("-display_rotation", str(degrees), *flip, "-i", plain, "-c", "copy", folder / name)
    return folder / name


def tagged(
    folder: Path,
    matrix: str,
    primaries: str,
    transfer: str,
    scale: str,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    full: bool = False,
) -> Path:
    range = "full" if full else "limited"
    tags = f"range={range}:colorspace={matrix}:color_primaries={primaries}:color_trc={transfer}"
    scaled = f"scale=out_color_matrix={scale}:out_range={range}"
    return film(
        folder / "in.mp4", codec=codec, pix_fmt=pix_fmt, frames=4,
        video_filter=f"{scaled},format={pix_fmt},setparams={tags}",
    )  # fmt: skip


def faded(folder: Path, name: str, codec: str, pix_fmt: str, *options: str) -> Path:
    """Pictures whose alpha grows from left to right."""
    alpha = f"{SMOOTH},format=gbrap,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='40+3*X'"
    ffmpeg(
        "-f", "lavfi", "-i", clips.source(4), "-vf", alpha, "-c:v", codec, "-pix_fmt", pix_fmt,
        "-threads", "1", *options, folder / name,
    )  # fmt: skip
    return folder / name


def fields(folder: Path, name: str, first: str, codec: str, *options: str) -> Path:
    """Bars that move five pixels from field to field."""
    bars = "geq=lum='128+90*sin(2*PI*(X+5*N)/32)':cb=128:cr=128"
    mode = "interleave_top" if first == "tff" else "interleave_bottom"
    return film(
        folder / name, "-flags", "+ildct+ilme", *options, frames=20, rate="50", codec=codec,
        video_filter=f"{bars},tinterlace={mode},setfield={first}",
    )  # fmt: skip


def icc(folder: Path) -> Path:
    plain = film(folder / "p.png", "-frames:v", "1", codec="png", pix_fmt="rgb24", frames=1)
    return with_icc_profile(folder / "in.png", plain)


def same_profile(source: Path, target: Path) -> None:
    before, after = (profile_in(path.read_bytes(), "png") for path in (source, target))
    assert before and before == after


def animated(folder: Path) -> Path:
    """A GIF with a palette of its own."""
    palette = f"{SMOOTH},split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"
    ffmpeg("-f", "lavfi", "-i", clips.source(6), "-vf", palette, folder / "in.gif")
    return folder / "in.gif"


CASES = [
    *(
        Case(f"size-{w}x{h}", lambda f, w=w, h=h: sized(f, w, h), Kept(psnr=30), options=LOSSLESS)
        for w, h in ((1, 1), (2, 2), (1, 48), (161, 121), (3, 5))
    ),
    *(
        Case(
            f"size-{w}x{h}-h264",
            lambda f, w=w, h=h: sized(f, w, h, "yuv444p"),
            Kept(psnr=28),
            target="out.mp4",
        )
        for w, h in ((1, 1), (2, 2), (161, 121))
    ),
    Case(
        "odd-crop-h264",
        lambda f: film(f / "in.mp4", "-bsf:v", "h264_metadata=crop_right=6:crop_bottom=4"),
        target="out.mp4",
    ),
    Case(
        "crop-h264",
        lambda f: film(
            f / "in.mp4",
            "-bsf:v",
            "h264_metadata=crop_left=8:crop_right=8:crop_top=4:crop_bottom=4",
        ),
        target="out.mp4",
    ),
    Case(
        "crop-hevc",
        lambda f: film(
            f / "in.mp4", "-bsf:v", "hevc_metadata=crop_left=8:crop_top=8", codec="libx265"
        ),
        target="out.mp4",
    ),
    Case(
        "clean-aperture",
        lambda f: with_clean_aperture(f / "in.mov", film(f / "p.mov"), (40, 32), (4, -2)),
        target="out.mov",
    ),
    Case(
        "clean-aperture-mkv",
        lambda f: remuxed(
            f / "in.mkv", with_clean_aperture(f / "in.mov", film(f / "p.mov"), (40, 32), (4, -2))
        ),
    ),
    Case("sar", lambda f: film(f / "in.mp4", video_filter="setsar=16/11"), target="out.mp4"),
    Case("sar-mkv", lambda f: film(f / "in.mkv", video_filter="setsar=64/45")),
    Case(
        "sar-turned",
        lambda f: remuxed(f / "in.mp4", film(f / "p.mp4", video_filter="setsar=16/11")),
        target="out.mov",
    ),
    *(
        Case(
            f"turned-{d}{'-mirrored' if m else ''}",
            lambda f, d=d, m=m: turned(f, d, m),
            target="out.mp4",
        )
        for d in (0, 90, 180, 270)
        for m in (False, True)
        if d or m
    ),
    Case("turned-mkv", lambda f: turned(f, 90, name="in.mkv")),
    *(
        Case(f"format-{p}", lambda f, p=p: stored(f, p), Kept(psnr=30), options=LOSSLESS)
        for p in (
            "gray",
            "gray10le",
            "gray16le",
            "yuv410p",
            "yuv411p",
            "yuv440p",
            "yuv422p",
            "yuv444p",
            "yuv420p10le",
            "yuv422p12le",
            "yuv444p16le",
            "gbrp",
            "gbrp10le",
            "gbrp16le",
            "bgr0",
        )
    ),
    Case("rgb555", lambda f: stored(f, "rgb555le", "rawvideo", "in.nut"), Kept(psnr=30)),
    Case("rgb565", lambda f: stored(f, "rgb565le", "rawvideo", "in.nut"), Kept(psnr=30)),
    Case("rgb24-avi", lambda f: stored(f, "bgr24", "rawvideo", "in.avi"), Kept(psnr=30)),
    Case("palette-avi", lambda f: stored(f, "pal8", "msrle", "in.avi"), Kept(psnr=24)),
    Case("uyvy", lambda f: stored(f, "uyvy422", "rawvideo", "in.mov"), Kept(psnr=30)),
    Case(
        "v210",
        lambda f: stored(f, "yuv422p10le", "v210", "in.mov"),
        Kept(psnr=30),
        target="out.mov",
        options=PRORES,
    ),
    Case("grey-h264", lambda f: film(f / "in.mp4", pix_fmt="gray"), target="out.mp4"),
    Case("h264-ten-bit-422", lambda f: film(f / "in.mp4", pix_fmt="yuv422p10le"), target="out.mp4"),
    Case(
        "hevc-twelve-bit-444",
        lambda f: film(f / "in.mp4", codec="libx265", pix_fmt="yuv444p12le"),
        target="out.mp4",
        options=HEVC,
    ),
    Case(
        "full-range",
        lambda f: tagged(f, "bt709", "bt709", "bt709", "bt709", full=True),
        target="out.mp4",
    ),
    Case(
        "full-range-mjpeg",
        lambda f: film(f / "in.avi", codec="mjpeg", pix_fmt="yuvj422p"),
        Kept(psnr=30),
    ),
    Case(
        "bt601",
        lambda f: tagged(f, "smpte170m", "smpte170m", "smpte170m", "smpte170m"),
        target="out.mp4",
    ),
    Case(
        "bt470bg", lambda f: tagged(f, "bt470bg", "bt470bg", "bt470bg", "bt470"), target="out.mp4"
    ),
    Case("bt709-sd", lambda f: tagged(f, "bt709", "bt709", "bt709", "bt709"), target="out.mkv"),
    Case(
        "bt2020",
        lambda f: tagged(f, "bt2020nc", "bt2020", "bt2020-10", "bt2020", pix_fmt="yuv420p10le"),
        target="out.mp4",
    ),
    Case(
        "hlg",
        lambda f: tagged(
            f,
            "bt2020nc",
            "bt2020",
            "arib-std-b67",
            "bt2020",
            codec="libx265",
            pix_fmt="yuv420p10le",
        ),
        target="out.mp4",
        options=HEVC,
    ),
    Case(
        "hdr10", lambda f: clips.hdr10(f / "in.mp4"), Kept(psnr=24), target="out.mp4", options=HEVC
    ),
    Case(
        "dolby-vision",
        lambda f: described(
            f / "in.mp4",
            film(f / "p.mp4", "-tag:v", "hvc1", codec="libx265", pix_fmt="yuv420p10le", frames=4),
            b"dvcC",
            bytes((1, 0, 0x10, 0x0D, 0x10)) + bytes(19),
            b"hvc1",
        ),
        Kept(said=["Dolby Vision"]),
        target="out.mp4",
        options=HEVC,
    ),
    Case(
        "alpha-prores",
        lambda f: faded(f, "in.mov", "prores_ks", "yuva444p10le"),
        Kept(pix_fmt="rgba", psnr=30),
        target="out.mov",
        options=PRORES,
    ),
    Case(
        "alpha-qtrle",
        lambda f: faded(f, "in.mov", "qtrle", "argb"),
        Kept(pix_fmt="rgba", psnr=30),
        target="out.mkv",
        options=LOSSLESS,
    ),
    Case(
        "alpha-png-mov",
        lambda f: faded(f, "in.mov", "png", "rgba"),
        Kept(color=["bt709"], pix_fmt="rgba", psnr=30),
        target="out.mov",
        options=PRORES,
    ),
    Case(
        "alpha-vp9",
        lambda f: faded(f, "in.webm", "libvpx-vp9", "yuva420p"),
        Kept(pix_fmt="rgba", psnr=30, opening=("-c:v", "libvpx-vp9")),
        target="out.mov",
        options=PRORES,
    ),
    Case(
        "alpha-vp8",
        lambda f: faded(f, "in.webm", "libvpx", "yuva420p", "-auto-alt-ref", "0"),
        Kept(pix_fmt="rgba", psnr=30, opening=("-c:v", "libvpx")),
        target="out.mov",
        options=PRORES,
    ),
    Case(
        "alpha-vp9-to-vp9",
        lambda f: faded(f, "in.webm", "libvpx-vp9", "yuva420p"),
        Kept(pix_fmt="rgba", psnr=30, opening=("-c:v", "libvpx-vp9")),
        target="out.webm",
        options=WEBM,
    ),
    Case(
        "alpha-dropped",
        lambda f: faded(f, "in.mov", "qtrle", "argb"),
        Kept(said=["alpha channel is left out"]),
        target="out.mp4",
    ),
    Case(
        "top-first",
        lambda f: fields(f, "in.mp4", "tff", "libx264", "-x264-params", "tff=1"),
        Kept(view=BWDIF, progressive=True),
        target="out.mp4",
    ),
    Case(
        "bottom-first",
        lambda f: fields(f, "in.mp4", "bff", "libx264", "-x264-params", "bff=1"),
        Kept(psnr=30, view=BWDIF, progressive=True),
        target="out.mp4",
    ),
    Case(
        "fields-mpeg2",
        lambda f: fields(f, "in.ts", "tff", "mpeg2video", "-field_order", "tt"),
        Kept(view=BWDIF, progressive=True),
    ),
    Case(
        "soft-telecine",
        lambda f: telecined(
            f / "in.mkv",
            film(f / "p.mkv", codec="mpeg2video", rate="24000/1001", frames=12, size=(64, 64)),
        ),
    ),
    Case(
        "size-changes",
        lambda f: clips.changing_size(f / "in.ts"),
        Kept(psnr=20, said=["made 64x48"]),
    ),
    Case("gif", animated, Kept(psnr=24), target="out.mp4"),
    Case(
        "apng",
        lambda f: faded(f, "in.apng", "apng", "rgba", "-f", "apng"),
        Kept(color=["bt709"], psnr=28, pix_fmt="rgba"),
        target="out.mov",
        options=PRORES,
    ),
    Case(
        "webp-animated",
        lambda f: film(f / "in.webp", codec="libwebp_anim", pix_fmt="bgra", frames=4),
        Refused("animated WebP"),
    ),
    Case(
        "icc-png",
        lambda f: icc(f),
        Kept(psnr=30, check=same_profile),
        target="out.png",
        options=DEFAULT,
    ),
    Case(
        "icc-jpeg",
        lambda f: icc(f),
        Kept(psnr=28, said=["ICC colour profile is left out"], color=[]),
        target="out.jpg",
        options=DEFAULT,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_picture(case: Case, tmp_path: Path) -> None:
    assert run(case, tmp_path) == []
