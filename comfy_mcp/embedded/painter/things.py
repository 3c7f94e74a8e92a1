"""What stands and flies in a picture: birds, a boat, a cat, a house, a balloon, weather."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from comfy_mcp.embedded.painter.tones import Color, Tones, mixed
from comfy_mcp.embedded.raster import scaled

if TYPE_CHECKING:
    from comfy_mcp.embedded.painter.canvas import Canvas
    from comfy_mcp.embedded.painter.theme import Theme

__all__ = ["paint_things"]

LIT = (255, 216, 128)
Box = tuple[float, float, float, float]


def paint_things(canvas: Canvas, theme: Theme, tones: Tones, horizon: float) -> None:
    """Everything that the theme names, from far to near."""
    rng = Random(f"things {theme.seed}")  # noqa: S311 - a picture, not a secret
    dark = mixed(tones.near, (0, 0, 0), 0.3)
    if "birds" in theme.things:
        _birds(canvas, rng, dark, horizon)
    if "balloon" in theme.things:
        for scale in (0.5, 1.0, 0.32):
            _balloon(canvas, rng, tones, horizon, scale)
    if "boat" in theme.things:
        _boat(canvas, rng, tones, horizon)
    if "lighthouse" in theme.things:
        _lighthouse(canvas, tones, dark, horizon)
    if "house" in theme.things:
        _house(canvas, rng, dark, horizon)
    if "cat" in theme.things:
        _cat(canvas, rng, tones, dark)
    if "snow" in theme.things:
        _snow(canvas, rng)
    if "rain" in theme.things:
        _rain(canvas, rng, tones)


def _birds(canvas: Canvas, rng: Random, color: Color, horizon: float) -> None:
    draw = canvas.draw()
    middle = rng.uniform(0.25, 0.75), horizon * rng.uniform(0.3, 0.55)
    for _ in range(rng.randint(5, 9)):
        x, y = canvas.at(middle[0] + rng.gauss(0, 0.07), middle[1] + rng.gauss(0, 0.035))
        wing = canvas.unit * rng.uniform(0.008, 0.017)
        pen = max(1, round(canvas.unit * 0.0026))
        draw.arc((x - 2 * wing, y - wing * 0.7, x, y + wing), 200, 335, fill=color, width=pen)
        draw.arc((x, y - wing * 0.7, x + 2 * wing, y + wing), 205, 340, fill=color, width=pen)


def _balloon(canvas: Canvas, rng: Random, tones: Tones, horizon: float, scale: float) -> None:
    draw = canvas.draw()
    x, y = canvas.at(rng.uniform(0.15, 0.85), horizon * rng.uniform(0.25, 0.6))
    size = canvas.unit * 0.085 * scale
    colors = [mixed(each, (200, 40, 60), 0.35) for each in tones.bloom[:3]]
    for index, part in enumerate((1.0, 0.72, 0.4, 0.12)):
        box = (x - size * part, y - size * 1.1, x + size * part, y + size * 1.05)
        draw.ellipse(box, fill=colors[index % len(colors)])
    low = y + size * 0.95
    draw.polygon(
        [
            (x - size * 0.42, low - size * 0.12),
            (x + size * 0.42, low - size * 0.12),
            (x + size * 0.14, low + size * 0.34),
            (x - size * 0.14, low + size * 0.34),
        ],
        fill=colors[0],
    )
    pen = max(1, round(size * 0.03))
    for side in (-1, 1):
        draw.line(
            (x + side * size * 0.14, low + size * 0.3, x + side * size * 0.12, low + size * 0.62),
            fill=tones.near,
            width=pen,
        )
    draw.rectangle(
        (x - size * 0.16, low + size * 0.6, x + size * 0.16, low + size * 0.84),
        fill=mixed((120, 80, 50), tones.near, 0.4),
    )


def _boat(canvas: Canvas, rng: Random, tones: Tones, horizon: float) -> None:
    draw = canvas.draw()
    x, y = canvas.at(rng.choice((0.3, 0.36, 0.64, 0.7)), horizon + 0.075)
    size = canvas.unit * 0.1
    hull = mixed(tones.near, (60, 30, 20), 0.3)
    sail = mixed(tones.lamp, tones.far, 0.12)
    draw.polygon(
        [
            (x - size * 0.55, y),
            (x + size * 0.6, y),
            (x + size * 0.4, y + size * 0.17),
            (x - size * 0.42, y + size * 0.17),
        ],
        fill=hull,
    )
    draw.line((x, y, x, y - size * 1.25), fill=hull, width=max(1, round(size * 0.035)))
    draw.polygon(
        [
            (x + size * 0.05, y - size * 1.2),
            (x + size * 0.05, y - size * 0.1),
            (x + size * 0.55, y - size * 0.1),
        ],
        fill=sail,
    )
    draw.polygon(
        [
            (x - size * 0.05, y - size * 1.05),
            (x - size * 0.05, y - size * 0.1),
            (x - size * 0.42, y - size * 0.1),
        ],
        fill=mixed(sail, tones.far, 0.35),
    )
    for step in range(7):
        level = y + size * (0.22 + 0.1 * step)
        wide = size * (0.36 - 0.03 * step) * rng.uniform(0.6, 1.1)
        draw.line(
            (x - wide, level, x + wide, level),
            fill=mixed(hull, tones.far, 0.25 + 0.08 * step),
            width=max(1, round(size * 0.025)),
        )


def _lighthouse(canvas: Canvas, tones: Tones, dark: Color, horizon: float) -> None:
    draw = canvas.draw()
    x, foot = canvas.at(0.82, horizon + 0.1)
    tall = canvas.height * 0.3
    wide = tall * 0.1
    top = foot - tall
    for index in range(6):
        upper, lower = top + tall * index / 6, top + tall * (index + 1) / 6
        one, two = wide * (0.6 + 0.4 * index / 6), wide * (0.6 + 0.4 * (index + 1) / 6)
        fill = mixed(
            (226, 226, 220) if index % 2 else (190, 52, 48),
            tones.near,
            0.15 if tones.bright else 0.45,
        )
        draw.polygon(
            [(x - one, upper), (x + one, upper), (x + two, lower), (x - two, lower)], fill=fill
        )
    draw.polygon(
        [
            (x - wide * 2.6, foot + tall * 0.12),
            (x - wide * 1.5, foot - tall * 0.02),
            (x + wide * 1.6, foot - tall * 0.03),
            (x + wide * 4, foot + tall * 0.12),
        ],
        fill=dark,
    )
    draw.rectangle((x - wide * 0.5, top - wide * 0.9, x + wide * 0.5, top), fill=LIT)
    draw.polygon(
        [
            (x - wide * 0.75, top - wide * 0.9),
            (x + wide * 0.75, top - wide * 0.9),
            (x, top - wide * 1.9),
        ],
        fill=dark,
    )
    lamp = (x / canvas.width, (top - wide * 0.45) / canvas.height)
    if not tones.bright:
        _beam(canvas, lamp)
    canvas.glow(LIT, *lamp, 0.3, 0.75)


def _beam(canvas: Canvas, lamp: tuple[float, float]) -> None:
    """Two fingers of light, fading with distance."""
    x, y = canvas.at(*lamp)
    cone = Image.new("L", canvas.picture.size, 0)
    pen = ImageDraw.Draw(cone)
    reach = canvas.width * 0.9
    pen.polygon([(x, y), (x - reach, y - reach * 0.16), (x - reach, y + reach * 0.02)], fill=120)
    pen.polygon([(x, y), (x + reach, y + reach * 0.1), (x + reach, y - reach * 0.06)], fill=90)
    side = round(reach * 2)
    fade = scaled(ImageChops.invert(Image.radial_gradient("L")), (side, side))
    around = Image.new("L", cone.size, 0)
    around.paste(fade, (round(x) - side // 2, round(y) - side // 2))
    soft = ImageChops.multiply(cone, around).filter(ImageFilter.GaussianBlur(canvas.unit / 120))
    canvas.wash(LIT, soft)


def _house(canvas: Canvas, rng: Random, dark: Color, horizon: float) -> None:
    draw = canvas.draw()
    px = rng.choice((0.26, 0.34, 0.68, 0.74))
    x, foot = canvas.at(px, horizon + 0.17)
    size = canvas.unit * 0.085
    _hill(canvas, px, horizon + 0.16, mixed(dark, (0, 0, 0), 0.1))
    draw = canvas.draw()
    draw.rectangle((x - size, foot - size * 0.9, x + size, foot), fill=dark)
    draw.polygon(
        [
            (x - size * 1.25, foot - size * 0.85),
            (x + size * 1.25, foot - size * 0.85),
            (x + size * 0.75, foot - size * 1.7),
            (x - size * 0.75, foot - size * 1.7),
        ],
        fill=mixed(dark, (70, 40, 40), 0.35),
    )
    draw.rectangle(
        (x + size * 0.35, foot - size * 2.05, x + size * 0.58, foot - size * 1.5), fill=dark
    )
    for left in (-0.62, 0.22):
        draw.rectangle(
            (x + left * size, foot - size * 0.62, x + (left + 0.4) * size, foot - size * 0.26),
            fill=LIT,
        )
    canvas.glow(LIT, px, (foot - size * 0.45) / canvas.height, 0.2, 0.55)


def _hill(canvas: Canvas, x: float, top: float, color: Color) -> None:
    """A hill in front, highest at *x*."""
    rise = 1.02 - top
    bumps = (((index / 100 - x) / 0.34) ** 2 for index in range(101))
    canvas.below([1.02 - rise * math.exp(-each) for each in bumps], color)


def _cat(canvas: Canvas, rng: Random, tones: Tones, dark: Color) -> None:
    """A cat, sitting in front of it all and looking into the picture."""
    px = rng.choice((0.28, 0.34, 0.66, 0.72))
    _hill(canvas, px, 0.885, dark)
    x, foot = canvas.at(px, 0.895)
    size = canvas.unit * 0.13
    draw = canvas.draw()

    def box(left: float, top: float, right: float, bottom: float) -> Box:
        return x + left * size, foot + top * size, x + right * size, foot + bottom * size

    body = ((-0.5, 0), (-0.52, -0.4), (-0.3, -0.95), (0.3, -0.95), (0.52, -0.4), (0.5, 0))
    ear = ((0.35, -1.2), (0.33, -1.72), (0.06, -1.44))
    head = box(-0.37, -1.5, 0.37, -0.84)
    for outline in (body, ear, tuple((-dx, dy) for dx, dy in ear)):
        draw.polygon([(x + dx * size, foot + dy * size) for dx, dy in outline], fill=dark)
    draw.ellipse(box(-0.56, -0.72, 0.56, 0.08), fill=dark)
    draw.ellipse(head, fill=dark)
    tail_width = max(2, round(size * 0.13))
    draw.arc(box(0.3, -0.72, 1.12, 0.06), 280, 130, fill=dark, width=tail_width)
    rim, pen = mixed(tones.lamp, dark, 0.35), max(1, round(size * 0.025))
    for start in (205, 295):
        draw.arc(head, start, start + 40, fill=rim, width=pen)


def _snow(canvas: Canvas, rng: Random) -> None:
    draw = canvas.draw()
    for _ in range(380):
        x, y = canvas.at(rng.random(), rng.random())
        size = canvas.unit * rng.choice((0.0012, 0.002, 0.003, 0.005))
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(244, 248, 255))


def _rain(canvas: Canvas, rng: Random, tones: Tones) -> None:
    draw = canvas.draw()
    color = mixed(tones.sky[-1], (255, 255, 255), 0.2)
    for _ in range(260):
        x, y = canvas.at(rng.uniform(-0.05, 1), rng.random())
        length = canvas.unit * rng.uniform(0.012, 0.04)
        draw.line(
            (x, y, x + length * 0.25, y + length), fill=color, width=max(1, canvas.unit // 700)
        )
