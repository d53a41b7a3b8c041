"""The pixel format and the colour description in which a codec stores a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vsrcli.errors import InputError, OutputError
from vsrcli.media.codecs import Codec
from vsrcli.media.formats import pixel_format, planar_format
from vsrcli.media.frame import ChromaLocation, ColorSpec, Matrix, PixelFormat, Range

_PACKED = {
    "bgr0": "gbrp",
    "bgra": "gbrap",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "yuv444p10msble": "yuv444p10le",
    "gbrp10msble": "gbrp10le",
}
"""What FFV1 and NVENC offer where others have planes or the low bits, and the planar equal."""

_KEPT_CHROMA = ((1, 1), (1, 0), (0, 0))
"""4:2:0, 4:2:2, 4:4:4; rarer kinds (4:1:1, 4:4:0 ...) become 4:2:0 where they are not needed."""


def planar(pix_fmt: str) -> PixelFormat:
    """The planar format whose samples fit `pix_fmt` without loss; OutputError when none does."""
    try:
        return pixel_format(_PACKED.get(pix_fmt) or planar_format(pix_fmt))
    except InputError as error:
        raise OutputError(f"vsr cannot make pictures of the format {pix_fmt}") from error


def best_format(
    codec: Codec, offered: Sequence[str], source: PixelFormat, color: ColorSpec, container: str
) -> str:
    """The name of the format among `offered` that keeps most of the source, and no more.

    HDR gets 10 bits or more. RGB becomes 4:2:0, which plays everywhere, unless the codec is made
    for mastering (ProRes: 4:4:4) or for archives (FFV1: RGB).
    """
    bits = max(source.bits, 10) if color.is_hdr else source.bits
    family = source.family if codec.archival else "yuv"
    alpha = source.alpha and (codec.archival or codec.mastering or container in codec.alpha)
    shift = (1, 1)
    if family == "yuv" and source.family == "yuv":
        kept = codec.archival or source.chroma_shift in _KEPT_CHROMA
        shift = source.chroma_shift if kept else (1, 1)
    elif source.family == "rgb" and codec.mastering:
        shift = (0, 0)

    def loss(form: PixelFormat) -> tuple[object, ...]:
        chroma = form.chroma_shift if form.family == "yuv" else shift
        return (
            form.family != family,
            alpha and not form.alpha,
            # Where the wanted chroma is missing, rather more of it than less, but 4:2:0 if it
            # would be neither.
            sum(max(has - wants, 0) for has, wants in zip(chroma, shift, strict=True)),
            sum(shift) - sum(chroma),
            max(bits - form.bits, 0),
            form.bits,
            form.alpha,
        )

    known = {name: form for name in offered if (form := _made_by_default(name)) is not None}
    return min(known, key=lambda name: loss(known[name]))


def _made_by_default(pix_fmt: str) -> PixelFormat | None:
    """The format, unless vsr makes it only when it is asked for: semi-planar, yuvj ..."""
    if pix_fmt.startswith("yuvj"):
        return None
    try:
        return pixel_format(_PACKED.get(pix_fmt, pix_fmt))
    except InputError:
        return None


def stored_color(
    codec: Codec, form: PixelFormat, source: PixelFormat, color: ColorSpec
) -> ColorSpec:
    """The source's colours, changed only where the format or the codec cannot have them."""
    if form.family == "rgb":
        return replace(color, matrix=Matrix.RGB, range=Range.FULL)
    if source.family == "rgb":
        color = replace(
            color,
            matrix=Matrix.BT2020_NCL if color.primaries == 9 else Matrix.BT709,
            range=Range.LIMITED,
            primaries=1 if color.primaries == 2 else color.primaries,
            transfer=1 if color.transfer == 2 else color.transfer,
        )
    if codec.mastering:
        # ProRes has no flag for the range: every reader takes it as limited.
        color = replace(color, range=Range.LIMITED)
    told = form.chroma_shift == (1, 1) and color.chroma_location in codec.locations
    # What readers assume where nothing is said.
    return color if told else replace(color, chroma_location=ChromaLocation.LEFT)


def losses(name: str, form: PixelFormat, source: PixelFormat, color: ColorSpec) -> list[str]:
    """A phrase for each thing of the source that the chosen format drops or risks."""
    notes = []
    if source.bits > form.bits:
        notes.append(f"{source.bits}-bit source: {name} stores {form.bits} bits ({form.name})")
    if source.family == "yuv" and form.family == "yuv":
        lost = any(
            has > had for has, had in zip(form.chroma_shift, source.chroma_shift, strict=True)
        )
        if lost:
            notes.append(f"{source.name} source: {name} stores less chroma ({form.name})")
    if source.family == "rgb" and form.family == "yuv" and form.chroma_shift != (0, 0):
        notes.append(f"RGB source: {name} stores {form.name}; ffv1 keeps RGB, prores all chroma")
    if source.alpha and not form.alpha:
        notes.append(
            f"the alpha channel is left out: {name} has none here; prores, ffv1 and vp9 in .webm or"
            " .mkv keep it"
        )
    if color.is_hdr and form.bits < 10:
        notes.append(f"HDR in {form.bits} bits shows bands: --codec hevc or av1 stores 10")
    if name.startswith("h264") and (form.bits > 8 or form.chroma_shift != (1, 1)):
        notes.append(f"h264 in {form.name}: many players want --pix-fmt yuv420p (8 bits) or hevc")
    return notes
