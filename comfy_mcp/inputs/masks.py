"""A mask put into a picture, as LoadImage reads it: what is to change is see-through."""

from __future__ import annotations

import io

from comfy_mcp.errors import InputError
from comfy_mcp.inputs.pictures import loaded

__all__ = ["masked"]

MOST_PIXELS = 1 << 25
"""Of either picture: both are held in full several times. 8k has a little less."""

_OPAQUE = (255, 255)


def masked(original: bytes, mask: bytes) -> bytes:
    """The picture *original* as PNG with *mask* as its transparency; call it on a thread.

    Of a mask without transparency the bright parts are to change, of one with it the clear ones.
    The colours under it stay: nodes read them.

    Raises:
        InputError: one of them is no picture, or they differ in size.
    """
    from PIL import Image, ImageChops, ImageOps  # noqa: PLC0415 - start-up stays light

    # Which way up a photograph is: as LoadImage turns it.
    below = ImageOps.exif_transpose(loaded(io.BytesIO(original), most=MOST_PIXELS))
    above = ImageOps.exif_transpose(loaded(io.BytesIO(mask), most=MOST_PIXELS))
    if below.size != above.size:
        raise InputError(
            f"The mask is {_words(above.size)} and its picture {_words(below.size)}: make them the"
            " same size."
        )
    clear = above.convert("RGBA").getchannel("A")
    kept = clear if clear.getextrema() != _OPAQUE else ImageChops.invert(above.convert("L"))
    whole = below.convert("RGB")
    whole.putalpha(kept)
    buffer = io.BytesIO()
    Image.Image.save(whole, buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
