"""Files damaged on purpose: the same seed and number give the same bytes, on every machine."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from zlib import crc32

LARGEST = 1 << 20
"""Bytes of a mutated file."""

_TELLING = (
    0, 1, 2, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFFF,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
"""Numbers at which programs go wrong."""

_EBML = (
    b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\xae",
    b"\xe0", b"\xe1", b"\x63\xa2", b"\x1f\x43\xb6\x75", b"\xa3", b"\xa0", b"\xa1",
    b"\x1c\x53\xbb\x6b",
)  # fmt: skip
"""Elements of Matroska whose sizes matter."""

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], bytearray]


def mutated(seed: int, number: int, files: Sequence[bytes]) -> tuple[int, bytes]:
    """Which of `files` is the origin of the damaged file with this number, and its content."""
    dice = random.Random(f"{seed} {number}")
    origin = dice.randrange(len(files))
    content = files[origin]
    if content.startswith(b"PK\3\4") and dice.random() < 0.7:
        return origin, _member_mutated(dice, content, files)
    return origin, bytes(_mutated(dice, bytearray(content), files))


def _mutated(dice: random.Random, data: bytearray, files: Sequence[bytes]) -> bytearray:
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        if not data:
            break
        data = dice.choice(_MUTATIONS)(dice, data, files)[:LARGEST]
    return data


def _member_mutated(dice: random.Random, content: bytes, files: Sequence[bytes]) -> bytes:
    """A zip archive with one member damaged, its checksums made anew."""
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        members = old.infolist()
        # The first is the pickle, which says what the others are.
        chosen = members[0] if dice.random() < 0.6 else dice.choice(members)
        for member in members:
            inside = old.read(member)
            if member is chosen:
                inside = bytes(_mutated(dice, bytearray(inside), files))
            new.writestr(zipfile.ZipInfo(member.filename), inside, member.compress_type)
    return written.getvalue()


def _place(dice: random.Random, data: bytearray) -> int:
    """A position, more often near the beginning or the end, where headers and indexes stand."""
    kind = dice.random()
    if kind < 0.5:
        return dice.randrange(len(data))
    near = min(len(data), dice.choice((64, 512, 4096)))
    return dice.randrange(near) if kind < 0.8 else len(data) - 1 - dice.randrange(near)


def _bits(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    for _ in range(dice.choice((1, 1, 2, 8, 32))):
        data[_place(dice, data)] ^= 1 << dice.randrange(8)
    return data


def _run(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    """A run of one byte, or of noise."""
    at, length = _place(dice, data), dice.choice((1, 2, 4, 16, 100, 1000))
    length = min(length, len(data) - at)
    kind = dice.randrange(3)
    data[at : at + length] = (
        dice.randbytes(length) if kind == 0 else bytes([0xFF if kind == 1 else 0]) * length
    )
    return data


def _number(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    """A telling number over one to eight bytes."""
    at, width = _place(dice, data), dice.choice((1, 2, 4, 4, 8))
    order = dice.choice(("little", "big"))
    value = (dice.choice(_TELLING) + dice.choice((-1, 0, 0, 1))) % (1 << 8 * width)
    data[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]
    return data


def _span(dice: random.Random, data: bytearray) -> slice:
    at = _place(dice, data)
    return slice(at, at + dice.choice((1, 4, 8, 32, 200, 1000, 8000)))


def _deleted(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    del data[_span(dice, data)]
    return data


def _doubled(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    span = _span(dice, data)
    times = dice.choice((1, 1, 1, 2, 16, 64))
    data[span.start : span.start] = data[span] * times
    return data


def _swapped(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    first, second = _span(dice, data), _place(dice, data)
    part = data[first]
    del data[first]
    data[second:second] = part
    return data


def _cut(dice: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    return data[: _place(dice, data) + 1]


def _spliced(dice: random.Random, data: bytearray, files: Sequence[bytes]) -> bytearray:
    """The beginning of the file and the end of another, or a part of that inside it."""
    other = bytearray(dice.choice(files))
    at = _place(dice, data)
    if dice.random() < 0.5:
        return data[:at] + other[_place(dice, other) :]
    part = other[_span(dice, other)]
    data[at : at + (len(part) if dice.random() < 0.5 else 0)] = part
    return data


def _box_size(dice: random.Random, data: bytearray, files: Sequence[bytes]) -> bytearray:
    """Another size in a box of MP4, a chunk of RIFF or PNG: beside four letters."""
    for _ in range(200):
        at = _place(dice, data)
        if at >= 4 and data[at : at + 4].isalnum() and len(data) >= at + 8:
            before = dice.random() < 0.7
            where = at - 4 if before else at + 4
            old = int.from_bytes(data[where : where + 4], "big" if before else "little")
            size = dice.choice((*_TELLING, old + 1, old - 1, old * 2, old // 2, old ^ 0x80))
            data[where : where + 4] = (size % (1 << 32)).to_bytes(4, "big" if before else "little")
            return data
    return _number(dice, data, files)


def _element_size(dice: random.Random, data: bytearray, files: Sequence[bytes]) -> bytearray:
    """Another size of a Matroska element."""
    places = [at for name in _EBML if (at := data.find(name, _place(dice, data))) >= 0]
    if data[:4] != _EBML[0] or not places:
        return _box_size(dice, data, files)
    at = dice.choice(places)
    at += 9 - data[at].bit_length()
    if at < len(data):
        width = 9 - max(1, data[at].bit_length())
        size = dice.choice((*_TELLING, dice.getrandbits(7 * width))) % (1 << 7 * width)
        data[at : at + width] = (size | 1 << 7 * width).to_bytes(width, "big")
    return data


def _digits(dice: random.Random, data: bytearray, files: Sequence[bytes]) -> bytearray:
    """Another number where one stands as text."""
    places = [at for at in range(min(len(data), 20_000)) if 48 <= data[at] < 58]
    if not places:
        return _number(dice, data, files)
    at = dice.choice(places)
    text = dice.choice(("0", "-1", "99999999999", "1e999", "65535", "2147483648", "null", "[]"))
    data[at : at + 1] = text.encode()
    return data


def _png_checksum(dice: random.Random, data: bytearray, files: Sequence[bytes]) -> bytearray:
    """A damaged chunk of a PNG whose checksum is right."""
    if data[:4] != b"\x89PNG":
        return _bits(dice, data, files)
    starts, at = [], 8
    while at + 12 <= len(data):
        starts.append(at)
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    if not starts:
        return _bits(dice, data, files)
    at = dice.choice(starts)
    length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
    if length:
        data[at + 8 + dice.randrange(length)] = dice.randrange(256)
    end = at + 8 + length
    data[end : end + 4] = crc32(data[at + 4 : end]).to_bytes(4, "big")
    return data


_MUTATIONS: tuple[Mutation, ...] = (
    _bits, _bits, _run, _number, _number, _deleted, _doubled, _swapped, _cut, _spliced, _box_size,
    _box_size, _element_size, _digits, _png_checksum,
)  # fmt: skip
