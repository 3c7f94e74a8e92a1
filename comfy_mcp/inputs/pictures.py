"""Pictures that are given to ComfyUI: decoded here first, with a bound before."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from comfy_mcp.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST_MEMORY", "MOST_PIXELS", "loaded", "picture"]

MOST_PIXELS = 64_000_000
"""A small file can hold an enormous picture; 8k has half of this."""

MOST_MEMORY = 16 * 6_144 * 4_096
"""Bytes that decoding may take at its peak: 400 MB, a WebP of four times 1536x1024."""

_WEIGHTS = {"WEBP": 16, "AVIF": 12}
"""Bytes for each pixel while it is decoded (measured), where they are more than the picture's own.

The decoder of WebP holds three canvases beside the picture, of one that stands still, too.
"""

_USUAL_WEIGHT = 4
_COEFFICIENT = 2
"""Bytes of each pixel and band that a progressive JPEG keeps until its last scan."""

_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise over a picture that is not whole; warnings only where a test or an
operator turns them into errors."""


def picture(form: str) -> Callable[[BinaryIO, int], tuple[float, ...]]:
    """What looks at a picture that begins like *form* (Pillow's name), and gives its size."""

    def check(file: BinaryIO, _size: int) -> tuple[float, ...]:
        return loaded(file, form).size

    return check


def loaded(file: BinaryIO, form: str | None = None, *, most: int = MOST_PIXELS) -> Image.Image:
    """The first frame of a picture of at most *most* pixels, decoded whole.

    Raises:
        InputError: it is none, a broken one, or has too many pixels.
    """
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    name = form or "picture"
    try:
        _bounded(_canvas(file), _WEIGHTS["WEBP"], most)
        file.seek(0)
        Image.init()
        if form is not None and form not in Image.OPEN:
            raise InputError(f"Pictures in {form} cannot be checked here: give a PNG or WebP.")
        opened = Image.open(file, formats=[form] if form else _KNOWN)
        _bounded(opened.size, _weight(opened), most)
        opened.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"The picture is enormous: {_most(most)}") from error
    except _BROKEN as error:
        raise InputError(
            f"The file begins like a {name} and is none, or a broken one: give it anew."
        ) from error
    return opened


_KNOWN = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def _canvas(file: BinaryIO) -> tuple[int, int]:
    """What an extended WebP says of its size: its decoder takes memory before it is asked."""
    file.seek(0)
    head = file.read(30)
    if head[:4] != b"RIFF" or head[12:16] != b"VP8X":
        return 0, 0
    return tuple(int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))  # type: ignore[return-value]  # two of them


def _weight(opened: Image.Image) -> int:
    """The bytes that each pixel of *opened* takes while it is decoded."""
    if "progressive" in opened.info:
        return _USUAL_WEIGHT + _COEFFICIENT * len(opened.getbands())
    return _WEIGHTS.get(opened.format or "", _USUAL_WEIGHT)


def _bounded(size: tuple[int, int], weight: int, most: int) -> None:
    most = min(most, MOST_MEMORY // weight)
    if size[0] * size[1] > most:
        other = "" if weight == _USUAL_WEIGHT else ", or give a PNG"
        raise InputError(f"The picture is {size[0]}x{size[1]}: {_most(most, other)}")


def _most(pixels: int, other: str = "") -> str:
    kind = " of this kind" if other else ""
    return f"{pixels} pixels are the most that is taken{kind}. Make it smaller first{other}."
