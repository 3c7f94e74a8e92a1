"""Videos by the boxes they are made of: whole ones only, and how long they are if that is told."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from comfy_mcp.errors import InputError

__all__ = ["NOT_FILMS", "is_mkv", "is_webm", "matroska", "mp4"]

NOT_FILMS = frozenset(
    {b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"M4A ", b"M4B ", b"qt  "}
    | {b"crx ", b"jp2 ", b"jpx "}
)
"""Brands of files that are made of the same boxes and are something else."""

_MOST_BOXES = 10_000
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def mp4(file: BinaryIO, size: int) -> tuple[float, ...]:
    """The seconds of an MP4, MOV or M4A.

    Raises:
        InputError: it is cut off, or has no index.
    """
    index = None
    for kind, start, end in _boxes(file, 0, size):
        if end > size:
            raise _broken()
        if kind == b"moov":
            index = start, end
    if index is None:
        raise _broken()
    for kind, start, _ in _boxes(file, *index):
        if kind == b"mvhd":
            return _length(file, start)
    return ()


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of what is in each box between two places."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack_from(">I", head)[0], head[4:8]
        start = at + 8
        if length == 1 and len(head) == 16:  # noqa: PLR2004 - a long length follows
            length, start = struct.unpack_from(">Q", head, 8)[0], at + 16
        after = end if length == 0 else at + length
        if after < start:
            raise _broken()
        yield kind, start, after
        at = after
    raise _broken()


def _length(file: BinaryIO, start: int) -> tuple[float, ...]:
    file.seek(start)
    head = file.read(32)
    if len(head) < 32:  # noqa: PLR2004 - the longer of both forms
        raise _broken()
    if head[0] == 1:
        scale, length = struct.unpack_from(">IQ", head, 20)
    else:
        scale, length = struct.unpack_from(">II", head, 12)
    unknown = length in {0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}
    return () if not scale or unknown else (length / scale,)


def is_webm(head: bytes) -> bool:
    """Whether it is a Matroska file that calls itself WebM."""
    return head.startswith(_EBML) and b"\x42\x82\x84webm" in head[:128]


def is_mkv(head: bytes) -> bool:
    """Whether it is a Matroska file."""
    return head.startswith(_EBML) and b"\x42\x82\x88matroska" in head[:128]


def matroska(file: BinaryIO, _size: int) -> tuple[float, ...]:
    """Nothing that is cheap to know; but its segment must be there.

    Raises:
        InputError: it is not.
    """
    file.seek(0)
    if _SEGMENT not in file.read(4_096):
        raise _broken()
    return ()


def _broken() -> InputError:
    return InputError("The file begins like a video and is cut off or broken: give it anew.")
