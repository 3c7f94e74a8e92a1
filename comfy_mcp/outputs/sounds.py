"""Sound files by their headers: how long, how many channels, how many samples a second.

Nothing is decoded but plain WAV, of which a picture of its loudness is drawn. WAV: RIFF, Microsoft
1991. FLAC: RFC 9639, section 8. Ogg: RFC 3533, with Vorbis I (4.2.2) or Opus (RFC 7845, 5.1). MP3:
ISO 11172-3 (2.4.2.3) with the Xing and Info headers that encoders put into the first frame.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Plain", "Sound", "heard", "plain"]

MOST_PARTS = 10_000
"""Chunks or blocks that are walked."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE

_OPUS_RATE = 48_000

_LAST_PAGES = 65_536 + 282
"""Bytes at the end of an Ogg file among which its last page begins."""

_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MP3_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBITS_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_1, _LAYER_3, _MONO = 3, 1, 3
_BEFORE_SOUND = 8_192
"""Bytes after an ID3 tag among which the first frame of an MP3 has to begin."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a header says; *seconds* None: it does not. *about*: worked out from the bit rate."""

    codec: str
    channels: int
    sample_rate: int
    seconds: float | None = None
    about: bool = False

    def facts(self) -> dict[str, object]:
        """As JSON values."""
        length: dict[str, object] = {}
        if self.seconds is not None:
            length = {"seconds": round(self.seconds, 2 if not self.about else 0)}
        told = {"codec": self.codec, "channels": self.channels, "sample_rate": self.sample_rate}
        return {**length, **told}


@dataclass(frozen=True, slots=True)
class Plain:
    """Samples of a WAV, not decoded yet: *width* bytes each, channels in turn."""

    data: memoryview
    width: int
    channels: int
    floating: bool


def heard(data: bytes) -> Sound | None:
    """What the header of a sound file says; None if it is none that is known, or broken."""
    for fits, reader in _READERS:
        if fits(data):
            try:
                sound = reader(data)
            except (struct.error, IndexError, ZeroDivisionError):
                return None
            return sound if sound and sound.channels and sound.sample_rate else None
    return None


def plain(data: bytes) -> Plain | None:
    """The samples of a WAV that holds them as they are; None of everything else."""
    if not _is_wav(data):
        return None
    try:
        form, begin, end = _wav_parts(data)
    except (struct.error, IndexError):
        return None
    if form is None or begin is None or form.kind not in {_PCM, _FLOAT}:
        return None
    width = form.bits // 8
    allowed = {4} if form.kind == _FLOAT else {1, 2, 3, 4}
    if width not in allowed or not form.channels:
        return None
    return Plain(memoryview(data)[begin:end], width, form.channels, form.kind == _FLOAT)


# -- WAV -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Form:
    kind: int
    channels: int
    rate: int
    bytes_s: int
    bits: int


def _is_wav(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def _wav(data: bytes) -> Sound | None:
    form, begin, end = _wav_parts(data)
    if form is None:
        return None
    seconds = None
    if begin is not None and form.bytes_s:
        seconds = (end - begin) / form.bytes_s
    return Sound("wav", form.channels, form.rate, seconds)


def _wav_parts(data: bytes) -> tuple[_Form | None, int | None, int]:
    """The format, and where the samples begin and end: never behind the end of the file."""
    form: _Form | None = None
    at = 12
    for _ in range(MOST_PARTS):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"fmt ":
            form = _form(data, at + 8, length)
        elif kind == b"data":
            return form, at + 8, min(at + 8 + length, len(data))
        at += 8 + length + length % 2
    return form, None, 0


def _form(data: bytes, at: int, length: int) -> _Form:
    kind, channels, rate, bytes_s, _, bits = struct.unpack_from("<HHIIHH", data, at)
    if kind == _EXTENSIBLE and length >= 26:  # noqa: PLR2004 - where its real kind stands
        (kind,) = struct.unpack_from("<H", data, at + 24)
    return _Form(kind, channels, rate, bytes_s, bits)


# -- FLAC ----------------------------------------------------------------------------------------


def _flac(data: bytes) -> Sound | None:
    if data[4] & 0x7F:
        return None
    packed = int.from_bytes(data[18:26], "big")
    if len(data) < 26:  # noqa: PLR2004 - the end of what is read of STREAMINFO
        return None
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    return Sound("flac", channels, rate, samples / rate if samples else None)


# -- Ogg -----------------------------------------------------------------------------------------


def _ogg(data: bytes) -> Sound | None:
    first = 27 + data[26]
    packet = data[first : first + 30]
    if packet.startswith(b"OpusHead"):
        skipped = int.from_bytes(packet[10:12], "little")
        return _lasting(data, Sound("opus", packet[9], _OPUS_RATE), skipped)
    if packet.startswith(b"\x01vorbis"):
        rate = int.from_bytes(packet[12:16], "little")
        return _lasting(data, Sound("vorbis", packet[11], rate), 0)
    return None


def _lasting(data: bytes, sound: Sound, skipped: int) -> Sound:
    """With its length, which the last page tells."""
    at = data.rfind(b"OggS", max(0, len(data) - _LAST_PAGES))
    if at < 0 or at + 14 > len(data) or not sound.sample_rate:
        return sound
    (samples,) = struct.unpack_from("<q", data, at + 6)
    if samples <= skipped:
        return sound
    seconds = (samples - skipped) / sound.sample_rate
    return Sound(sound.codec, sound.channels, sound.sample_rate, seconds)


# -- MP3 -----------------------------------------------------------------------------------------


def _is_mp3(data: bytes) -> bool:
    return data[:3] == b"ID3" or (data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xE0 == 0xE0)  # noqa: PLR2004 - eleven set bits


def _mp3(data: bytes) -> Sound | None:
    begin = 0
    if data[:3] == b"ID3":
        sizes = data[6:10]
        begin = 10 + (sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3])
    for at in range(begin, min(begin + _BEFORE_SOUND, len(data) - 4)):
        found = _mp3_frame(data, at)
        if found is not None:
            return found
    return None


def _mp3_frame(data: bytes, at: int) -> Sound | None:
    head = int.from_bytes(data[at : at + 4], "big")
    version, layer = head >> 19 & 3, head >> 17 & 3
    bitrate, rate = head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or layer != _LAYER_3 or bitrate in {0, 15} or rate == 3:  # noqa: PLR2004 - reserved
        return None
    if version not in _MP3_RATES:
        return None
    sample_rate = _MP3_RATES[version][rate]
    channels = 1 if head >> 6 & 3 == _MONO else 2
    full = version == _MPEG_1
    side = (17 if channels == 1 else 32) if full else (9 if channels == 1 else 17)
    mark = at + 4 + side
    if data[mark : mark + 4] in {b"Xing", b"Info"} and data[mark + 7] & 1:
        frames = int.from_bytes(data[mark + 8 : mark + 12], "big")
        return Sound("mp3", channels, sample_rate, frames * (1152 if full else 576) / sample_rate)
    kbits = (_MP3_KBITS if full else _MP3_KBITS_LOW)[bitrate]
    return Sound("mp3", channels, sample_rate, (len(data) - at) / (125 * kbits), about=True)


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Sound | None]], ...] = (
    (_is_wav, _wav),
    (lambda data: data[:4] == b"fLaC", _flac),
    (lambda data: data[:4] == b"OggS", _ogg),
    (_is_mp3, _mp3),
)
