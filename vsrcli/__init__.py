"""Enlarge and restore real video with published video networks.

`upscale` and `deblur` turn one file into another; `load` gives a model that restores frames in
memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsrcli.api import available_models, deblur, load, upscale

__version__ = "0.1.0"

__all__ = ["__version__", "available_models", "deblur", "load", "upscale"]


def __getattr__(name: str) -> Any:
    """The public functions, imported at first use: `vsr --help` must not wait for torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vsrcli import api

    return getattr(api, name)
