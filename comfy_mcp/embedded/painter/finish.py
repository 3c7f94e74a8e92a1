"""The last touches: light of the model, depth, grain, and the caption that says what this is."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont

from comfy_mcp.embedded.raster import mapped, scaled

if TYPE_CHECKING:
    from comfy_mcp.embedded.painter.theme import Model

__all__ = ["CAPTION", "captioned", "finished"]

CAPTION = "embedded demo sampler"
GOLDEN = (255, 176, 84)
DUSK = (44, 40, 96)


def finished(picture: Image.Image, model: Model, vivid: float, seed: str) -> Image.Image:
    """The picture in the light of the *model*; *vivid* 1 leaves the colours as they are."""
    if model.warmth:
        part = max(-1.0, min(1.0, model.warmth))
        color = GOLDEN if part > 0 else tuple(255 - each for each in GOLDEN)
        light = ImageChops.soft_light(picture, Image.new("RGB", picture.size, color))
        picture = Image.blend(picture, light, abs(part))
    if model.dusk:
        shade = ImageChops.multiply(picture, Image.new("RGB", picture.size, (150, 146, 210)))
        picture = Image.blend(picture, shade, min(1.0, model.dusk))
    picture = ImageEnhance.Color(picture).enhance(vivid)
    return _grained(_vignetted(picture), seed)


def _vignetted(picture: Image.Image) -> Image.Image:
    edge = mapped(Image.radial_gradient("L"), lambda value: (value - 120) * 0.72)
    return Image.composite(
        Image.new("RGB", picture.size, (8, 6, 14)), picture, scaled(edge, picture.size)
    )


def _grained(picture: Image.Image, seed: str) -> Image.Image:
    rng = Random(f"grain {seed}")  # noqa: S311 - a picture, not a secret
    tile = Image.frombytes("L", (128, 128), rng.randbytes(128 * 128))
    tile = mapped(tile, lambda value: 128 + (value - 128) / 22)
    grain = Image.new("L", picture.size)
    for top in range(0, picture.height, 128):
        for left in range(0, picture.width, 128):
            grain.paste(tile, (left, top))
    return ImageChops.add(picture, Image.merge("RGB", (grain,) * 3), 1, -128)


def captioned(picture: Image.Image) -> Image.Image:
    """The picture with the caption in its lower right corner, as large as there is room."""
    shown = picture.copy()
    pen = ImageDraw.Draw(shown, "RGBA")
    size = max(6.0, min(picture.width / 42, picture.height / 20, 26.0))
    font = ImageFont.load_default(size)
    left, top, right, bottom = pen.textbbox((0, 0), CAPTION, font=font)
    wide, tall, pad = right - left, bottom - top, size * 0.45
    x, y = picture.width - wide - 2.2 * pad, picture.height - tall - 2.2 * pad
    x = max(x, pad)
    box = (x - pad, y - pad, x + wide + pad, y + tall + pad)
    pen.rounded_rectangle(box, radius=pad, fill=(10, 10, 20, 110))
    pen.text((x - left, y - top), CAPTION, font=font, fill=(255, 255, 255, 215))
    return shown
