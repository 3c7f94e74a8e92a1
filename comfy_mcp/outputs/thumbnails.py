"""Small pictures: of a certain side, and of no more bytes than a client takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.jpegs import as_jpeg
from comfy_mcp.outputs.opening import flat, opened

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST_BYTES", "budget", "jpeg", "reduced", "shrunk", "thumbnail"]

USUAL_BYTES = 70_000
"""Of a JPEG: in base64, with words beside it, an answer of less than 100 kB."""

USUAL_SIDE = 512

MOST_BYTES = 480_000
"""Of any JPEG: in base64 less than 700 kB."""

LEAST_SIDE = 16

BAND = 1_000_000
"""Pixels that are made small at a time."""

_REDUCED = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"})
"""Modes that can be divided; others have palettes, or single bits."""


def thumbnail(data: bytes, longest_side: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of at most `budget` bytes and the full picture's size; of an animation, frame one.

    Decodes and encodes: call it on a thread.

    Raises:
        OutputError: it is no picture, or one too large to decode.
    """
    with opened(data) as picture:
        size = picture.size
        small = reduced(picture, longest_side)
    return jpeg(small, longest_side, budget(longest_side)), size


def budget(side: int) -> int:
    """The most bytes of a picture whose longest side has *side* pixels."""
    return min(MOST_BYTES, max(USUAL_BYTES, USUAL_BYTES * side * side // USUAL_SIDE**2))


def reduced(picture: Image.Image, longest_side: int) -> Image.Image:
    """An opened picture, decoded as small as it may be while nothing is lost, as RGB."""
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    picture.draft("RGB", (longest_side, longest_side))
    # Made small before anything else: each copy of the whole picture costs memory.
    small = flat(shrunk(picture, 2 * longest_side))
    small.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return small


def shrunk(picture: Image.Image, longest_side: int) -> Image.Image:
    """*picture* divided by a whole number so that it is not much longer than *longest_side*.

    Pillow holds Python's lock while it makes a picture small: in bands, others get their turn.
    """
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    factor = max(picture.size) // longest_side
    if factor < 2 or picture.mode not in _REDUCED:  # noqa: PLR2004 - nothing to divide by
        return picture
    picture.load()
    width, height = (-(-side // factor) for side in picture.size)
    small = Image.new(picture.mode, (width, height))
    rows = max(1, BAND // (picture.width * factor)) * factor
    for top in range(0, picture.height, rows):
        band = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        small.paste(band.reduce(factor), (0, top // factor))
    small.info = picture.info
    return small


def jpeg(picture: Image.Image, side: int, most: int) -> bytes:
    """*picture*, at most *side* pixels long, in fewer than *most* bytes.

    Raises:
        OutputError: it cannot be made so small.
    """
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    for longest, quality in _ladder(side):
        small = picture
        if max(picture.size) > longest:
            small = picture.copy()
            small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        made = as_jpeg(small, quality=quality, optimize=True)
        if len(made) < most:
            return made
    raise OutputError("No small picture of it could be made; open its url instead.")


def _ladder(side: int) -> Iterator[tuple[int, int]]:
    for size in (side, side * 3 // 4, side // 2, side // 4):
        for quality in (85, 70, 50, 35):
            yield max(size, LEAST_SIDE), quality
