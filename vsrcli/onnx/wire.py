"""Protocol buffers on the wire: as much of them as reading and writing parts of ONNX files takes.

The `onnx` package, which knows the whole format, is needed for exporting only.
"""

from __future__ import annotations

from collections.abc import Iterator

Field = tuple[int, "int | memoryview"]
"""The number of a field, and a number or the bytes of what it holds."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in their order; raises ValueError when it is broken."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no field is of kind {kind}")
        if position + size > len(message):
            raise ValueError("a field reaches beyond the end")
        yield number, message[position : position + size]
        position += size


def parts(message: memoryview, number: int) -> Iterator[memoryview]:
    """What the fields of this number hold, which are not numbers."""
    for found, value in fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def texts(message: memoryview, number: int) -> list[str]:
    """The strings in the fields of this number; raises ValueError when one is not UTF-8."""
    return [str(value, "utf-8") for value in parts(message, number)]


def written(number: int, value: int | str | bytes | memoryview) -> bytes:
    """A field."""
    if isinstance(value, int):
        return _as_varint(number << 3 | _VARINT) + _as_varint(value)
    data = value.encode() if isinstance(value, str) else value
    return b"".join((_as_varint(number << 3 | _BYTES), _as_varint(len(data)), data))


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("a number reaches beyond the end")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is too long")


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
