"""Opening pictures that anybody may have made: what is decoded, and how large it may be."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.sniffing import nature

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_DECODED", "flat", "header", "is_too_large", "opened", "told_size"]

MAX_DECODED = 40_000_000
"""The most pixels that are decoded: a small file can hold an enormous picture."""

MAX_MEMORY = 16 * 6_144 * 4_096
"""Bytes that decoding may take at its peak, where a decoder holds more than the picture."""

_WEIGHTS = {"WEBP": 16, "AVIF": 12}
"""Bytes for each pixel that these decoders take, measured: several canvases, moving or not."""

_READ = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF", "BMP")
"""What is decoded. Pillow knows more, some of it by running other programs."""

_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    EOFError,
    KeyError,
    IndexError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise over a picture that is not whole."""


@contextmanager
def opened(data: bytes) -> Generator[Image.Image]:
    """The picture in *data*, nothing of it decoded yet; whatever breaks in the block is told.

    Raises:
        OutputError: it is no picture, a broken one, or one too large to decode.
    """
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    try:
        Image.init()
        known = [name for name in _READ if name in Image.OPEN]
        _check(told_size(data), "WEBP" if data[8:12] == b"WEBP" else None)
        with Image.open(io.BytesIO(data), formats=known) as picture:
            _check(picture.size, picture.format)
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise OutputError("The picture is too large to be shown here; open its url.") from error
    except _BROKEN as error:
        raise OutputError(
            f"The file cannot be read as a picture{nature(data)}; open its url instead."
        ) from error


def header(data: bytes) -> tuple[str, tuple[int, int]] | None:
    """Pillow's name of the format and the size, of a picture of any size, nothing of it decoded.

    None: it is no picture that is read here, or its header cannot be understood.
    """
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    told = told_size(data)
    if told != (0, 0):
        return {b"\x89": "PNG", b"R": "WEBP"}.get(data[:1], "GIF"), told
    try:
        Image.init()
        known = [name for name in _READ if name in Image.OPEN]
        with Image.open(io.BytesIO(data), formats=known) as picture:
            return picture.format or "", picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_BROKEN):
        return None


def told_size(data: bytes) -> tuple[int, int]:
    """What the header says, where that is quickly read; decoders may take memory before we ask."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        width, height = data[24:27], data[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if data[:4] == b"GIF8":
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return 0, 0


def is_too_large(size: tuple[int, int], form: str | None) -> bool:
    """Whether a picture of that *size*, and Pillow's name of its format, is never decoded."""
    weight = _WEIGHTS.get(form or "")
    return size[0] * size[1] > min(MAX_DECODED, MAX_MEMORY // weight if weight else MAX_DECODED)


def _check(size: tuple[int, int], form: str | None) -> None:
    if is_too_large(size, form):
        raise OutputError(
            f"The picture is {size[0]}x{size[1]}, too large to be shown here; open its url."
        )


def flat(picture: Image.Image) -> Image.Image:
    """The picture as RGB, on white where it is transparent: JPEG has no alpha."""
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    if picture.mode.startswith("I;16") or picture.mode == "I":
        # Sixteen bits, which Pillow would cut off instead of scaling them.
        deep = picture.convert("I")
        picture = deep.point(lambda value: value * (1 / 257)).convert("L")  # pyright: ignore[reportUnknownMemberType]  # Pillow tells half of its type
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
