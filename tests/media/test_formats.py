"""Planes of every pixel format against samples packed here by hand, to FFmpeg's definitions."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.format import names

from vsrcli.errors import InputError
from vsrcli.media.formats import (
    color_of_av,
    frame_to_av,
    pixel_format,
    planar_format,
    planes_from_av,
    tag_av,
)
from vsrcli.media.frame import ChromaLocation, ColorSpec, Frame, Matrix, PixelFormat, Range, Samples

WIDTH, HEIGHT = 60, 34
PLANAR = [
    name for name in sorted(names)
    if name.startswith(("yuv4", "yuvj", "yuva", "gbr", "gray")) and not name.endswith("be")
    and not any(word in name for word in ("f16", "f32", "msb", "32"))
]  # fmt: skip


def noise(form: PixelFormat, width: int = WIDTH, height: int = HEIGHT) -> tuple[Samples, ...]:
    random = np.random.default_rng(1)
    dtype = np.uint8 if form.bits == 8 else np.uint16
    count = (1 if form.family == "gray" else 3) + form.alpha
    return tuple(
        random.integers(
            0, 2**form.bits, form.plane_size(index, width, height), dtype, endpoint=False
        )
        for index in range(count)
    )


def packed(name: str, *planes: np.ndarray) -> av.VideoFrame:
    """A frame whose planes hold the given rows, as bytes in memory order."""
    frame = av.VideoFrame(WIDTH, HEIGHT, name)
    for plane, rows in zip(frame.planes, planes, strict=False):
        data = np.ascontiguousarray(rows).view(np.uint8).reshape(rows.shape[0], -1)
        memory = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        memory[: len(data), : data.shape[1]] = data
    return frame


@pytest.mark.parametrize("name", PLANAR)
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (37, 21)])
def test_planar_formats_survive_the_way_to_ffmpeg_and_back(name: str, size: tuple[int, int]):
    form = pixel_format(name)
    assert planar_format(name) == name
    described = av.VideoFormat(name, *size)
    assert [(c.height, c.width) for c in described.components] == [
        form.plane_size(index, *size) for index in range(len(described.components))
    ]
    assert {component.bits for component in described.components} == {form.bits}
    frame = Frame(noise(form, *size), form, 7, Fraction(1, 25), 2)
    picture = frame_to_av(frame)
    assert (picture.width, picture.height, picture.format.name) == (*size, name)
    assert (picture.pts, picture.time_base, picture.duration) == (7, Fraction(1, 25), 2)
    for got, put in zip(planes_from_av(picture), frame.planes, strict=True):
        assert got.dtype == put.dtype
        np.testing.assert_array_equal(got, put)


def test_rgb_planes_are_in_the_order_red_green_blue():
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 200
    red[..., 1] = 30
    planes = planes_from_av(av.VideoFrame.from_ndarray(red, "rgb24"))
    assert [int(plane.mean()) for plane in planes] == [200, 30, 0]
    picture = frame_to_av(Frame(planes, pixel_format("gbrp"), 0, Fraction(1, 25), 1))
    np.testing.assert_array_equal(picture.to_ndarray(format="rgb24"), red)


def test_planes_are_views_that_outlive_their_frame():
    form = pixel_format("yuv420p10le")
    frame = Frame(noise(form), form, 0, Fraction(1, 25), 1)
    planes = planes_from_av(frame_to_av(frame))
    assert all(not plane.flags.owndata for plane in planes)
    for _ in range(50):  # would take the memory over if it had been freed
        frame_to_av(Frame(tuple(p * 0 for p in frame.planes), form, 0, Fraction(1, 25), 1))
    for got, put in zip(planes, frame.planes, strict=True):
        np.testing.assert_array_equal(got, put)


SEMI_PLANAR = {
    "nv12": ("yuv420p", 0), "nv16": ("yuv422p", 0), "nv24": ("yuv444p", 0),
    "nv21": ("yuv420p", 0), "nv42": ("yuv444p", 0), "nv20le": ("yuv422p10le", 0),
    "p010le": ("yuv420p10le", 6), "p012le": ("yuv420p12le", 4), "p016le": ("yuv420p16le", 0),
    "p210le": ("yuv422p10le", 6), "p212le": ("yuv422p12le", 4), "p216le": ("yuv422p16le", 0),
    "p410le": ("yuv444p10le", 6), "p412le": ("yuv444p12le", 4), "p416le": ("yuv444p16le", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SEMI_PLANAR)
@pytest.mark.parametrize("color_range", [0, 1, 2])
def test_semi_planar_formats(name: str, color_range: int):
    planar, shift = SEMI_PLANAR[name]
    y, cb, cr = noise(pixel_format(planar))
    pair = (cr, cb) if name in ("nv21", "nv42") else (cb, cr)
    frame = packed(name, y << shift, np.stack(pair, -1) << shift)
    frame.color_range = color_range
    check(frame, planar, (y, cb, cr))


YCBCR_WORDS = {
    "yuyv422": ("yuv422p", ("y0", "cb", "y1", "cr"), 0),
    "uyvy422": ("yuv422p", ("cb", "y0", "cr", "y1"), 0),
    "yvyu422": ("yuv422p", ("y0", "cr", "y1", "cb"), 0),
    "y210le": ("yuv422p10le", ("y0", "cb", "y1", "cr"), 6),
    "y212le": ("yuv422p12le", ("y0", "cb", "y1", "cr"), 4),
    "y216le": ("yuv422p16le", ("y0", "cb", "y1", "cr"), 0),
    "uyyvyy411": ("yuv411p", ("cb", "y0", "y1", "cr", "y2", "y3"), 0),
}


@pytest.mark.parametrize("name", YCBCR_WORDS)
@pytest.mark.parametrize("color_range", [0, 2])
def test_packed_subsampled_formats(name: str, color_range: int):
    planar, order, shift = YCBCR_WORDS[name]
    y, cb, cr = noise(pixel_format(planar))
    step = 4 if "411" in planar else 2
    parts = {"cb": cb, "cr": cr, **{f"y{i}": y[:, i::step] for i in range(step)}}
    frame = packed(name, np.stack([parts[part] for part in order], -1) << shift)
    frame.color_range = color_range
    check(frame, planar, (y, cb, cr))


PIXELS = {
    # planar format, components in memory order, shift of each
    "rgb24": ("gbrp", "rgb", 0), "bgr24": ("gbrp", "bgr", 0), "rgb0": ("gbrp", "rgb-", 0),
    "bgr0": ("gbrp", "bgr-", 0), "0rgb": ("gbrp", "-rgb", 0), "0bgr": ("gbrp", "-bgr", 0),
    "rgba": ("gbrap", "rgba", 0), "bgra": ("gbrap", "bgra", 0), "argb": ("gbrap", "argb", 0),
    "abgr": ("gbrap", "abgr", 0), "rgb48le": ("gbrp16le", "rgb", 0),
    "bgr48le": ("gbrp16le", "bgr", 0), "rgba64le": ("gbrap16le", "rgba", 0),
    "bgra64le": ("gbrap16le", "bgra", 0), "rgb48be": ("gbrp16le", "rgb", 0),
    "bgr48be": ("gbrp16le", "bgr", 0), "rgba64be": ("gbrap16le", "rgba", 0),
    "bgra64be": ("gbrap16le", "bgra", 0),
    "vuya": ("yuva444p", "vuya", 0), "vuyx": ("yuv444p", "vuy-", 0),
    "ayuv": ("yuva444p", "ayuv", 0), "uyva": ("yuva444p", "uyva", 0),
    "vyu444": ("yuv444p", "vyu", 0), "ayuv64le": ("yuva444p16le", "ayuv", 0),
    "ayuv64be": ("yuva444p16le", "ayuv", 0), "xv48le": ("yuv444p16le", "uyv-", 0),
    "xv36le": ("yuv444p12le", "uyv-", 4),
}  # fmt: skip


@pytest.mark.parametrize("name", PIXELS)
@pytest.mark.parametrize("color_range", [0, 1, 2])
def test_packed_pixels(name: str, color_range: int):
    planar, order, shift = PIXELS[name]
    planes = noise(pixel_format(planar))
    parts = dict(zip("yuva" if planar.startswith("yuv") else "rgba", planes, strict=False))
    pixels = np.stack([parts.get(letter, planes[0]) for letter in order], -1) << shift
    frame = packed(name, pixels.byteswap() if name.endswith("be") else pixels)
    frame.color_range = color_range
    check(frame, planar, planes)


BIT_FIELDS = {
    # the lowest bit of each component in a 32-bit word
    "x2rgb10le": ("gbrp10le", (20, 10, 0)),
    "x2bgr10le": ("gbrp10le", (0, 10, 20)),
    "xv30le": ("yuv444p10le", (10, 0, 20)),
    "v30xle": ("yuv444p10le", (12, 2, 22)),
}


@pytest.mark.parametrize("name", BIT_FIELDS)
def test_ten_bits_in_words(name: str):
    planar, places = BIT_FIELDS[name]
    planes = noise(pixel_format(planar))
    words = sum(
        plane.astype(np.uint32) << place for plane, place in zip(planes, places, strict=True)
    )
    check(packed(name, np.asarray(words, np.uint32)), planar, planes)


@pytest.mark.parametrize("height", [24, 50, 121])
@pytest.mark.parametrize("width", [50, 63, 100, 162])
def test_ten_bits_in_words_of_narrow_pictures(width: int, height: int):
    """Several threads of FFmpeg's scaler would spoil some rows, now and then."""
    picture = av.VideoFrame(width, height, "p010le")
    words = [np.frombuffer(plane, np.uint16).copy() for plane in picture.planes]
    for plane, given in zip(picture.planes, words, strict=True):
        given[:] = np.random.default_rng(0).integers(0, 1024, len(given)) << 6
        plane.update(given.tobytes())
    luma = words[0].reshape(height, -1)[:, :width] >> 6
    for _ in range(10):
        assert np.array_equal(planes_from_av(picture)[0], luma)


@pytest.mark.parametrize("ending", ["le", "be"])
@pytest.mark.parametrize("kind", ["rgb444", "bgr444", "rgb555", "bgr555", "rgb565", "bgr565"])
def test_few_bits_are_stretched_to_the_whole_range(kind: str, ending: str):
    random = np.random.default_rng(1)
    word = np.zeros((HEIGHT, WIDTH), np.uint16)
    wanted = {}
    for letter, bits in zip(kind[:3], map(int, kind[3:]), strict=True):
        values = random.integers(0, 2**bits, (HEIGHT, WIDTH))
        word = (word << bits) | values.astype(np.uint16)
        wanted[letter] = np.round(values * 255 / (2**bits - 1))
    frame = packed(kind + ending, word.byteswap() if ending == "be" else word)
    check(frame, "gbrp", tuple(wanted[letter] for letter in "rgb"))


@pytest.mark.parametrize("name", [name for name in PLANAR if name.endswith("le")])
def test_big_endian_planes(name: str):
    form = pixel_format(name)
    frame = frame_to_av(Frame(noise(form), form, 0, Fraction(1, 25), 1))
    rows = [
        np.frombuffer(memoryview(p), np.uint16).reshape(p.height, -1).byteswap()
        for p in frame.planes
    ]
    check(packed(f"{name[:-2]}be", *rows), name, noise(form))


def test_grey_with_alpha_keeps_its_alpha():
    grey, alpha = noise(pixel_format("gbrp"))[:2]
    check(packed("ya8", np.stack((grey, alpha), -1)), "gbrap", (grey, grey, grey, alpha))
    grey, alpha = noise(pixel_format("gbrp16le"))[:2]
    pixels = np.stack((grey, alpha), -1)
    check(packed("ya16le", pixels), "gbrap16le", (grey, grey, grey, alpha))
    check(packed("ya16be", pixels.byteswap()), "gbrap16le", (grey, grey, grey, alpha))


def test_black_and_white():
    dots = np.random.default_rng(1).integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8)
    check(packed("monob", np.packbits(dots, 1)), "gray", (dots * 255,))
    check(packed("monow", np.packbits(1 - dots, 1)), "gray", (dots * 255,))


def test_palettes():
    random = np.random.default_rng(1)
    palette = random.integers(0, 256, (1, 256, 4), np.uint8)  # B, G, R, A
    index = random.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    frame = av.VideoFrame(WIDTH, HEIGHT, "pal8")
    memory = np.frombuffer(memoryview(frame.planes[0]), np.uint8)
    memory.reshape(HEIGHT, -1)[:, :WIDTH] = index
    np.frombuffer(memoryview(frame.planes[1]), np.uint8)[:] = palette.ravel()
    check(frame, "gbrap", tuple(palette[0, index, channel] for channel in (2, 1, 0, 3)))


def test_pictures_stored_from_the_bottom_up():
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=WIDTH, height=HEIGHT, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, 25)
    )
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    form = pixel_format("yuv420p")
    frame = Frame(noise(form), form, 0, Fraction(1, 25), 1)
    graph.push(frame_to_av(frame))
    flipped = graph.pull()
    assert flipped.planes[0].line_size < 0
    for got, put in zip(planes_from_av(flipped), frame.planes, strict=True):
        np.testing.assert_array_equal(got, put[::-1])


@pytest.mark.parametrize(
    "name", ["vaapi", "xyz12le", "gbrpf32le", "bayer_rggb8", "x2rgb10be", "no"]
)
def test_formats_without_a_lossless_planar_form_are_named(name: str):
    with pytest.raises(InputError, match=rf"^pixel format {name} is not supported: convert"):
        planar_format(name)
    with pytest.raises(InputError, match=rf"^pixel format {name} is not planar"):
        pixel_format(name)


def test_every_format_is_refused_or_converted():
    """Nothing that this FFmpeg knows ends in an exception of its own."""
    for name in sorted(names):
        try:
            planar = planar_format(name)
        except InputError:
            continue
        planes = planes_from_av(av.VideoFrame(WIDTH, HEIGHT, name))
        form = pixel_format(planar)
        assert [plane.shape for plane in planes] == [p.shape for p in noise(form)], name
        assert {plane.dtype.itemsize for plane in planes} == {1 if form.bits == 8 else 2}, name


def test_color_tags_come_back():
    color = ColorSpec(Matrix.BT2020_NCL, Range.FULL, 9, 16, ChromaLocation.UNSPECIFIED)
    picture = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    unknown = ColorSpec(Matrix.UNSPECIFIED, Range.UNSPECIFIED, 2, 2, ChromaLocation.UNSPECIFIED)
    assert color_of_av(picture) == unknown
    tag_av(picture, color)
    assert color_of_av(picture) == color
    picture.colorspace = 14
    with pytest.raises(InputError, match="H.273 code 14 is not supported"):
        color_of_av(picture)


def check(frame: av.VideoFrame, planar: str, wanted: tuple[np.ndarray, ...]) -> None:
    assert planar_format(frame.format.name) == planar
    planes = planes_from_av(frame)
    assert len(planes) == len(wanted)
    for got, want in zip(planes, wanted, strict=True):
        np.testing.assert_array_equal(got, want)
