"""The user's cache: weights that were fetched on request, one folder for all versions of vsr."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from vsrcli.errors import WeightsError

DOWNLOADS = "downloads"
"""Folder of what is being fetched, inside the cache."""
WEIGHTS = "weights"
"""Folder of the weights files ready for use, inside the cache."""


def cache_folder() -> Path:
    """`$VSR_CACHE`, or else `vsr` where this system keeps a user's caches; it may be missing."""
    if chosen := os.environ.get("VSR_CACHE"):
        return Path(chosen).absolute()
    # The XDG specification says to ignore a path that is not absolute.
    if Path(shared := os.environ.get("XDG_CACHE_HOME", "")).is_absolute():
        return Path(shared) / "vsr"
    try:
        home = Path.home()
    except RuntimeError:
        raise WeightsError(
            "No home folder to keep weights in; name a folder in VSR_CACHE"
        ) from None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "vsr"


def cached_weights() -> dict[str, Path]:
    """Weights files in the cache by model name, such as `tga-official`; empty without a cache."""
    try:
        folder = cache_folder() / WEIGHTS
    except WeightsError:
        return {}
    found = {path.stem: path for path in folder.glob("*.safetensors")}
    return dict(sorted(found.items()))


@contextlib.contextmanager
def locked_cache() -> Iterator[Path]:
    """The cache's folder, ready to write to; no other vsr holds it during the block.

    Raises WeightsError when another one does, and when the system refuses to read or write there,
    also in the block.
    """
    folder = cache_folder()
    try:
        for name in (DOWNLOADS, WEIGHTS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # Locks end with their process, so the file may stay.
        with (folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WeightsError(
                    f"Another vsr is fetching weights into {folder}: wait for it"
                ) from None
            yield folder
    except OSError as error:
        raise WeightsError(
            f"The cache {folder} cannot be used: {error.strerror or error}; "
            "mend that or name another folder in VSR_CACHE"
        ) from error
