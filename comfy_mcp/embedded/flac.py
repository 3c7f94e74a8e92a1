"""FLAC files without a compressor: samples as they are, silence as one number (RFC 9639).

Every frame has 4096 samples of 16 bits, the last one what is left.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping

__all__ = ["encoded"]

FRAME = 4096
WIDTH = 2
"""Bytes of a sample."""

MOST_COMMENT = (1 << 24) - 1
"""Bytes of a metadata block."""

_SYNC = 0xFFF8  # with the flag for frames of one length
_SIXTEEN_BITS = 4
_LAST, _STREAM, _COMMENT = 0x80, 0, 4
_CONSTANT, _VERBATIM = 0x00, 0x02  # the type of a subframe, and its bit of padding


def encoded(samples: bytes, channels: int, rate: int, notes: Mapping[str, str]) -> bytes:
    """*samples* of 16 bits, little-endian, channels in turn, as a file that carries *notes*."""
    frame = channels * WIDTH
    count = len(samples) // frame
    info = struct.pack(">HH", FRAME, FRAME) + bytes(6)
    packed = rate << 44 | channels - 1 << 41 | 15 << 36 | count
    info += packed.to_bytes(8, "big") + hashlib.md5(samples, usedforsecurity=False).digest()
    blocks = _block(_STREAM, info) + _block(_LAST | _COMMENT, _comments(notes))
    return b"".join((b"fLaC", blocks, *_frames(samples, channels, count)))


def _block(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def _comments(notes: Mapping[str, str]) -> bytes:
    """As Vorbis has them: lengths are little-endian here."""
    lines = [f"{key}={value}".encode() for key, value in notes.items()]
    said = b"".join(struct.pack("<I", len(line)) + line for line in lines)
    content = struct.pack("<I", 0) + struct.pack("<I", len(lines)) + said
    return content if len(content) <= MOST_COMMENT else struct.pack("<II", 0, 0)


def _frames(samples: bytes, channels: int, count: int) -> Iterator[bytes]:
    frame = channels * WIDTH
    for number, begin in enumerate(range(0, count, FRAME)):
        length = min(FRAME, count - begin)
        part = samples[begin * frame : (begin + length) * frame]
        head = _head(number, length, channels)
        body = b"".join(_subframe(part, channel, channels) for channel in range(channels))
        whole = head + body
        yield whole + _crc(whole, 16, 0x8005).to_bytes(2, "big")


def _head(number: int, length: int, channels: int) -> bytes:
    # The length in two bytes at the end; the rate as STREAMINFO has it.
    fixed = struct.pack(">HBB", _SYNC, 7 << 4, channels - 1 << 4 | _SIXTEEN_BITS << 1)
    head = fixed + _coded(number) + struct.pack(">H", length - 1)
    return head + bytes([_crc(head, 8, 0x07)])


def _coded(number: int) -> bytes:
    """As UTF-8 writes it, which FLAC lets go further than characters do."""
    return chr(number).encode("utf-8", "surrogatepass")


def _subframe(part: bytes, channel: int, channels: int) -> bytes:
    frame = channels * WIDTH
    swapped = bytearray(len(part) // channels)
    low, high = channel * WIDTH, channel * WIDTH + 1
    swapped[0::2], swapped[1::2] = part[high::frame], part[low::frame]
    if swapped == swapped[:WIDTH] * (len(swapped) // WIDTH):
        return bytes([_CONSTANT]) + bytes(swapped[:WIDTH])
    return bytes([_VERBATIM]) + bytes(swapped)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    table = _TABLES[polynomial]
    most, mask = bits - 8, (1 << bits) - 1
    rest = 0
    for byte in data:
        rest = (rest << 8 & mask) ^ table[rest >> most ^ byte]
    return rest


def _table(bits: int, polynomial: int) -> tuple[int, ...]:
    mask, top = (1 << bits) - 1, 1 << bits - 1
    rows: list[int] = []
    for byte in range(256):
        rest = byte << bits - 8
        for _ in range(8):
            rest = (rest << 1 ^ polynomial if rest & top else rest << 1) & mask
        rows.append(rest)
    return tuple(rows)


_TABLES = {0x07: _table(8, 0x07), 0x8005: _table(16, 0x8005)}
