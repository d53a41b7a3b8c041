"""Metadata tags: which of a source's still hold for its output, and how a container keeps them."""

from __future__ import annotations

from collections.abc import Mapping

_OF_THE_CONTAINER = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_STATISTICS = {"bps", "duration", "number_of_frames", "number_of_bytes"}
"""What Matroska muxers count at the end; a cut makes them wrong."""
_OF_THE_ENCODING = {"alpha_mode", "encoder", "rotate", "encoder_options", "encoding_settings"}

_QUICKTIME_LANGUAGES = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq",
    "fas": "per", "fre": "fra", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac",
    "msa": "may", "mya": "bur", "nld": "dut", "rum": "ron", "slo": "slk", "sqi": "alb",
    "swe": "sve", "zho": "chi",
}  # fmt: skip
"""ISO 639-2 has two codes for some languages; libav's table for MOV knows only these ones."""

_ITUNES = {
    "title", "artist", "album_artist", "composer", "album", "date", "encoding_tool", "comment",
    "genre", "copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
    "network", "keywords", "episode_sort", "season_number", "media_type", "hd_video",
    "gapless_playback", "compilation", "track", "disc", "creation_time", "timecode", "language",
}  # fmt: skip
"""What the MP4 muxer writes where every player looks."""


def global_tags(source: Mapping[str, str]) -> dict[str, str]:
    """The source's tags without those that describe its container."""
    return {key: value for key, value in source.items() if key.lower() not in _OF_THE_CONTAINER}


def video_tags(source: Mapping[str, str], container: str, encoder: str) -> dict[str, str]:
    """The video stream's tags without those that describe how it was encoded or turned."""
    kept = carried_tags(source, container)
    kept = {key: value for key, value in kept.items() if key.lower() not in _OF_THE_ENCODING}
    return {**kept, "encoder": f"vsr {encoder}"}


def carried_tags(source: Mapping[str, str], container: str) -> dict[str, str]:
    """The tags of a stream that is handed on, without its statistics."""
    kept = {key: value for key, value in source.items() if not _is_statistic(key)}
    language = kept.get("language")
    if container == "mov" and language is not None:
        kept["language"] = _QUICKTIME_LANGUAGES.get(language, language)
    return kept


def _is_statistic(key: str) -> bool:
    # They may carry a language: BPS-eng.
    name = key.lower().partition("-")[0]
    return name in _STATISTICS or name.startswith("_statistics")


def muxer_options(
    container: str, tags: Mapping[str, str], cover: bool, bluray: bool
) -> dict[str, str]:
    """libav's options for writing a container that holds `tags` and perhaps a cover picture."""
    if bluray:  # every packet with its time of arrival
        return {"mpegts_m2ts_mode": "1"}
    if container not in ("mp4", "mov"):
        return {}
    # Edit lists, which say where a track begins, count in this clock; libav's own is 1/1000 s.
    options = {"movie_timescale": "90000"}
    flags = "+faststart" if container == "mp4" else ""
    # The other way of writing tags takes any key, but fewer players read it, and it has no place
    # for a cover.
    if not cover and any(key.lower() not in _ITUNES for key in tags):
        flags += "+use_metadata_tags"
    return {**options, "movflags": flags} if flags else options
