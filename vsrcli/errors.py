"""Every error that vsr raises on purpose.

    VsrError                something the user can act on; exit code 1
    ├── UsageError          the request makes no sense, whatever the file; exit code 2
    ├── InputError          the input cannot be read, or must not be
    ├── OutputError         the output cannot be written
    ├── WeightsError        weights are missing, damaged, or of another network
    ├── FetchError          a package does not come from its registry
    └── DeviceError         the device is absent or out of memory

The message is one line: what is wrong, the value, and what to do about it.
"""

from __future__ import annotations


class VsrError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 1


class UsageError(VsrError):
    """A request that makes no sense whatever the file: `--scale 0`, an unknown model."""

    exit_code = 2


class InputError(VsrError):
    """An input that cannot be read, or must not be."""


class OutputError(VsrError):
    """An output that cannot be written."""


class WeightsError(VsrError):
    """Weights that are missing, damaged, or of another network."""


class FetchError(VsrError):
    """A package that does not come from its registry."""


class DeviceError(VsrError):
    """A device that is absent, cannot do what was asked, or is out of memory."""


class LateInterrupt(KeyboardInterrupt):
    """An interrupt that came when the output was in its place already: it was kept."""
