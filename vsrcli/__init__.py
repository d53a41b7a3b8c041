"""Enlarge and restore real video with published video networks."""

__version__ = "0.1.0"
