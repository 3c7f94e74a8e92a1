"""A canvas with the few tools that everything is painted with: gradients, noise, ridges, glow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from comfy_mcp.embedded.raster import mapped, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from comfy_mcp.embedded.painter.tones import Color

__all__ = ["Canvas", "gradient", "lower_part", "noise", "ridge", "steps_of"]

NOISE_SIDE = 384


@dataclass(slots=True)
class Canvas:
    """A picture in the making; places are parts of its width and height, from 0 to 1."""

    picture: Image.Image

    @property
    def width(self) -> int:
        """In pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.picture.height

    @property
    def unit(self) -> int:
        """The shorter side, in pixels."""
        return min(self.picture.size)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place in pixels."""
        return x * self.width, y * self.height

    def draw(self) -> ImageDraw.ImageDraw:
        """The pen."""
        return ImageDraw.Draw(self.picture)

    def wash(self, color: Color, mask: Image.Image) -> None:
        """Lay *color* over the picture, as strong as *mask* is white."""
        self.picture.paste(color, (0, 0, *self.picture.size), mask)

    def veil(self, color: Color, top: float, bottom: float, strength: float) -> None:
        """A mist that grows from *top* to *bottom*, where it has its full *strength*."""
        upper, lower = round(top * self.height), round(bottom * self.height)
        if lower <= upper:
            return
        mask = Image.new("L", (1, lower - upper))
        for row in range(mask.height):
            mask.putpixel((0, row), round(255 * strength * row / mask.height))
        mask = scaled(mask, (self.width, mask.height))
        self.picture.paste(color, (0, upper, self.width, lower), mask)

    def glow(self, color: Color, x: float, y: float, radius: float, strength: float) -> None:
        """Light around a place, added to what is there; *radius* in units of the shorter side."""
        side = max(2, round(2 * radius * self.unit))
        falloff = mapped(
            Image.radial_gradient("L"), lambda value: (1 - value / 255) ** 2.2 * 255 * strength
        )
        mask = Image.new("L", self.picture.size, 0)
        left, top = round(x * self.width - side / 2), round(y * self.height - side / 2)
        mask.paste(scaled(falloff, (side, side)), (left, top))
        plain, black = Image.new("RGB", mask.size, color), Image.new("RGB", mask.size)
        light = Image.composite(plain, black, mask)
        self.picture = ImageChops.screen(self.picture, light)

    def below(self, line: Sequence[float], color: Color) -> None:
        """Fill what is below a *line* of heights, given from left to right."""
        last = len(line) - 1
        points = [self.at(index / last, y) for index, y in enumerate(line)]
        self.draw().polygon([*points, self.at(1, 1.01), self.at(0, 1.01)], fill=color)


def gradient(colors: Sequence[Color], size: tuple[int, int]) -> Image.Image:
    """From the first colour at the top to the last at the bottom."""
    column = Image.new("RGB", (1, len(colors)))
    for row, color in enumerate(colors):
        column.putpixel((0, row), color)
    return scaled(scaled(column, (1, 256)), size)


def lower_part(size: tuple[int, int], start: float) -> Image.Image:
    """Black down to *start*, then growing white to the bottom."""
    column = Image.new("L", (1, 256))
    for row in range(256):
        column.putpixel((0, row), round(255 * max(0.0, (row / 255 - start) / max(0.01, 1 - start))))
    return scaled(column, size)


def noise(
    rng: Random, size: tuple[int, int], cells: tuple[int, int], octaves: int = 5
) -> Image.Image:
    """Grey clouds: coarse noise of so many *cells*, with finer and finer noise in it."""
    small = (min(size[0], NOISE_SIDE), min(size[1], NOISE_SIDE))
    layers: list[Image.Image] = []
    for octave in range(octaves):
        across, down = cells[0] << octave, cells[1] << octave
        raw = Image.frombytes("L", (across, down), rng.randbytes(across * down))
        layers.append(scaled(raw, small))
    found, weight = layers[-1], 0.5 ** (octaves - 1)
    for octave in range(octaves - 2, -1, -1):
        share = 0.5**octave
        found = Image.blend(found, layers[octave], share / (weight + share))
        weight += share
    return scaled(found, size)


def steps_of(mask: Image.Image, low: int, high: int, strength: float = 1.0) -> Image.Image:
    """Black up to *low*, white from *high*, even in between; *strength* is how white."""
    scale = 255 * strength / max(1, high - low)
    top = 255 * strength
    return mapped(mask, lambda value: min(top, (value - low) * scale))


def ridge(rng: Random, cells: int, octaves: int, points: int = 320, *, sharp: bool) -> list[float]:
    """A line of heights from 0 to 1: rolling, or *sharp* like mountains."""
    total = [0.0] * points
    for octave in range(octaves):
        count = (cells << octave) + 2
        knots = [rng.random() for _ in range(count)]
        for index in range(points):
            place = index / (points - 1) * (count - 2)
            value = _between(knots, place)
            total[index] += (1 - abs(2 * value - 1) if sharp else value) * 0.5**octave
    low, high = min(total), max(total)
    return [(value - low) / max(1e-9, high - low) for value in total]


def _between(knots: Sequence[float], place: float) -> float:
    left = int(place)
    part = place - left
    smooth = part * part * (3 - 2 * part)
    return knots[left] + (knots[left + 1] - knots[left]) * smooth
