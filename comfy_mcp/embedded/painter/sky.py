"""The sky: its colours, its lamp, and what floats in it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageFilter

from comfy_mcp.embedded.painter.canvas import Canvas, gradient, noise, steps_of
from comfy_mcp.embedded.painter.tones import Tones, mixed
from comfy_mcp.embedded.raster import mapped, scaled

if TYPE_CHECKING:
    from comfy_mcp.embedded.painter.theme import Theme

__all__ = ["Lamp", "hung", "paint_sky"]

Lamp = tuple[float, float]


def hung(theme: Theme, horizon: float) -> Lamp:
    """Where the sun or the moon is."""
    rng = Random(f"lamp {theme.seed}")  # noqa: S311 - a picture, not a secret
    x = rng.uniform(0.22, 0.78)
    low = theme.light in {"sunset", "dawn", "autumn", "storm"} and "moon" not in theme.things
    return x, horizon - (rng.uniform(0.05, 0.12) if low else rng.uniform(0.28, 0.4))


def paint_sky(canvas: Canvas, theme: Theme, tones: Tones, horizon: float, lamp: Lamp) -> None:
    """The whole sky, down to *horizon*."""
    rng = Random(f"sky {theme.seed}")  # noqa: S311 - a picture, not a secret
    size = (canvas.width, max(1, round(horizon * 1.08 * canvas.height)))
    canvas.picture.paste(gradient(tones.sky, size), (0, 0))
    if theme.light == "space":
        _nebula(canvas, tones, rng)
    if "stars" in theme.things or theme.light in {"night", "space"}:
        _stars(canvas, rng, horizon)
    if "aurora" in theme.things:
        _aurora(canvas, rng, horizon)
    if "planet" in theme.things:
        _planet(canvas, tones, rng, horizon)
    elif theme.light not in {"storm", "space"}:
        _lamp(canvas, theme, tones, lamp)
    if theme.light != "space" and (
        "clouds" in theme.things or tones.bright or theme.light == "storm"
    ):
        _clouds(canvas, theme, tones, rng, lamp)


def _lamp(canvas: Canvas, theme: Theme, tones: Tones, lamp: Lamp) -> None:
    night = theme.light == "night" or "moon" in theme.things
    warm = mixed(tones.lamp, tones.sky[-1], 0.5)
    canvas.glow(warm, *lamp, 0.95 if not night else 0.5, 0.55 if not night else 0.35)
    canvas.glow(tones.lamp, *lamp, 0.32, 0.75 if not night else 0.4)
    radius = (0.055 if not night else 0.045) * canvas.unit
    x, y = canvas.at(*lamp)
    canvas.draw().ellipse((x - radius, y - radius, x + radius, y + radius), fill=tones.lamp)
    if night:
        shade = mixed(tones.lamp, tones.sky[1], 0.22)
        for dx, dy, part in ((-0.3, -0.25, 0.24), (0.25, 0.1, 0.3), (-0.1, 0.4, 0.18)):
            cx, cy, size = x + dx * radius, y + dy * radius, part * radius
            canvas.draw().ellipse((cx - size, cy - size, cx + size, cy + size), fill=shade)


def _stars(canvas: Canvas, rng: Random, horizon: float) -> None:
    draw = canvas.draw()
    for _ in range(420):
        x, y = rng.random(), rng.random() ** 1.4 * horizon
        size = canvas.unit * rng.choice((0.0008, 0.0009, 0.0012, 0.0018, 0.003))
        light = rng.randint(120, 255)
        px, py = canvas.at(x, y)
        fill = (light, light, min(255, light + rng.randint(0, 40)))
        draw.ellipse((px - size, py - size, px + size, py + size), fill=fill)


def _nebula(canvas: Canvas, tones: Tones, rng: Random) -> None:
    for color, strength in ((tones.sky[-1], 0.75), (tones.bloom[1], 0.55), ((90, 180, 230), 0.4)):
        cloud = noise(rng, canvas.picture.size, (2, 2), 6)
        canvas.wash(color, steps_of(cloud, 118, 230, strength))


def _aurora(canvas: Canvas, rng: Random, horizon: float) -> None:
    height = max(2, round(horizon * canvas.height))
    curtain = scaled(noise(rng, (canvas.width, 8), (5, 1), 4), (canvas.width, height))
    fade = gradient(((0, 0, 0), (255, 255, 255), (0, 0, 0)), (canvas.width, height)).convert("L")
    mask = ImageChops.multiply(steps_of(curtain, 70, 165), fade)
    mask = mask.transform(
        mask.size, Image.Transform.AFFINE, (1, 0.22, -0.1 * canvas.width, 0, 1, 0)
    )
    colors = gradient(((150, 80, 200), (70, 220, 160), (60, 230, 140)), mask.size)
    sky = canvas.picture.crop((0, 0, *mask.size))
    light = Image.composite(
        colors, Image.new("RGB", mask.size), mapped(mask, lambda value: value * 0.9)
    )
    canvas.picture.paste(ImageChops.screen(sky, light), (0, 0))


def _planet(canvas: Canvas, tones: Tones, rng: Random, horizon: float) -> None:
    radius = canvas.unit * rng.uniform(0.13, 0.19)
    x, y = canvas.at(rng.uniform(0.25, 0.75), horizon * rng.uniform(0.35, 0.55))
    side = max(4, round(2 * radius))
    body = gradient((tones.lamp, tones.sky[-1], tones.far, tones.sky[-2]), (side, side)).rotate(24)
    shade = scaled(Image.radial_gradient("L"), (side * 2, side * 2)).crop(
        (side // 3, side // 3, side // 3 + side, side // 3 + side)
    )
    body = Image.composite(
        Image.new("RGB", body.size, tones.sky[0]), body, steps_of(shade, 90, 235)
    )
    disc = Image.new("L", (side, side), 0)
    Canvas(disc).draw().ellipse((0, 0, side - 1, side - 1), fill=255)
    canvas.glow(tones.sky[-1], x / canvas.width, y / canvas.height, 0.42, 0.5)
    canvas.picture.paste(body, (round(x - radius), round(y - radius)), disc)
    ring = (x - radius * 1.9, y - radius * 0.36, x + radius * 1.9, y + radius * 0.36)
    canvas.draw().arc(ring, 12, 168, fill=tones.lamp, width=max(1, round(canvas.unit * 0.006)))


def _clouds(canvas: Canvas, theme: Theme, tones: Tones, rng: Random, lamp: Lamp) -> None:
    heavy = theme.light == "storm" or "clouds" in theme.things
    size = (canvas.width, max(1, round(lamp[1] * canvas.height * 1.5)))
    shape = noise(rng, size, (3, 7), 6)
    low, high = (108, 190) if heavy else (138, 215)
    lit = mixed(tones.sky[-1], (255, 255, 255), 0.45 if theme.light != "storm" else 0.0)
    shaded = mixed(tones.sky[1], tones.sky[2], 0.5)
    body = steps_of(shape, low, high, 0.8 if heavy else 0.6)
    sink = max(1, round(canvas.unit * 0.012))
    blurred = shape.filter(ImageFilter.GaussianBlur(canvas.unit / 200))
    under = ImageChops.offset(blurred, 0, sink)
    under.paste(blurred.crop((0, 0, size[0], sink)), (0, 0))
    edge = ImageChops.multiply(body, ImageChops.invert(steps_of(under, low, high + 25)))
    region = canvas.picture.crop((0, 0, *size))
    fade = gradient(((255, 255, 255), (255, 255, 255), (0, 0, 0)), size).convert("L")
    region.paste(
        shaded, (0, 0, *size), ImageChops.multiply(mapped(body, lambda value: value * 0.6), fade)
    )
    region.paste(lit, (0, 0, *size), ImageChops.multiply(edge, fade))
    canvas.picture.paste(region, (0, 0))
