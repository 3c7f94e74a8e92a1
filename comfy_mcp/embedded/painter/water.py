"""Water: the sky once more, upside down and broken by waves."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

from comfy_mcp.embedded.painter.canvas import Canvas, noise, ridge, steps_of
from comfy_mcp.embedded.painter.tones import Tones, mixed
from comfy_mcp.embedded.raster import scaled

if TYPE_CHECKING:
    from comfy_mcp.embedded.painter.sky import Lamp
    from comfy_mcp.embedded.painter.theme import Theme

__all__ = ["paint_sea"]


def paint_sea(canvas: Canvas, theme: Theme, tones: Tones, horizon: float, lamp: Lamp) -> None:
    """A far shore, the sea below *horizon*, light on it, and rocks in front."""
    rng = Random(f"sea {theme.seed}")  # noqa: S311 - a picture, not a secret
    shore = [horizon - 0.075 * value for value in ridge(rng, 3, 5, sharp=True)]
    canvas.below(shore, mixed(tones.far, tones.sky[-1], 0.4))
    canvas.veil(tones.sky[-1], horizon - 0.06, horizon + 0.005, 0.5)
    line = round(horizon * canvas.height)
    _reflection(canvas, tones, rng, line)
    _waves(canvas, tones, rng, line)
    if theme.light not in {"storm", "space"}:
        _glints(canvas, tones, rng, horizon, lamp[0])
    _rocks(canvas, tones, rng)


def _reflection(canvas: Canvas, tones: Tones, rng: Random, line: int) -> None:
    deep = canvas.height - line
    above = canvas.picture.crop((0, max(0, line - round(deep * 1.25)), canvas.width, line))
    mirror = scaled(above.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (canvas.width, deep))
    water = mixed(tones.sky[0], (20, 80, 110), 0.35 if tones.bright else 0.1)
    mirror = Image.blend(mirror, Image.new("RGB", mirror.size, water), 0.34)
    phase, row = rng.uniform(0, 6), 0
    while row < deep:
        part = row / deep
        tall = max(1, round(canvas.unit * (0.002 + 0.008 * part)))
        shift = math.sin(phase + 70 * part**0.6) * canvas.width * (0.002 + 0.012 * part)
        shift += rng.uniform(-1, 1) * canvas.width * 0.005 * part
        strip = mirror.crop((0, row, canvas.width, min(deep, row + tall)))
        canvas.picture.paste(
            mirror.crop((0, row, canvas.width, min(deep, row + tall))), (0, line + row)
        )
        canvas.picture.paste(strip, (round(shift), line + row))
        row += tall


def _waves(canvas: Canvas, tones: Tones, rng: Random, line: int) -> None:
    deep = canvas.height - line
    for color, low, strength in (
        (mixed(tones.sky[0], (0, 0, 0), 0.35), 140, 0.5),
        (mixed(tones.sky[-1], (255, 255, 255), 0.2), 165, 0.4),
    ):
        swell = noise(rng, (canvas.width, deep), (5, 34), 3)
        mask = Image.new("L", canvas.picture.size, 0)
        mask.paste(steps_of(swell, low, 235, strength), (0, line))
        canvas.wash(color, mask)
    canvas.veil(mixed(tones.sky[0], (0, 0, 0), 0.3), line / canvas.height, 1.0, 0.45)


def _glints(canvas: Canvas, tones: Tones, rng: Random, horizon: float, x: float) -> None:
    draw = canvas.draw()
    for _ in range(520):
        part = rng.random() ** 1.5
        y = horizon + (1 - horizon) * part
        spread = 0.012 + 0.1 * part
        cx = x + rng.gauss(0, 1) * spread
        wide = (0.004 + 0.03 * part) * rng.uniform(0.3, 1.0)
        thick = max(1, round(canvas.unit * (0.0012 + 0.004 * part)))
        near_middle = max(0.0, 1 - abs(cx - x) / (2.2 * spread))
        (left, top), (right, _) = canvas.at(cx - wide, y), canvas.at(cx + wide, y)
        under = canvas.picture.getpixel(
            (
                max(0, min(canvas.width - 1, round(cx * canvas.width))),
                min(canvas.height - 1, round(top)),
            )
        )
        base = under if isinstance(under, tuple) else (0, 0, 0)
        color = mixed(
            (int(base[0]), int(base[1]), int(base[2])),
            tones.lamp,
            0.25 + 0.6 * near_middle * (1 - 0.4 * part),
        )
        draw.line((left, top, right, top), fill=color, width=thick)


def _rocks(canvas: Canvas, tones: Tones, rng: Random) -> None:
    left = rng.choice((True, False))
    jag = ridge(rng, 6, 5, sharp=True)
    last = len(jag) - 1
    line: list[float] = []
    for index, value in enumerate(jag):
        place = index / last if left else 1 - index / last
        slope = max(0.0, 1 - place / 0.46)
        line.append(1.02 - slope**1.3 * (0.1 + 0.16 * value))
    canvas.below(line, mixed(tones.near, (0, 0, 0), 0.25))
