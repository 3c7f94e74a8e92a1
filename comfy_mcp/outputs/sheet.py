"""Several small pictures as one: tiles in rows, each with a few words below it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from comfy_mcp.outputs.thumbnails import budget, jpeg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from comfy_mcp.outputs.seen import Frame

__all__ = ["card", "drawn", "tile_side"]

LEAST_TILE = 192
"""Pixels. Smaller tiles show nothing to a model that sees patches of 14 to 32 pixels."""

GAP = 4
BAND = 18
"""Pixels between tiles, and of the line of words below each."""

_PAPER, _CARD, _INK = (24, 24, 24), (64, 64, 64), (240, 240, 240)


def tile_side(side: int, count: int) -> int:
    """The longest side of each of *count* tiles of a sheet that is meant to be *side* long."""
    return side if count == 1 else max(LEAST_TILE, side // _columns(count) - GAP)


def drawn(frames: Sequence[Frame], side: int) -> bytes:
    """*frames* as one JPEG; one alone as it is.

    Raises:
        OutputError: it cannot be made small enough.
    """
    if len(frames) == 1:
        return jpeg(frames[0].picture, side, budget(side))
    sheet = _sheet(frames)
    return jpeg(sheet, max(sheet.size), budget(side))


def card(words: str, side: int) -> Image.Image:
    """A tile for what has no picture."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - start-up stays light

    picture = Image.new("RGB", (side, side * 3 // 4), _CARD)
    draw = ImageDraw.Draw(picture)
    middle = (picture.width // 2, picture.height // 2)
    draw.text(middle, words, fill=_INK, font=ImageFont.load_default(16), anchor="mm")
    return picture


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _sheet(frames: Sequence[Frame]) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - start-up stays light

    wide = max(frame.picture.width for frame in frames)
    high = max(frame.picture.height for frame in frames)
    columns = min(len(frames), max(1, _columns_of(len(frames), wide, high)))
    rows = math.ceil(len(frames) / columns)
    across, down = wide + GAP, high + BAND + GAP
    sheet = Image.new("RGB", (columns * across + GAP, rows * down + GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place, frame in enumerate(frames):
        left, top = GAP + place % columns * across, GAP + place // columns * down
        left += (wide - frame.picture.width) // 2
        top += (high - frame.picture.height) // 2
        sheet.paste(frame.picture, (left, top))
        draw.text((left + 3, top + frame.picture.height + 1), frame.label, fill=_INK, font=font)
    return sheet


def _columns_of(count: int, wide: int, high: int) -> int:
    """As many as make the sheet about square."""
    return round(math.sqrt(count * (high + BAND) / max(1, wide))) or 1
