"""A picture of how loud a sound is over its length."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from comfy_mcp.outputs.sounds import Plain

__all__ = ["COLUMNS", "loudness", "wave"]

COLUMNS = 256
HEIGHT = 96

LOOKED_AT = 400
"""Samples that are looked at for each column: a part stands for the whole."""

_PAPER, _INK, _AXIS = (24, 24, 24), (120, 200, 255), (70, 70, 70)


def loudness(sound: Plain, columns: int = COLUMNS) -> list[float]:
    """The greatest amplitude, 0 to 1, in each of *columns* parts of the first channel."""
    step = sound.width * sound.channels
    samples = len(sound.data) // step
    peaks: list[float] = []
    for column in range(columns if samples else 0):
        begin, end = samples * column // columns, samples * (column + 1) // columns
        stride = max(1, (end - begin) // LOOKED_AT)
        values = (_amplitude(sound, place * step) for place in range(begin, end, stride))
        peaks.append(max(values, default=0.0))
    return peaks


def wave(peaks: list[float]) -> Image.Image:
    """*peaks* as a picture."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - start-up stays light

    picture = Image.new("RGB", (2 * len(peaks) or 2, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(picture)
    middle = HEIGHT // 2
    draw.line((0, middle, picture.width, middle), fill=_AXIS)
    for column, peak in enumerate(peaks):
        reach = round(min(1.0, peak) * (middle - 2))
        draw.line((2 * column, middle - reach, 2 * column, middle + reach), fill=_INK, width=2)
    return picture


def _amplitude(sound: Plain, at: int) -> float:
    raw = sound.data[at : at + sound.width]
    if sound.floating:
        (value,) = _floats(bytes(raw))
        # What is no number is no loudness; infinity is as loud as can be.
        return abs(value) if value == value else 0.0  # noqa: PLR0124 - not a number
    if sound.width == 1:
        return abs(raw[0] - 128) / 128
    return abs(int.from_bytes(raw, "little", signed=True)) / (1 << 8 * sound.width - 1)


def _floats(raw: bytes) -> array[float]:
    values = array("f", raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values
