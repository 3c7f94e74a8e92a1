"""Nodes that change the shape of pictures: scale, crop, pad, turn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from comfy_mcp.embedded.nodes.base import (
    MAX_SIZE,
    Context,
    Node,
    Result,
    combo,
    image,
    number,
    whole,
)
from comfy_mcp.embedded.nodes.pictures import SCALE_METHODS, resized

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CROPS", "NODES", "wanted_size"]

CROPS = ("disabled", "center")
GREY = (127, 127, 127)
MEGA = 1024 * 1024
FLIPS = {
    "x-axis: vertically": Image.Transpose.FLIP_TOP_BOTTOM,
    "y-axis: horizontally": Image.Transpose.FLIP_LEFT_RIGHT,
}
TURNS = {
    "none": None,
    "90 degrees": Image.Transpose.ROTATE_270,
    "180 degrees": Image.Transpose.ROTATE_180,
    "270 degrees": Image.Transpose.ROTATE_90,
}


def wanted_size(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The asked size, in which 0 means: whatever keeps the shape."""
    if width == 0 and height == 0:
        return size
    if width == 0:
        return max(1, round(size[0] * height / size[1])), height
    if height == 0:
        return width, max(1, round(size[1] * width / size[0]))
    return width, height


def _scale(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image.Image] = inputs["image"]
    size = wanted_size(pictures[0].size, inputs["width"], inputs["height"])
    method, crop = inputs["upscale_method"], inputs["crop"]
    return Result(([resized(each, *size, method, crop) for each in pictures],))


def _scale_by(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((_scaled(inputs["image"], inputs["scale_by"], inputs["upscale_method"], 1),))


def _scale_to(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image.Image] = inputs["image"]
    factor = math.sqrt(inputs["megapixels"] * MEGA / (pictures[0].width * pictures[0].height))
    steps = inputs["resolution_steps"]
    return Result((_scaled(pictures, factor, inputs["upscale_method"], steps),))


def _scaled(
    pictures: list[Image.Image], factor: float, method: str, step: int
) -> list[Image.Image]:
    width = round(pictures[0].width * factor / step) * step
    height = round(pictures[0].height * factor / step) * step
    return [resized(each, width, height, method) for each in pictures]


def _crop(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image.Image] = inputs["image"]
    left = min(inputs["x"], pictures[0].width - 1)
    top = min(inputs["y"], pictures[0].height - 1)
    right = min(left + inputs["width"], pictures[0].width)
    bottom = min(top + inputs["height"], pictures[0].height)
    return Result(([each.crop((left, top, right, bottom)) for each in pictures],))


def _flip(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result(([each.transpose(FLIPS[inputs["flip_method"]]) for each in inputs["image"]],))


def _rotate(_context: Context, inputs: Mapping[str, Any]) -> Result:
    turn = TURNS[inputs["rotation"]]
    pictures = inputs["image"]
    return Result(([each if turn is None else each.transpose(turn) for each in pictures],))


def _pad(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image.Image] = inputs["image"]
    left, top = inputs["left"], inputs["top"]
    width, height = pictures[0].size
    size = (left + width + inputs["right"], top + height + inputs["bottom"])
    padded: list[Image.Image] = []
    for each in pictures:
        canvas = Image.new("RGB", size, GREY)
        canvas.paste(each, (left, top))
        padded.append(canvas)
    mask = Image.new("L", size, 255)
    mask.paste(_feathered((width, height), inputs), (left, top))
    return Result((padded, [mask]))


def _feathered(size: tuple[int, int], inputs: Mapping[str, Any]) -> Image.Image:
    """Black, growing white towards the sides that are padded."""
    mask, feathering = Image.new("L", size, 0), inputs["feathering"]
    if not 0 < feathering * 2 < min(size):
        return mask
    draw = ImageDraw.Draw(mask)
    for depth in range(feathering + 1):
        part = (feathering - depth) / feathering
        edges = [depth if inputs[side] else 0 for side in ("left", "top", "right", "bottom")]
        box = (edges[0], edges[1], size[0] - 1 - edges[2], size[1] - 1 - edges[3])
        draw.rectangle(box, fill=round(255 * part * part))
    return mask


NODES = (
    Node(
        "ImageScale",
        "Upscale Image",
        "image/upscaling",
        (
            image(),
            combo("upscale_method", SCALE_METHODS),
            whole("width", 512, 0, MAX_SIZE, step=1),
            whole("height", 512, 0, MAX_SIZE, step=1),
            combo("crop", CROPS),
        ),
        ("IMAGE",),
        _scale,
    ),
    Node(
        "ImageScaleBy",
        "Upscale Image By",
        "image/upscaling",
        (
            image(),
            combo("upscale_method", SCALE_METHODS),
            number("scale_by", 1.0, 0.01, 8.0, step=0.01),
        ),
        ("IMAGE",),
        _scale_by,
    ),
    Node(
        "ImageScaleToTotalPixels",
        "Scale Image to Total Pixels",
        "image/upscaling",
        (
            image(),
            combo("upscale_method", SCALE_METHODS),
            number("megapixels", 1.0, 0.01, 16.0, step=0.01),
            whole("resolution_steps", 1, 1, 256),
        ),
        ("IMAGE",),
        _scale_to,
        module="comfy_extras.nodes_post_processing",
        modern=True,
        since="0.4.0",
    ),
    Node(
        "ImageCrop",
        "Crop Image",
        "image/transform",
        (
            image(),
            whole("width", 512, 1, MAX_SIZE, step=1),
            whole("height", 512, 1, MAX_SIZE, step=1),
            whole("x", 0, 0, MAX_SIZE, step=1),
            whole("y", 0, 0, MAX_SIZE, step=1),
        ),
        ("IMAGE",),
        _crop,
        module="comfy_extras.nodes_images",
        modern=True,
    ),
    Node(
        "ImageFlip",
        "Flip Image",
        "image/transform",
        (image(), combo("flip_method", tuple(FLIPS))),
        ("IMAGE",),
        _flip,
        module="comfy_extras.nodes_images",
        modern=True,
    ),
    Node(
        "ImageRotate",
        "Rotate Image",
        "image/transform",
        (image(), combo("rotation", tuple(TURNS))),
        ("IMAGE",),
        _rotate,
        module="comfy_extras.nodes_images",
        modern=True,
    ),
    Node(
        "ImagePadForOutpaint",
        "Pad Image for Outpainting",
        "image/transform",
        (
            image(),
            whole("left", 0, 0, MAX_SIZE, step=8),
            whole("top", 0, 0, MAX_SIZE, step=8),
            whole("right", 0, 0, MAX_SIZE, step=8),
            whole("bottom", 0, 0, MAX_SIZE, step=8),
            whole("feathering", 40, 0, MAX_SIZE, step=1),
        ),
        ("IMAGE", "MASK"),
        _pad,
    ),
)
