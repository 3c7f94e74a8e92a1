"""A picture without what was written beside it: ComfyUI puts the whole workflow into its files.

Whole pieces of the file are left out; what is left is byte for byte as it was, so no pixel changes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

__all__ = ["stripped"]

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_WORDS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"})
_WEBP_WORDS = frozenset({b"EXIF", b"XMP "})
_WEBP_FLAGS = 0x08 | 0x04
"""EXIF and XMP among the flags of an extended WebP."""

_SCAN, _COMMENT, _APP1, _APP13 = 0xDA, 0xFE, 0xE1, 0xED
_ORIENTATION = 0x0112


def stripped(data: bytes) -> bytes:
    """*data* without texts, EXIF and XMP if it is a whole PNG, WebP or JPEG; else as it is.

    A JPEG keeps which way up it is.
    """
    try:
        if data.startswith(_PNG):
            return _PNG + b"".join(_png(data))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
    except (struct.error, IndexError):
        # Cut off in the middle: nothing of it can be told apart.
        return data
    return data


def _png(data: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            raise IndexError(at)
        kind = data[at + 4 : at + 8]
        if kind not in _PNG_WORDS:
            yield data[at:end]
        at = end
        if kind == b"IEND":
            # What follows is no part of the picture.
            return


def _webp(data: bytes) -> bytes:
    parts: list[bytes] = []
    at, end = 12, min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= end:
        kind, (length,) = data[at : at + 4], struct.unpack_from("<I", data, at + 4)
        after = at + 8 + length + (length & 1)
        if at + 8 + length > len(data):
            raise IndexError(at)
        if kind == b"VP8X":
            flags = data[at + 8] & ~_WEBP_FLAGS
            parts.append(data[at : at + 8] + bytes([flags]) + data[at + 9 : after])
        elif kind not in _WEBP_WORDS:
            parts.append(data[at:after])
        at = after
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _jpeg(data: bytes) -> bytes:
    parts, at, turned = [data[:2]], 2, b""
    while True:
        if data[at] != 0xFF:  # noqa: PLR2004 - every marker begins so
            raise IndexError(at)
        marker = data[at + 1]
        if marker == _SCAN:
            return b"".join([parts[0], turned, *parts[1:], data[at:]])
        (length,) = struct.unpack_from(">H", data, at + 2)
        piece = data[at : at + 2 + length]
        if len(piece) < 2 + length:
            raise IndexError(at)
        if marker == _APP1 and piece[4:10] == b"Exif\0\0":
            turned = _upright(piece[10:])
        elif marker not in {_COMMENT, _APP1, _APP13}:
            parts.append(piece)
        at += 2 + length


def _upright(exif: bytes) -> bytes:
    """A segment that says nothing but which way up the picture is; nothing if it is upright."""
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    told = Image.Exif()
    try:
        told.load(b"Exif\0\0" + exif)
        way = told.get(_ORIENTATION)
    except (ValueError, SyntaxError, OSError, struct.error):
        return b""
    if not isinstance(way, int) or not 2 <= way <= 8:  # noqa: PLR2004 - the eight ways there are
        return b""
    kept = Image.Exif()
    kept[_ORIENTATION] = way
    body = io.BytesIO(kept.tobytes()).getvalue()
    body = body if body.startswith(b"Exif\0\0") else b"Exif\0\0" + body
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
