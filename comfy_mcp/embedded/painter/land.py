"""The land below the sky: mountains, forest, city, desert, meadow."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from PIL import ImageChops

from comfy_mcp.embedded.painter.canvas import Canvas, lower_part, noise, ridge, steps_of
from comfy_mcp.embedded.painter.tones import Color, Tones, mixed

if TYPE_CHECKING:
    from comfy_mcp.embedded.painter.theme import Theme

SNOWY = (0, 1)
FRONT_TREES = 4
CLEARING = (0.3, 0.7)
RIGHT_EDGE = 1.02
MASTS = 0.4
NARROWEST = 4

__all__ = ["paint_city", "paint_desert", "paint_forest", "paint_meadow", "paint_mountains"]


def _rng(theme: Theme, what: str) -> Random:
    return Random(f"{what} {theme.seed}")  # noqa: S311 - a picture, not a secret


def paint_mountains(canvas: Canvas, theme: Theme, tones: Tones, horizon: float) -> None:
    """Four ranges, each nearer one darker, with mist between and snow on the tops."""
    rng = _rng(theme, "mountains")
    snow = mixed(tones.lamp, tones.sky[2], 0.25 if tones.bright else 0.55)
    for layer in range(4):
        part = layer / 3
        base = horizon - 0.02 + 0.36 * part**1.2
        rise = 0.34 - 0.17 * part
        heights = ridge(rng, 3 + layer, 6, sharp=True)
        line = [base - rise * value**1.35 for value in heights]
        color = mixed(mixed(tones.far, tones.sky[-1], 0.45), tones.near, part**0.8)
        canvas.below(line, color)
        if layer in SNOWY:
            _snow_caps(canvas, line, heights, rng, mixed(snow, color, 0.2 + 0.3 * layer))
        if color != tones.near:
            canvas.veil(mixed(tones.sky[-1], color, 0.35), base - rise * 0.5, base + 0.13, 0.75)


def _snow_caps(
    canvas: Canvas, line: list[float], heights: list[float], rng: Random, color: Color
) -> None:
    last = len(line) - 1
    jag = ridge(rng, 44, 2, sharp=True)
    depth = [max(0.0, value - 0.5) * (0.1 + 0.18 * jag[i]) for i, value in enumerate(heights)]
    upper = [canvas.at(i / last, y) for i, y in enumerate(line)]
    lower = [canvas.at(i / last, line[i] + depth[i]) for i in range(last, -1, -1)]
    canvas.draw().polygon([*upper, *lower], fill=color)


def paint_forest(canvas: Canvas, theme: Theme, tones: Tones, horizon: float) -> None:
    """A range of hills behind rows of pines, the nearest almost black."""
    rng = _rng(theme, "forest")
    hills = [horizon - 0.04 - 0.16 * value for value in ridge(rng, 2, 4, sharp=False)]
    canvas.below(hills, mixed(tones.far, tones.sky[-1], 0.5))
    canvas.veil(tones.sky[-1], horizon - 0.12, horizon + 0.06, 0.7)
    for layer in range(5):
        part = layer / 4
        ground = horizon + 0.02 + 0.36 * part**1.5
        line = [ground - 0.05 * value for value in ridge(rng, 2, 2, sharp=False)]
        color = mixed(mixed(tones.far, tones.sky[-1], 0.3), tones.near, part**0.7)
        canvas.below(line, color)
        count = round(64 - 44 * part)
        for index in range(count):
            x = (index + rng.random()) / count
            tall = (0.07 + 0.24 * part**1.3) * rng.uniform(0.6, 1.15)
            if layer == FRONT_TREES and CLEARING[0] < x < CLEARING[1]:
                tall *= 0.45
            _pine(canvas, rng, (x, line[round(x * (len(line) - 1))] + 0.012), tall, color)
        if layer < FRONT_TREES:
            canvas.veil(
                mixed(tones.sky[-1], color, 0.25), ground - 0.06, ground + 0.1, 0.6 - 0.1 * layer
            )


def _pine(
    canvas: Canvas, rng: Random, place: tuple[float, float], tall: float, color: Color
) -> None:
    cx, foot = canvas.at(*place)
    height = tall * canvas.height
    wide = height * rng.uniform(0.17, 0.23)
    tiers = 9
    points = [(cx, foot - height)]
    right: list[tuple[float, float]] = []
    for tier in range(1, tiers + 1):
        part = tier / tiers
        level = foot - height * (1 - part * 0.93)
        reach = wide * part * rng.uniform(0.8, 1.15)
        points += [(cx - reach, level), (cx - reach * 0.5, level - height * 0.02)]
        right += [
            (cx + reach * rng.uniform(0.85, 1.1), level),
            (cx + reach * 0.5, level - height * 0.02),
        ]
    draw = canvas.draw()
    draw.polygon([*points, *reversed(right)], fill=color)
    draw.line(
        (cx, foot - height, cx, foot + height * 0.04),
        fill=color,
        width=max(1, round(height * 0.025)),
    )


def paint_city(canvas: Canvas, theme: Theme, tones: Tones, horizon: float) -> None:
    """Three rows of houses, the nearer the taller, with light in their windows."""
    rng = _rng(theme, "city")
    near = mixed(tones.near, (36, 36, 58), 0.55)
    lights = [*tones.bloom[:2], (255, 214, 130), (255, 236, 190), (150, 210, 255)]
    for layer in range(3):
        part = layer / 2
        color = mixed(mixed(tones.far, tones.sky[-1], 0.4), near, part**0.8)
        x = -0.02
        while x < RIGHT_EDGE:
            wide = rng.uniform(0.035, 0.075) * (1 + 0.7 * part)
            tall = rng.uniform(0.12, 0.4) * (1 - 0.12 * part) * (0.55 + 0.45 * rng.random())
            top = horizon + 0.1 + 0.16 * part - tall
            _tower(canvas, rng, (x, top, x + wide, 1.0), color, lights=lights, part=part)
            x += wide * rng.uniform(0.92, 1.25)
        if part < 1:
            canvas.veil(mixed(tones.sky[-1], tones.far, 0.3), horizon - 0.1, horizon + 0.2, 0.65)
    canvas.veil(near, 0.78, 1.0, 0.7)


def _tower(
    canvas: Canvas,
    rng: Random,
    box: tuple[float, float, float, float],
    color: Color,
    *,
    lights: list[Color],
    part: float,
) -> None:
    draw = canvas.draw()
    (left, top), (right, bottom) = canvas.at(*box[:2]), canvas.at(*box[2:])
    draw.rectangle((left, top, right, bottom), fill=color)
    if rng.random() < MASTS:
        middle, mast = (left + right) / 2, canvas.height * rng.uniform(0.02, 0.06)
        draw.line(
            (middle, top - mast, middle, top), fill=color, width=max(1, round(canvas.unit * 0.003))
        )
    step = canvas.unit * (0.011 + 0.009 * part)
    lit = 0.16 + 0.2 * part
    y = top + step
    while y < bottom:
        x = left + step * 0.8
        while x < right - step * 0.9:
            if rng.random() < lit:
                glow = mixed(rng.choice(lights), color, rng.uniform(0.0, 0.55))
                draw.rectangle((x, y, x + step * 0.5, y + step * 0.6), fill=glow)
            x += step
        y += step * 1.25


def paint_desert(canvas: Canvas, theme: Theme, tones: Tones, horizon: float) -> None:
    """Dunes, light on one side of their crests and dark on the other."""
    rng = _rng(theme, "desert")
    sand = mixed((232, 176, 112), tones.sky[-1], 0.35 if tones.bright else 0.1)
    sand = mixed(sand, tones.near, 0.0 if tones.bright else 0.55)
    shadow = mixed(mixed(sand, tones.near, 0.62), tones.sky[1], 0.2)
    for layer in range(5):
        part = layer / 4
        base = horizon + 0.01 + 0.4 * part**1.5
        crest = [base - (0.05 + 0.14 * part) * value**1.5 for value in ridge(rng, 2, 2, sharp=True)]
        light = mixed(mixed(sand, tones.sky[-1], 0.55 * (1 - part)), shadow, 0.1 * part)
        canvas.below(crest, light)
        dark = mixed(mixed(shadow, tones.sky[-1], 0.6 * (1 - part)), tones.near, 0.15 * part)
        _shadow_sides(canvas, crest, dark)
    ripples = noise(rng, canvas.picture.size, (6, 60), 3)
    lower = lower_part(canvas.picture.size, horizon + 0.16)
    canvas.wash(shadow, ImageChops.multiply(steps_of(ripples, 128, 200, 0.3), lower))


def _shadow_sides(canvas: Canvas, crest: list[float], color: Color) -> None:
    """From each top, the slope to the right lies in shadow, down to the next hollow."""
    last, draw = len(crest) - 1, canvas.draw()
    top = 0
    for index in range(1, last):
        if crest[index - 1] > crest[index] <= crest[index + 1]:
            top = index
        hollow = crest[index - 1] < crest[index] >= crest[index + 1] or index == last - 1
        if not hollow or index - top < NARROWEST:
            continue
        edge = [(i / last, crest[i]) for i in range(top, index + 1)]
        drop = edge[-1][1] - edge[0][1]
        bend = (edge[0][0] + 0.1 * (edge[-1][0] - edge[0][0]), edge[-1][1] + 0.6 * drop)
        back = [_curve(edge[-1], bend, edge[0], step / 16) for step in range(17)]
        draw.polygon([canvas.at(*place) for place in (*edge, *back)], fill=color)


def _curve(
    start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float], part: float
) -> tuple[float, float]:
    rest = 1 - part
    one, two, three = rest * rest, 2 * rest * part, part * part
    return (
        one * start[0] + two * bend[0] + three * end[0],
        one * start[1] + two * bend[1] + three * end[1],
    )


def paint_meadow(canvas: Canvas, theme: Theme, tones: Tones, horizon: float) -> None:
    """Rolling hills, and flowers that grow larger towards us."""
    rng = _rng(theme, "meadow")
    white = theme.light == "winter"
    green = (236, 240, 246) if white else mixed((86, 148, 66), tones.sky[-1], 0.12)
    green = mixed(green, tones.near, 0.15 if tones.bright else 0.72)
    if theme.light in {"sunset", "autumn"} and not white:
        green = mixed(green, tones.far, 0.45)
    for layer in range(4):
        part = layer / 3
        base = horizon + 0.02 + 0.28 * part**1.2
        line = [base - (0.12 - 0.04 * part) * value for value in ridge(rng, 2, 3, sharp=False)]
        canvas.below(
            line, mixed(mixed(green, tones.sky[-1], 0.55), mixed(green, tones.near, 0.35), part)
        )
        if part < 1:
            canvas.veil(mixed(tones.sky[-1], green, 0.45), base - 0.05, base + 0.12, 0.4)
    texture = noise(rng, canvas.picture.size, (40, 24), 3)
    lower = lower_part(canvas.picture.size, horizon + 0.16)
    canvas.wash(
        mixed(green, tones.near, 0.6), ImageChops.multiply(steps_of(texture, 120, 200, 0.4), lower)
    )
    if not white:
        _flowers(canvas, tones, rng, horizon, 900 if "flowers" in theme.things else 320)


def _flowers(canvas: Canvas, tones: Tones, rng: Random, horizon: float, count: int) -> None:
    draw = canvas.draw()
    places = sorted(rng.random() ** 0.7 for _ in range(count))
    for depth in places:
        x, y = canvas.at(rng.random(), horizon + 0.14 + (0.9 - horizon) * depth)
        size = canvas.unit * (0.0012 + 0.0075 * depth**2.2) * rng.uniform(0.6, 1.2)
        color = mixed(
            rng.choice(tones.bloom),
            tones.near,
            rng.uniform(0.0, 0.3) + (0.0 if tones.bright else 0.4),
        )
        stem = mixed(tones.near, color, 0.2)
        draw.line((x, y, x + size * 0.3, y + size * 3), fill=stem, width=max(1, round(size * 0.35)))
        for dx, dy in ((-0.7, 0), (0.7, 0), (0, -0.7), (0, 0.7)):
            px, py, petal = x + dx * size, y + dy * size * 0.8, size * 0.62
            draw.ellipse((px - petal, py - petal, px + petal, py + petal), fill=color)
        heart = size * 0.35
        draw.ellipse(
            (x - heart, y - heart, x + heart, y + heart), fill=mixed((255, 214, 90), color, 0.2)
        )
