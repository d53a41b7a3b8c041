"""The options that make an encoder do what was asked, in libav's names."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from vsrcli.errors import UsageError
from vsrcli.media.codecs import Codec
from vsrcli.media.frame import ColorSpec, PixelFormat
from vsrcli.media.info import ContentLight, MasteringDisplay

_LIGHT_LEVEL = {"libx264": "cll", "libx265": "max-cll", "libsvtav1": "content-light"}
_MASTERING = {
    "libx264": "mastering-display",
    "libx265": "master-display",
    "libsvtav1": "mastering-display",
}


def encoder_options(
    name: str,
    codec: Codec,
    *,
    crf: float | None,
    preset: str | None,
    extra: Sequence[tuple[str, str]],
    form: PixelFormat,
    color: ColorSpec,
    mastering: MasteringDisplay | None,
    light: ContentLight | None,
) -> tuple[tuple[str, str], ...]:
    """Options of the codec called `name`; `extra` are the user's own and win.

    UsageError for a quality or a preset that this codec does not have.
    """
    options = dict(codec.options)
    if codec.quality:
        option, default, greatest = codec.quality
        quality = default if crf is None else crf
        if not 0 <= quality <= greatest:
            raise UsageError(f"--crf {quality:g} for {name}: it goes from 0 to {greatest}")
        options[option] = f"{quality:g}"
    elif crf is not None:
        raise UsageError(f"--crf {crf:g} for {name}: this codec has none, leave it out")
    if preset is not None and preset not in codec.presets:
        choices = ", ".join(codec.presets) or "none: leave it out"
        raise UsageError(f"--preset {preset} for {name}: choose one of {choices}")
    if codec.preset:
        option, default_preset = codec.preset
        options[option] = preset or default_preset
    if form.chroma_shift == (1, 1) and codec.tells_location:
        options["chroma_sample_location"] = color.chroma_location.name.lower()
    parameters = _parameters(codec.encoder, mastering, light)
    for key, value in extra:
        if parameters and key == parameters[0]:
            # The user's parameters come behind ours, so that they win.
            parameters = (key, ":".join(filter(None, (parameters[1], value))))
        else:
            options[key] = value
    if parameters and parameters[1]:
        options[parameters[0]] = parameters[1]
    return tuple(options.items())


def carries_light(encoder: str) -> bool:
    """Whether vsr can make this encoder write mastering display and light levels."""
    return encoder in _MASTERING


def _parameters(
    encoder: str, display: MasteringDisplay | None, light: ContentLight | None
) -> tuple[str, str] | None:
    """Name and value of the option that holds an encoder's own parameters."""
    if encoder not in _MASTERING:
        return None
    # x265 would write its settings to standard error.
    parts = ["log-level=error"] if encoder == "libx265" else []
    if display and display.primaries and display.white_point and display.luminance:
        parts.append(f"{_MASTERING[encoder]}={_display_text(encoder, display)}")
    if light:
        parts.append(f"{_LIGHT_LEVEL[encoder]}={light.max_content},{light.max_frame_average}")
    return f"{encoder.removeprefix('lib')}-params", ":".join(parts)


def _display_text(encoder: str, display: MasteringDisplay) -> str:
    """G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min): SVT-AV1 reads plain numbers, x264 and x265 the counts
    of SMPTE ST 2086: units of 0.00002, and of 0.0001 cd/m2."""
    assert display.primaries and display.white_point and display.luminance
    plain = encoder == "libsvtav1"

    def point(xy: tuple[Fraction, Fraction]) -> str:
        return ",".join(f"{float(v):.5f}" if plain else str(round(v * 50000)) for v in xy)

    def luminance(value: Fraction) -> str:
        return f"{float(value):.4f}" if plain else str(round(value * 10000))

    red, green, blue = map(point, display.primaries)
    white = point(display.white_point)
    least, greatest = map(luminance, display.luminance)
    return f"G({green})B({blue})R({red})WP({white})L({greatest},{least})"
