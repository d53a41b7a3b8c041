"""Colour conversion against the standards' own formulas, and that nothing is lost on the way."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from vsrcli.errors import InputError
from vsrcli.media import color as color_module
from vsrcli.media.color import alpha_of, from_rgb, to_rgb
from vsrcli.media.formats import pixel_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, PixelFormat, Range

KR_KB = {
    Matrix.BT709: (0.2126, 0.0722),  # ITU-R BT.709-6, 3.2
    Matrix.BT470BG: (0.299, 0.114),  # ITU-R BT.601-7, 2.5.1
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.FCC: (0.30, 0.11),  # 47 CFR 73.682
    Matrix.SMPTE240M: (0.212, 0.087),  # SMPTE ST 240
    Matrix.BT2020_NCL: (0.2627, 0.0593),  # ITU-R BT.2020-2, table 4
}
MATRICES = [*KR_KB, Matrix.YCGCO]
LOCATIONS = [location for location in ChromaLocation if location]
RANGES = [Range.LIMITED, Range.FULL]


def spec(
    matrix: Matrix = Matrix.BT709,
    color_range: Range = Range.LIMITED,
    location: ChromaLocation = ChromaLocation.LEFT,
) -> ColorSpec:
    return ColorSpec(matrix, color_range, 1, 1, location)


def codes_by_the_book(rgb: np.ndarray, bits: int, matrix: Matrix, color_range: Range) -> np.ndarray:
    """Y, Cb, Cr codes of R'G'B' (3, ...) in float64, not rounded: H.273, section 8.3."""
    red, green, blue = rgb.astype(np.float64)
    if matrix is Matrix.YCGCO:
        luma = 0.5 * green + 0.25 * (red + blue)
        first, second = 0.5 * green - 0.25 * (red + blue), 0.5 * (red - blue)
        if color_range is Range.LIMITED:  # of R, G and B codes, which span 219 and not 224
            first, second = first * 219 / 224, second * 219 / 224
    else:
        kr, kb = KR_KB[matrix]
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        first, second = 0.5 * (blue - luma) / (1 - kb), 0.5 * (red - luma) / (1 - kr)
    if color_range is Range.LIMITED:
        unit = 1 << (bits - 8)
        return unit * np.stack((219 * luma + 16, 224 * first + 128, 224 * second + 128))
    most, half = (1 << bits) - 1, 1 << (bits - 1)
    return np.stack((most * luma, most * first + half, most * second + half))


def noise(form: PixelFormat, height: int, width: int) -> list[torch.Tensor]:
    """Planes of any code the format has: far outside of the RGB cube, and of the limited range."""
    generator = torch.Generator().manual_seed(5)
    count = (1 if form.family == "gray" else 3) + form.alpha
    dtype = torch.uint8 if form.bits == 8 else torch.uint16
    return [
        torch.randint(
            0, 2**form.bits, form.plane_size(plane, width, height), generator=generator
        ).to(dtype)
        for plane in range(count)
    ]


def worst(planes: tuple[torch.Tensor, ...], wanted: list[torch.Tensor]) -> int:
    """The greatest difference in codes."""
    assert len(planes) == len(wanted)
    for plane, want in zip(planes, wanted, strict=True):
        assert (plane.dtype, plane.shape) == (want.dtype, want.shape)
        assert plane.is_contiguous()
    return max(
        int((plane.long() - want.long()).abs().max())
        for plane, want in zip(planes, wanted, strict=True)
    )


@pytest.mark.parametrize("color_range", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", ["yuv444p", "yuv444p10le", "yuv444p12le", "yuv444p16le"])
def test_both_directions_follow_the_standard(name: str, matrix: Matrix, color_range: Range):
    form = pixel_format(name)
    levels = torch.linspace(0, 1, 12)
    rgb = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij")).reshape(3, 36, 48)
    book = codes_by_the_book(rgb.numpy(), form.bits, matrix, color_range)
    planes = from_rgb(rgb, form, spec(matrix, color_range))
    clipped = np.clip(book, 0, 2**form.bits - 1)  # full range: 0.5 is half a code beyond the last
    for plane, exact in zip(planes, clipped, strict=True):
        assert np.abs(plane.numpy() - exact).max() <= 0.5 + 2**form.bits * 1e-6

    noisy = noise(form, 20, 30)
    back = codes_by_the_book(
        to_rgb(noisy, form, spec(matrix, color_range)).numpy(), form.bits, matrix, color_range
    )
    for plane, exact in zip(noisy, back, strict=True):
        assert np.abs(plane.numpy() - exact).max() <= 2**form.bits * 1e-6


@pytest.mark.parametrize(
    ("name", "color_range", "black", "white"),
    [
        ("yuv420p", Range.LIMITED, (16, 128, 128), (235, 128, 128)),
        ("yuvj420p", Range.FULL, (0, 128, 128), (255, 128, 128)),
        ("yuv420p10le", Range.LIMITED, (64, 512, 512), (940, 512, 512)),
        ("yuv422p12le", Range.FULL, (0, 2048, 2048), (4095, 2048, 2048)),
        ("gbrp", Range.FULL, (0, 0, 0), (255, 255, 255)),
        ("gbrp10le", Range.LIMITED, (64, 64, 64), (940, 940, 940)),
        ("gray", Range.FULL, (0,), (255,)),
        ("gray16le", Range.LIMITED, (4096,), (60160,)),
    ],
)
def test_black_and_white_have_the_codes_everybody_knows(
    name: str, color_range: Range, black: tuple[int, ...], white: tuple[int, ...]
):
    form = pixel_format(name)
    for value, codes in ((0.0, black), (1.0, white)):
        planes = from_rgb(torch.full((3, 4, 6), value), form, spec(color_range=color_range))
        assert [set(plane.flatten().tolist()) for plane in planes] == [{code} for code in codes]
        rgb = to_rgb(planes, form, spec(color_range=color_range))
        assert torch.allclose(rgb, torch.full((3, 4, 6), value), atol=1e-6)


SUBSAMPLED = ["yuv420p", "yuvj420p", "yuv422p", "yuv440p", "yuv411p", "yuv410p", "yuv420p10le",
              "yuv422p12le", "yuv440p10le", "yuv420p16le", "yuva420p"]  # fmt: skip
OTHERS = ["yuv444p", "yuv444p9le", "yuv444p14le", "yuv444p16le", "yuva444p10le",
          "gbrp", "gbrp9le", "gbrp16le", "gbrap", "gbrap12le", "gray", "gray12le",
          "gray16le"]  # fmt: skip


def identity(form: PixelFormat, color: ColorSpec, height: int, width: int) -> int:
    planes = noise(form, height, width)
    alpha = alpha_of(planes, form)
    return worst(from_rgb(to_rgb(planes, form, color), form, color, alpha), planes)


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("name", SUBSAMPLED)
def test_subsampled_video_comes_back_from_every_chroma_location(
    name: str, location: ChromaLocation
):
    form = pixel_format(name)
    for matrix, color_range in itertools.product((Matrix.BT709, Matrix.SMPTE170M), RANGES):
        assert identity(form, spec(matrix, color_range, location), 48, 64) <= 1
    for height, width in ((47, 63), (45, 61), (46, 62), (1, 1), (1, 2), (2, 1), (3, 3), (5, 4)):
        assert identity(form, spec(location=location), height, width) <= 1, (height, width)


@pytest.mark.parametrize("color_range", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", [*SUBSAMPLED, *OTHERS])
def test_video_comes_back_from_every_matrix(name: str, matrix: Matrix, color_range: Range):
    assert identity(pixel_format(name), spec(matrix, color_range), 33, 50) <= 1


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("name", ["yuv420p", "yuv410p", "yuv440p", "yuv444p", "gbrp", "gray"])
def test_strips_leave_no_trace(
    name: str, location: ChromaLocation, monkeypatch: pytest.MonkeyPatch
):
    form = pixel_format(name)
    planes = noise(form, 53, 40)
    whole = to_rgb(planes, form, spec(location=location))
    noisy = torch.rand(3, 53, 40)
    encoded = from_rgb(noisy, form, spec(location=location))
    for samples in (1, 200, 500):
        monkeypatch.setattr(color_module, "STRIP", samples)
        assert torch.equal(to_rgb(planes, form, spec(location=location)), whole)
        strips = from_rgb(noisy, form, spec(location=location))
        assert all(torch.equal(a, b) for a, b in zip(strips, encoded, strict=True))


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize(
    "name", ["yuv420p16le", "yuv422p16le", "yuv440p12le", "yuv411p", "yuv410p"]
)
def test_chroma_sits_where_its_location_says(name: str, location: ChromaLocation):
    """A slope of chroma has, at each luma sample, the value of that place."""
    form = pixel_format(name)
    height, width = 32, 48
    left = {"LEFT": 0, "TOPLEFT": 0, "BOTTOMLEFT": 0}.get(location.name, 0.5)
    top = {"TOPLEFT": 0, "TOP": 0, "BOTTOMLEFT": 1, "BOTTOM": 1}.get(location.name, 0.5)
    across, down = ((1 << shift) - 1 for shift in form.chroma_shift)
    rows, columns = form.plane_size(1, width, height)
    x = torch.arange(columns)[None, :] * (across + 1) + left * across
    y = torch.arange(rows)[:, None] * (down + 1) + top * down
    unit = 2 ** (form.bits - 8)
    cb = torch.round((80 + x + 0.75 * y) * unit)
    planes = [
        torch.full((height, width), 100.0 * unit), cb, torch.full_like(cb, 128.0 * unit)
    ]  # fmt: skip
    dtype = torch.uint8 if form.bits == 8 else torch.uint16
    rgb = to_rgb([plane.to(dtype) for plane in planes], form, spec(location=location))
    codes = codes_by_the_book(rgb.numpy(), form.bits, Matrix.BT709, Range.LIMITED)[1] / unit
    place = 80 + np.arange(width)[None, :] + 0.75 * np.arange(height)[:, None]
    inside = (slice(down + 1, height - down - 1), slice(across + 1, width - across - 1))
    assert np.abs(codes - place)[inside].max() < (0.6 if form.bits == 8 else 0.6 / unit)

    # And the way back puts it there again, in a format of more bits as well.
    wide = pixel_format(name if form.bits > 8 else "yuv444p")
    again = from_rgb(rgb, wide, spec(location=location))[1].float() * 2 ** (8 - wide.bits)
    expected = cb / unit if form.bits > 8 else torch.from_numpy(codes)
    assert (again - expected).abs().max() <= (1 / unit if form.bits > 8 else 0.5001)


def test_values_beyond_black_and_white_are_kept():
    form = pixel_format("yuv444p")
    for code, limit in ((250, 1.06), (3, -0.05)):
        planes = [torch.full((4, 4), value, dtype=torch.uint8) for value in (code, 128, 128)]
        assert abs(float(to_rgb(planes, form, spec()).mean())) >= abs(limit)
    outside = [torch.full((4, 4), value, dtype=torch.uint8) for value in (125, 20, 235)]
    rgb = to_rgb(outside, form, spec())
    assert float(rgb[0].min()) > 1.2 and float(rgb[2].max()) < -0.3


def test_rounding_is_to_the_nearest_with_halves_up_and_clips_to_the_codes():
    gray = pixel_format("gray")
    values = torch.tensor([-1.0, 0.49 / 255, 0.5 / 255, 1.5 / 255, 2.51 / 255, 1.0, 7.0])
    (plane,) = from_rgb(values.expand(3, 1, 7), gray, spec(color_range=Range.FULL))
    assert plane.flatten().tolist() == [0, 0, 1, 2, 3, 255, 255]
    deep = pixel_format("gray16le")
    (plane,) = from_rgb(values.expand(3, 1, 7), deep, spec(color_range=Range.FULL))
    assert plane.flatten().tolist()[-2:] == [65535, 65535]


def test_grey_is_replicated_and_read_back_as_luma():
    form = pixel_format("gray")
    planes = noise(form, 9, 11)
    rgb = to_rgb(planes, form, spec(color_range=Range.FULL))
    assert torch.equal(rgb[0], rgb[1]) and torch.equal(rgb[0], rgb[2])
    assert torch.allclose(rgb[0], planes[0] / 255, atol=1e-6)
    red = torch.zeros(3, 2, 2)
    red[0] = 1
    assert from_rgb(red, form, spec(color_range=Range.FULL))[0].unique().tolist() == [54]


def test_another_size_and_depth_keeps_the_color():
    """8-bit 4:2:0 in, 10-bit 4:2:0 of twice the size out: a flat colour stays that colour."""
    small = pixel_format("yuv420p")
    flat = [torch.full(small.plane_size(i, 10, 6), c).to(torch.uint8)
            for i, c in enumerate((77, 101, 190))]  # fmt: skip
    rgb = to_rgb(flat, small, spec(Matrix.SMPTE170M))
    double = rgb.repeat_interleave(2, -1).repeat_interleave(2, -2)
    planes = from_rgb(double, pixel_format("yuv420p10le"), spec(Matrix.SMPTE170M))
    assert [plane.unique().tolist() for plane in planes] == [[4 * 77], [4 * 101], [4 * 190]]
    assert [tuple(plane.shape) for plane in planes] == [(12, 20), (6, 10), (6, 10)]


def test_alpha_is_of_full_range_and_opaque_when_none_is_given():
    form = pixel_format("yuva420p10le")
    planes = noise(form, 6, 8)
    alpha = alpha_of(planes, form)
    assert alpha is not None and torch.allclose(alpha, planes[3].float() / 1023)
    rgb = to_rgb(planes, form, spec())
    assert from_rgb(rgb, form, spec())[3].unique().tolist() == [1023]
    assert alpha_of(planes[:3], pixel_format("yuv420p10le")) is None


def test_half_precision_and_strided_tensors():
    form = pixel_format("yuv420p")
    planes = noise(form, 20, 24)
    strided = [torch.cat((plane, plane), 1)[:, : plane.shape[1]] for plane in planes]
    rgb = to_rgb(strided, form, spec())
    assert torch.equal(rgb, to_rgb(planes, form, spec()))
    half = to_rgb(planes, form, spec(), dtype=torch.float16)
    assert half.dtype == torch.float16 and torch.equal(half, rgb.half())
    columns_first = half.transpose(1, 2).contiguous().transpose(1, 2)
    assert worst(from_rgb(columns_first, form, spec()), list(from_rgb(half, form, spec()))) == 0


def test_planes_are_not_changed():
    form = pixel_format("yuv420p")
    planes = noise(form, 6, 8)
    before = [plane.clone() for plane in planes]
    rgb = to_rgb(planes, form, spec())
    kept = rgb.clone()
    from_rgb(rgb, form, spec())
    assert torch.equal(rgb, kept)
    assert all(torch.equal(a, b) for a, b in zip(planes, before, strict=True))


def test_matrices_that_do_not_fit_the_format_are_errors():
    for matrix in (Matrix.RGB, Matrix.UNSPECIFIED, Matrix.BT2020_CL):
        with pytest.raises(InputError, match=f"matrix {matrix.name.lower()} .*: convert"):
            to_rgb(noise(pixel_format("yuv420p"), 4, 4), pixel_format("yuv420p"), spec(matrix))


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv410p", "gbrp12le", "gray16le"])
def test_a_gpu_gives_the_same(name: str):
    form = pixel_format(name)
    planes = noise(form, 47, 64)
    rgb = to_rgb([plane.cuda() for plane in planes], form, spec())
    assert torch.allclose(rgb.cpu(), to_rgb(planes, form, spec()), atol=1e-5)
    back = from_rgb(rgb, form, spec())
    assert worst(tuple(plane.cpu() for plane in back), planes) <= 1
