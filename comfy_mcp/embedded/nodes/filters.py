"""Nodes that change pictures without moving anything: blend, blur, sharpen, fewer colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops, ImageFilter, ImageOps

from comfy_mcp.embedded.nodes.base import Context, Node, Result, combo, image, number, whole
from comfy_mcp.embedded.nodes.pictures import same_size
from comfy_mcp.embedded.raster import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NODES"]

MODULE = "comfy_extras.nodes_post_processing"
BLENDS: dict[str, Callable[[Image.Image, Image.Image], Image.Image]] = {
    "normal": lambda _below, above: above,
    "multiply": ImageChops.multiply,
    "screen": ImageChops.screen,
    "overlay": ImageChops.overlay,
    "soft_light": ImageChops.soft_light,
}
DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")


def _blend(_context: Context, inputs: Mapping[str, Any]) -> Result:
    below: list[Image.Image] = inputs["image1"]
    above = same_size(inputs["image2"], below[0])
    length = max(len(below), len(above))
    pairs = [(below[i % len(below)], above[i % len(above)]) for i in range(length)]
    mode, factor = inputs["blend_mode"], inputs["blend_factor"]
    return Result(([_blended(one, two, mode, factor) for one, two in pairs],))


def _blended(below: Image.Image, above: Image.Image, mode: str, factor: float) -> Image.Image:
    if mode == "difference":
        return ImageChops.subtract(below, mapped(above, lambda value: value * factor))
    return Image.blend(below, BLENDS[mode](below, above), factor)


def _spread(radius: int, sigma: float) -> float:
    """The standard deviation, in pixels, of ComfyUI's kernel: cut off at *radius*."""
    places = [index / radius for index in range(-radius, radius + 1)]
    weights = [math.exp(-(place**2) / (2 * sigma**2)) for place in places]
    moment = sum(weight * place**2 for weight, place in zip(weights, places, strict=True))
    return math.sqrt(moment / sum(weights)) * radius


def _blur(_context: Context, inputs: Mapping[str, Any]) -> Result:
    # Two passes: nearer to the true curve than one, which is a stack of boxes.
    once = ImageFilter.GaussianBlur(_spread(inputs["blur_radius"], inputs["sigma"]) / math.sqrt(2))
    return Result(([each.filter(once).filter(once) for each in inputs["image"]],))


def _sharpen(_context: Context, inputs: Mapping[str, Any]) -> Result:
    spread = _spread(inputs["sharpen_radius"], inputs["sigma"])
    mask = ImageFilter.UnsharpMask(spread, int(inputs["alpha"] * 1000), 0)
    return Result(([each.filter(mask) for each in inputs["image"]],))


def _invert(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result(([ImageOps.invert(each) for each in inputs["image"]],))


def _quantize(_context: Context, inputs: Mapping[str, Any]) -> Result:
    colors, dither = inputs["colors"], inputs["dither"]
    return Result(([_quantized(each, colors, dither) for each in inputs["image"]],))


def _quantized(picture: Image.Image, colors: int, dither: str) -> Image.Image:
    palette = picture.quantize(colors=colors)
    how = Image.Dither.NONE
    if dither == "floyd-steinberg":
        how = Image.Dither.FLOYDSTEINBERG
    elif dither.startswith("bayer-"):
        picture = _bayer(picture, int(dither.removeprefix("bayer-")), 512 / colors)
    return picture.quantize(palette=palette, dither=how).convert("RGB")


def _bayer(picture: Image.Image, order: int, spread: float) -> Image.Image:
    """The picture with an ordered pattern of *spread* added, to be rounded to a palette."""
    tile = Image.new("L", (order, order))
    for y in range(order):
        for x in range(order):
            part = _threshold(x, y, order) - 0.5
            tile.putpixel((x, y), max(0, min(255, round(128 + spread * part))))
    pattern = Image.new("L", picture.size)
    for top in range(0, picture.height, order):
        for left in range(0, picture.width, order):
            pattern.paste(tile, (left, top))
    return ImageChops.add(picture, Image.merge("RGB", (pattern,) * 3), 1, -128)


def _threshold(x: int, y: int, order: int) -> float:
    """The place of a pixel in the Bayer matrix, from 0 to 1."""
    found, step, size = 0.0, 0.25, order
    while size > 1:
        size //= 2
        right, down = x // size % 2, y // size % 2
        found += (0, 2, 3, 1)[right + 2 * down] * step * (size * size) / (order * order / 4)
    return found


NODES = (
    Node(
        "ImageBlend",
        "Blend Images",
        "image/filters",
        (
            image("image1"),
            image("image2"),
            number("blend_factor", 0.5, 0.0, 1.0, step=0.01),
            combo("blend_mode", (*BLENDS, "difference")),
        ),
        ("IMAGE",),
        _blend,
        module=MODULE,
        modern=True,
    ),
    Node(
        "ImageBlur",
        "Blur Image",
        "image/filters",
        (
            image(),
            whole("blur_radius", 1, 1, 31, step=1),
            number("sigma", 1.0, 0.1, 10.0, step=0.1),
        ),
        ("IMAGE",),
        _blur,
        module=MODULE,
        modern=True,
    ),
    Node(
        "ImageSharpen",
        "Sharpen Image",
        "image/filters",
        (
            image(),
            whole("sharpen_radius", 1, 1, 31, step=1),
            number("sigma", 1.0, 0.1, 10.0, step=0.01),
            number("alpha", 1.0, 0.0, 5.0, step=0.01),
        ),
        ("IMAGE",),
        _sharpen,
        module=MODULE,
        modern=True,
    ),
    Node(
        "ImageQuantize",
        "Quantize Image",
        "image/filters",
        (image(), whole("colors", 256, 1, 256, step=1), combo("dither", DITHERS)),
        ("IMAGE",),
        _quantize,
        module=MODULE,
        modern=True,
    ),
    Node(
        "ImageInvert",
        "Invert Image Colors",
        "image/color",
        (image(),),
        ("IMAGE",),
        _invert,
    ),
)
