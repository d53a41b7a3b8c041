"""Building the training set from nothing but the registries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vsrcli.training.data import shard
from vsrcli.training.data.cut import Pixels, moving_clips, shrunk_frames, still
from vsrcli.training.data.fetch import locate, unpack
from vsrcli.training.data.sources import FILMS, STILLS, Film, Still

_LONG_SIDE = 2200
"""Photographs are shrunk to this: sharp at the pixel, and small enough to hold them all."""


def prepare(folder: Path, report: Callable[[str], None] = lambda line: None) -> None:
    """Fetch, verify, cut and pack the training set into `folder`; about 2.3 GB, some minutes.

    Needs npm, pip, apt-get and dpkg-deb; an InputError names what is missing.

    What is there already is kept: packages by their hash, the set by its index. `CREDITS.md`
    beside the set names every file used with its author and licence.
    """
    if shard.is_whole(folder):
        report(f"{folder}: training set is there")
        return
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    (folder / "CREDITS.md").write_text(credits())
    kept: dict[str, int] = {}
    shard.save(folder, _film(packages, FILMS, kept, report), _stills(packages, report), kept)
    report(f"{folder}: {sum(kept.values())} film clips, {len(STILLS)} stills")


def credits() -> str:
    """Markdown that names package, file, author and licence of everything in the set."""
    lines = [
        "# Credits of the training set",
        "",
        "| package | file | author | licence |",
        "|---|---|---|---|",
    ]
    sources: tuple[Film | Still, ...] = (*FILMS, *STILLS)
    for source in sources:
        package = source.package
        lines.append(
            f"| {package.registry} {package.name} {package.version} | {source.path} "
            f"| {source.author} | {package.licence} |"
        )
    return "\n".join(lines) + "\n"


def _film(
    packages: Path, films: Sequence[Film], kept: dict[str, int], report: Callable[[str], None]
) -> Iterator[Pixels]:
    for film in films:
        path = locate(unpack(film.package, packages), film.path)
        name = f"{film.package.name} {film.package.version}"
        kept[name] = 0
        for clip in moving_clips(shrunk_frames(path, film.shrink), film.clips_per_window):
            kept[name] += 1
            yield clip
        report(f"{name}: {kept[name]} clips")


def _stills(packages: Path, report: Callable[[str], None]) -> Iterator[Pixels]:
    for source in STILLS:
        path = locate(unpack(source.package, packages), source.path)
        yield still(path, source.frame, _LONG_SIDE)
    report(f"{len(STILLS)} stills")
