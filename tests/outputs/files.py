"""Files of every kind, made by hand: whole ones, and ones that lie."""

from __future__ import annotations

import io
import json
import math
import random
import struct
import zlib
from typing import Any

from PIL import Image

__all__ = [
    "apng",
    "film",
    "gif",
    "glb",
    "mp3",
    "noise",
    "opened",
    "opus",
    "png_of_size",
    "saved",
    "tensors",
    "vorbis",
    "wav",
]


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """*picture* as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    """The picture in a file."""
    return Image.open(io.BytesIO(data))


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """What no format can pack; the same every time."""
    grains = random.Random(7)  # noqa: S311 - the same picture every time
    return Image.frombytes(mode, (width, height), grains.randbytes(width * height * len(mode)))


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    crc = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + crc


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def png_of_size(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""
    return _png(width, height, chunk(b"IDAT", zlib.compress(b"\0" * 64)))


def apng(told: int, real: int, *, notes: bytes = b"") -> bytes:
    """One pixel that moves and says to have *told* frames; *notes* in a chunk of ComfyUI's."""
    raw = zlib.compress(b"\0\x10\x20\x30")
    parts = [chunk(b"acTL", struct.pack(">II", told, 0))]
    sequence = 0
    for number in range(real):
        control = struct.pack(">IIIIIHHBB", sequence, 1, 1, 0, 0, 1, 10, 0, 0)
        parts.append(chunk(b"fcTL", control))
        sequence += 1
        if number == 0:
            parts.append(chunk(b"IDAT", raw))
            parts += [chunk(b"comf", notes)] if notes else []
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", sequence) + raw))
            sequence += 1
    return _png(1, 1, *parts)


def gif(frames: int, width: int = 1, height: int = 1) -> bytes:
    """An animation of so many frames of one pixel each on a canvas, a tenth of a second each."""
    timing = b"\x21\xf9\x04\x04\x0a\0\0\0"
    frame = timing + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + frame * frames + b"\x3b"


def wav(seconds: float, *, rate: int = 8000, channels: int = 1, bits: int = 16) -> bytes:
    """A tone that grows louder, plain PCM."""
    count, top = int(seconds * rate), (1 << bits - 1) - 1
    frames = bytearray()
    for place in range(count):
        value = round(top * place / count * math.sin(place / 3))
        raw = (
            bytes([value + 128]) if bits == 8 else value.to_bytes(bits // 8, "little", signed=True)
        )
        frames += raw * channels
    step = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * step, step, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(frames))
    return b"RIFF" + struct.pack("<I", len(body) + len(frames)) + body + bytes(frames)


def mp3(frames: int, *, xing: bool, tag: bytes = b"") -> bytes:
    """Frames of silence at 128 kbit/s and 44,100 Hz, the number of them in the first if *xing*."""
    head = b"\xff\xfb\x90\x00"
    first = bytearray(head + bytes(417 - 4))
    if xing:
        first[36:48] = b"Xing" + struct.pack(">II", 1, frames)
    size = len(tag)
    spread = bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    before = b"ID3\x04\0\0" + spread + tag if tag else b""
    return before + bytes(first) + (head + bytes(417 - 4)) * (frames - 1)


def _page(samples: int, packet: bytes) -> bytes:
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = b"OggS\0\0" + struct.pack("<qIII", samples, 1, 0, 0) + bytes([len(lacing)])
    return head + lacing + packet


def opus(seconds: float, *, channels: int = 2, skipped: int = 312) -> bytes:
    """The pages of an Opus file that are read: the first, and the last."""
    head = b"OpusHead\x01" + bytes([channels]) + struct.pack("<HIHB", skipped, 44100, 0, 0)
    return _page(0, head) + _page(int(seconds * 48000) + skipped, b"sound")


def vorbis(seconds: float, *, channels: int = 1, rate: int = 22050) -> bytes:
    """The same of a Vorbis file."""
    head = b"\x01vorbis" + struct.pack("<IBI", 0, channels, rate) + bytes(14)
    return _page(0, head) + _page(int(seconds * rate), b"sound")


def glb(scene: dict[str, Any]) -> bytes:
    """A GLB that holds *scene* and nothing else."""
    words = json.dumps(scene).encode()
    words += b" " * (-len(words) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(words))
    return head + struct.pack("<I4s", len(words), b"JSON") + words


def tensors(header: dict[str, Any]) -> bytes:
    """A safetensors file without tensors."""
    words = json.dumps(header).encode()
    return struct.pack("<Q", len(words)) + words


def film(
    seconds: float, *, kind: str = "mp4", codec: str = "libx264", size: tuple[int, int] = (96, 64)
) -> bytes:
    """A film of 10 pictures a second that goes from black to white; needs PyAV."""
    import av  # noqa: PLC0415 - not installed everywhere

    buffer = io.BytesIO()
    count = int(10 * seconds)
    with av.open(buffer, "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            grey = round(255 * number / max(1, count - 1))
            picture: Any = av.VideoFrame.from_image(Image.new("RGB", size, (grey,) * 3))
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()
