"""Sounds by their first bytes, and how long they are where the file says so."""

from __future__ import annotations

import struct
from typing import BinaryIO

from comfy_mcp.errors import InputError

__all__ = ["flac", "is_mp3", "is_ogg", "is_opus", "mp3", "ogg", "wav"]

_ID3 = b"ID3"
_MOST_CHUNKS = 1_000
_SECONDS = 1_000_000.0


def wav(file: BinaryIO, size: int) -> tuple[float, ...]:
    """The seconds of a RIFF/WAVE file.

    Raises:
        InputError: it has no format, or no sound.
    """
    at, rate, length = 12, 0, None
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:  # noqa: PLR2004 - a chunk's name and length
            break
        name, count = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"fmt " and count >= 16:  # noqa: PLR2004 - the shortest format there is
            (rate,) = struct.unpack("<I", file.read(12)[8:12])
        if name == b"data":
            length = min(count, size - at - 8)
            break
        at += 8 + count + (count & 1)
    if not rate or not length:
        raise InputError("The file begins like a WAV and holds no sound: give it anew.")
    return _seconds(length / rate)


def flac(file: BinaryIO, _size: int) -> tuple[float, ...]:
    """The seconds of a FLAC, from its first block.

    Raises:
        InputError: that block is not there.
    """
    file.seek(4)
    block = file.read(22)
    if len(block) < 22 or block[0] & 0x7F or block[1:4] != b"\0\0\x22":  # noqa: PLR2004 - STREAMINFO
        raise InputError("The file begins like a FLAC and is none, or a broken one: give it anew.")
    packed = int.from_bytes(block[14:22], "big")
    rate, samples = packed >> 44, packed & 0xF_FFFF_FFFF
    return _seconds(samples / rate) if rate and samples else ()


def is_ogg(head: bytes) -> bool:
    """Whether it is an Ogg file with a sound in it."""
    return head.startswith(b"OggS\0") and any(
        sign in head[:256] for sign in (b"\x01vorbis", b"\x7fFLAC", b"Speex   ")
    )


def is_opus(head: bytes) -> bool:
    """Whether it is an Ogg file with Opus in it."""
    return head.startswith(b"OggS\0") and b"OpusHead" in head[:256]


def ogg(_file: BinaryIO, _size: int) -> tuple[float, ...]:
    """Nothing that is cheap to know."""
    return ()


def is_mp3(head: bytes) -> bool:
    """Whether it begins with a tag of MP3 files, or with two of their frames."""
    return head.startswith(_ID3) or _frames(head, 0)


def mp3(file: BinaryIO, size: int) -> tuple[float, ...]:
    """Nothing that is cheap to know; but behind its tag there must be sound.

    Raises:
        InputError: there is none.
    """
    file.seek(0)
    head = file.read(10)
    at = 0
    if head.startswith(_ID3):
        # Seven bits of each byte.
        first, second, third, fourth = (one & 0x7F for one in head[6:10].ljust(4, b"\0"))
        at = 10 + (first << 21 | second << 14 | third << 7 | fourth)
    file.seek(min(at, size))
    sound = file.read(8_192)
    # Some writers leave room behind the tag.
    start = len(sound) - len(sound.lstrip(b"\0"))
    if not _frames(sound, start):
        raise InputError("The file begins like an MP3 and holds no sound: give it anew.")
    return ()


_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HERTZ = (44_100, 48_000, 32_000)


def _frames(data: bytes, at: int) -> bool:
    """Whether there are two frames of MPEG layer III, one behind the other, at *at*."""
    for _ in range(2):
        length = _frame(data[at : at + 4])
        if not length:
            return False
        at += length
    return True


def _frame(head: bytes) -> int:
    """The bytes of the frame that begins like this; 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # noqa: PLR2004 - the sync, layer III
        return 0
    version, rate, hertz = (head[1] >> 3) & 3, head[2] >> 4, (head[2] >> 2) & 3
    if version == 1 or rate in {0, 15} or hertz == 3:  # noqa: PLR2004 - reserved
        return 0
    first = version == 3  # noqa: PLR2004 - MPEG 1
    kilobits = (_RATES_1 if first else _RATES_2)[rate]
    sampled = _HERTZ[hertz] >> {3: 0, 2: 1, 0: 2}[version]
    return (144 if first else 72) * kilobits * 1000 // sampled + ((head[2] >> 1) & 1)


def _seconds(value: float) -> tuple[float, ...]:
    return (value,) if 0 < value < _SECONDS else ()
