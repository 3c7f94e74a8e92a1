"""Small files of every kind that nodes load, made here; and what they could be mistaken for."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
import zlib

from PIL import Image

__all__ = ["SOUNDS", "VIDEOS", "box", "jpeg", "mp4", "picture", "png", "png_chunk", "wav", "zipped"]


def picture(form: str, size: tuple[int, int] = (8, 6), color: str = "orange") -> bytes:
    """A picture in *form*, one of Pillow's names."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, form)
    return buffer.getvalue()


def png(size: tuple[int, int] = (8, 6), color: str = "orange") -> bytes:
    return picture("PNG", size, color)


def jpeg(size: tuple[int, int] = (8, 6)) -> bytes:
    return picture("JPEG", size)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def wav(seconds: float = 0.5) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"\0\0" * int(8_000 * seconds))
    return buffer.getvalue()


def flac(seconds: int = 2) -> bytes:
    packed = (44_100 << 44) | (1 << 41) | (15 << 36) | (44_100 * seconds)
    block = struct.pack(">HH", 4096, 4096) + b"\0" * 6 + packed.to_bytes(8, "big") + b"\0" * 16
    return b"fLaC" + b"\x80\0\0\x22" + block + b"\xff\xf8" + b"\0" * 64


def mp3(tag: bytes = b"") -> bytes:
    frame = b"\xff\xfb\x90\x00" + b"\0" * 413
    return tag + frame * 4


def ogg(sign: bytes) -> bytes:
    return b"OggS\0\x02" + b"\0" * 20 + b"\x01\x13" + sign + b"\0" * 64


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def mp4(brand: bytes = b"isom", seconds: int = 3) -> bytes:
    told = struct.pack(">IIIII", 0, 0, 0, 1_000, seconds * 1_000) + b"\0" * 80
    return (
        box(b"ftyp", brand + b"\0\0\2\0" + b"isommp41")
        + box(b"moov", box(b"mvhd", told))
        + box(b"mdat", b"\0" * 64)
    )


def matroska(kind: bytes) -> bytes:
    doctype = b"\x42\x82" + bytes([0x80 | len(kind)]) + kind
    head = b"\x42\x86\x81\x01" + doctype
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(head)]) + head + b"\x18\x53\x80\x67" + b"\0" * 64


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("run.sh", "echo")
    return buffer.getvalue()


SOUNDS = {
    "wav": wav(),
    "flac": flac(),
    "mp3": mp3(),
    "ogg": ogg(b"\x01vorbis"),
    "opus": ogg(b"OpusHead"),
    "m4a": mp4(b"M4A "),
}

VIDEOS = {
    "mp4": mp4(),
    "mov": mp4(b"qt  "),
    "webm": matroska(b"webm"),
    "mkv": matroska(b"matroska"),
}
