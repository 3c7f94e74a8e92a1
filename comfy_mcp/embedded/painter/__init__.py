"""Paints a picture from words and a seed: no model, no GPU, the same every time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from PIL import Image

from comfy_mcp.embedded.painter import land, water
from comfy_mcp.embedded.painter.canvas import Canvas
from comfy_mcp.embedded.painter.finish import CAPTION, captioned, finished
from comfy_mcp.embedded.painter.sky import hung, paint_sky
from comfy_mcp.embedded.painter.theme import Model, Theme, read_theme
from comfy_mcp.embedded.painter.things import paint_things
from comfy_mcp.embedded.painter.tones import tones_of
from comfy_mcp.embedded.raster import scaled

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CAPTION", "Model", "Theme", "captioned", "paint", "read_theme"]

FINE_PIXELS = 640 * 640
LANDS: dict[str, Callable[..., None]] = {
    "mountains": land.paint_mountains,
    "forest": land.paint_forest,
    "city": land.paint_city,
    "desert": land.paint_desert,
    "meadow": land.paint_meadow,
}


def paint(theme: Theme, model: Model, vivid: float, width: int, height: int) -> Image.Image:
    """The picture of a *theme*; the same composition in every size."""
    factor = 2 if width * height <= FINE_PIXELS else 1
    canvas = Canvas(Image.new("RGB", (max(8, width * factor), max(8, height * factor))))
    tones = tones_of(theme)
    horizon = Random(f"horizon {theme.seed}").uniform(0.54, 0.64)  # noqa: S311 - a picture
    lamp = hung(theme, horizon)
    paint_sky(canvas, theme, tones, horizon, lamp)
    if theme.place == "sea":
        water.paint_sea(canvas, theme, tones, horizon, lamp)
    else:
        LANDS[theme.place](canvas, theme, tones, horizon)
    paint_things(canvas, theme, tones, horizon)
    picture = scaled(canvas.picture, (width, height), Image.Resampling.LANCZOS)
    return finished(picture, model, vivid, theme.seed)
