"""Pictures that are given to ComfyUI: decoded here first, with a bound before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from comfy_mcp.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST_PIXELS", "loaded", "picture"]

MOST_PIXELS = 64_000_000
"""A small file can hold an enormous picture; 8k has half of this."""

_MOST = f"{MOST_PIXELS} pixels are the most that is taken. Make it smaller first."

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
)
"""What Pillow's decoders raise over a picture that is not whole; warnings only where a test or an
operator turns them into errors."""


def picture(form: str) -> Callable[[BinaryIO, int], tuple[float, ...]]:
    """What looks at a picture that begins like *form* (Pillow's name), and gives its size."""

    def check(file: BinaryIO, _size: int) -> tuple[float, ...]:
        return loaded(file, form).size

    return check


def loaded(file: BinaryIO, form: str | None = None) -> Image.Image:
    """The first frame of a picture, decoded whole.

    Raises:
        InputError: it is none, a broken one, or has too many pixels.
    """
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    name = form or "picture"
    try:
        _bounded(_canvas(file))
        file.seek(0)
        Image.init()
        if form is not None and form not in Image.OPEN:
            raise InputError(f"Pictures in {form} cannot be checked here: give a PNG or WebP.")
        opened = Image.open(file, formats=[form] if form else _KNOWN)
        _bounded(opened.size)
        opened.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"The picture is enormous: {_MOST}") from error
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


def _bounded(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise InputError(f"The picture is {size[0]}x{size[1]}: {_MOST}")
