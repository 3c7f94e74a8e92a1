"""How large the pictures in a file are and how many it has, told from its structure.

Pillow's answer would not do: nodes read files with FFmpeg as well, which goes on where Pillow
stops, behind the end of the first picture or past the number of pictures that a header admits to.
So files are walked to their end here, nothing is decoded, and what is not plainly one picture or
one animation has no size at all.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

__all__ = ["HEAD", "Size", "is_picture", "measured"]

Size = tuple[int, int, int]
"""Width and height in pixels, as nodes get them, and how many pictures there are."""

HEAD = 12
"""Bytes that tell whether it is a picture at all."""

MOST_PARTS = 300_000
"""Chunks, blocks and segments that are walked; a file with more is not measured."""

_PNG = b"\x89PNG\r\n\x1a\n"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
"""Behind other names FFmpeg may take a JPEG for a film."""

_FRAME_HEADERS = frozenset((0xC0, 0xC1, 0xC2))
_SKIPPED = frozenset((0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)))
"""Segments of a JPEG that decoders skip, or read, by their length; in others they look inside."""

_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_SCAN, _END, _EXIF = 0xDA, 0xD9, 0xE1
_TURNED = range(5, 9)


class _Odd(Exception):
    """A file that different readers could take for different things."""


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with these `HEAD` bytes can be measured."""
    return _reader(head) is not None


def measured(content: bytes, name: str) -> Size | None:
    """The size of the file called *name*; None if it is no picture, or an odd one."""
    reader = _reader(content[:HEAD])
    suffixes = _SUFFIXES if reader is _jpeg else (*_SUFFIXES, ".gif", ".apng")
    if reader is None or not name.lower().endswith(suffixes):
        return None
    try:
        size = reader(content)
    except (_Odd, struct.error, IndexError):
        return None
    return size if min(size) > 0 else None


def _reader(head: bytes) -> Callable[[bytes], Size] | None:
    for start, reader in _READERS.items():
        if head.startswith(start):
            return None if reader is _webp and head[8:12] != b"WEBP" else reader
    return None


def _png(content: bytes) -> Size:
    width = height = pictures = told = 0
    drawn = turned = False
    for kind, start, end in _png_chunks(content):
        if kind == b"IHDR":
            if width:
                raise _Odd
            width, height = struct.unpack_from(">II", content, start)
        elif not width:
            raise _Odd
        elif kind == b"IDAT":
            # What is drawn before the first frame begins is a picture of its own.
            pictures += not drawn and not pictures
            drawn = True
        elif kind == b"fcTL":
            pictures += 1
        elif kind == b"acTL":
            told = int.from_bytes(content[start : start + 4], "big")
        elif kind == b"eXIf":
            turned = _is_turned(content[start:end])
    return _size(width, height, max(pictures, told), turned=turned)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the data of each chunk, to the end of the one picture."""
    at = len(_PNG)
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", content, at)
        start, at = at + 8, at + 12 + length
        if at > len(content):
            raise _Odd
        if kind == b"IEND":
            if _PNG[1:] in content[at:]:
                raise _Odd
            return
        yield kind, start, at - 4
    raise _Odd


def _jpeg(content: bytes) -> Size:
    sizes: list[tuple[int, int]] = []
    turned = False
    for marker, start, end in _jpeg_segments(content):
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", content, start + 1)
            sizes.append((width, height))
        elif marker == _EXIF and content[start : start + 6] == b"Exif\0\0":
            turned = turned or _is_turned(content[start + 6 : end])
    if len(sizes) != 1:
        raise _Odd
    return _size(*sizes[0], 1, turned=turned)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the data of each segment, to the end of the first picture.

    What comes after it are other views of the same picture, which no node loads.
    """
    at = 2
    for _ in range(MOST_PARTS):
        marker = content[at + 1]
        if content[at] != 0xFF:  # noqa: PLR2004 - how markers begin
            raise _Odd
        if marker == 0xFF:  # noqa: PLR2004 - padding
            at += 1
            continue
        if marker == _END:
            return
        if marker not in {_SCAN, *_SKIPPED, *_FRAME_HEADERS}:
            raise _Odd
        (length,) = struct.unpack_from(">H", content, at + 2)
        start, at = at + 4, at + 2 + length
        if length < 2 or at > len(content):  # noqa: PLR2004 - its own two bytes
            raise _Odd
        yield marker, start, at
        if marker == _SCAN:
            found = _MARKER.search(content, at)
            if found is None:
                return
            at = found.end() - 2
    raise _Odd


def _gif(content: bytes) -> Size:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at, pictures = 13 + _colours(flags), 0
    parts = 0
    while content[at] != 0x3B:  # noqa: PLR2004 - the trailer
        if content[at] == 0x2C:  # noqa: PLR2004 - a picture
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", content, at + 1)
            width, height = max(width, left + wide), max(height, top + high)
            pictures += 1
            at += 11 + _colours(flags)
        elif content[at] == 0x21:  # noqa: PLR2004 - an extension
            at += 2
        else:
            raise _Odd
        while length := content[at]:
            at += 1 + length
            parts += 1
            if parts > MOST_PARTS:
                raise _Odd
        at += 1
    if content[at + 1 :].strip(b"\0"):
        raise _Odd
    return width, height, pictures


def _colours(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp(content: bytes) -> Size:
    (length,) = struct.unpack_from("<I", content, 2)
    header, width, height = struct.unpack_from("<Iii", content, 14)
    if length != len(content) or header < 40:  # noqa: PLR2004 - smaller ones have other fields
        raise _Odd
    return width, abs(height), 1


def _webp(content: bytes) -> Size:
    sides: list[tuple[int, int]] = []
    stills = frames = 0
    turned = False
    for kind, start, end in _riff_chunks(content):
        if kind == b"VP8X":
            sides.append(_three_bytes(content, start + 4))
        elif kind == b"ANMF":
            sides.append(_three_bytes(content, start + 6))
            frames += 1
        elif kind in {b"VP8 ", b"VP8L"}:
            sides.append(_still(content, kind, start))
            stills += 1
        elif kind == b"EXIF":
            turned = _is_turned(content[start:end].removeprefix(b"Exif\0\0"))
    if not sides:
        raise _Odd
    width, height = (max(side) for side in zip(*sides, strict=True))
    return _size(width, height, frames + stills, turned=turned)


def _riff_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    (length,) = struct.unpack_from("<I", content, 4)
    if length + 8 != len(content):
        raise _Odd
    at = HEAD
    for _ in range(MOST_PARTS):
        if at == len(content):
            return
        kind, length = struct.unpack_from("<4sI", content, at)
        start, at = at + 8, at + 8 + length + length % 2
        if at > len(content):
            raise _Odd
        yield kind, start, start + length
    raise _Odd


def _three_bytes(content: bytes, at: int) -> tuple[int, int]:
    """A width and a height, each less one."""
    width, height = content[at : at + 3], content[at + 3 : at + 6]
    return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1


def _still(content: bytes, kind: bytes, start: int) -> tuple[int, int]:
    """The size in the data of a still picture."""
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, start + 6)
        return width & 0x3FFF, height & 0x3FFF
    (packed,) = struct.unpack_from("<I", content, start + 1)
    return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1


def _size(width: int, height: int, pictures: int, *, turned: bool) -> Size:
    return (height, width, pictures) if turned else (width, height, pictures)


def _is_turned(exif: bytes) -> bool:
    """Whether the Exif says that the picture lies on its side."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return False
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for place in range(at + 2, at + 2 + 12 * count, 12):
            tag, _kind, _count, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if tag == 0x0112:  # noqa: PLR2004 - Orientation
                return value in _TURNED
    except struct.error:
        return False
    return False


_READERS: dict[bytes, Callable[[bytes], Size]] = {
    _PNG: _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"BM": _bmp,
    b"RIFF": _webp,
}
