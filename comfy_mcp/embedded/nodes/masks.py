"""Nodes for masks: grey pictures, white where something is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from comfy_mcp.embedded.nodes.base import (
    MAX_SIZE,
    Context,
    Node,
    Result,
    combo,
    image,
    link,
    number,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NODES"]

MODULE = "comfy_extras.nodes_mask"
CHANNELS = ("red", "green", "blue", "alpha")


def _solid(_context: Context, inputs: Mapping[str, Any]) -> Result:
    size = (inputs["width"], inputs["height"])
    return Result(([Image.new("L", size, round(255 * inputs["value"]))],))


def _to_image(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result(([each.convert("RGB") for each in inputs["mask"]],))


def _to_mask(_context: Context, inputs: Mapping[str, Any]) -> Result:
    band = CHANNELS.index(inputs["channel"])
    pictures: list[Image.Image] = inputs["image"]
    if band == len(CHANNELS) - 1:
        raise IndexError(f"index {band} is out of bounds: the pictures have no alpha")
    return Result(([each.getchannel(band) for each in pictures],))


def _invert(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result(([ImageOps.invert(each) for each in inputs["mask"]],))


NODES = (
    Node(
        "SolidMask",
        "Create Solid Mask",
        "image/mask",
        (
            number("value", 1.0, 0.0, 1.0, step=0.01),
            whole("width", 512, 1, MAX_SIZE, step=1),
            whole("height", 512, 1, MAX_SIZE, step=1),
        ),
        ("MASK",),
        _solid,
        module=MODULE,
        modern=True,
    ),
    Node(
        "MaskToImage",
        "Convert Mask to Image",
        "image/mask",
        (link("mask", "MASK"),),
        ("IMAGE",),
        _to_image,
        module=MODULE,
        modern=True,
    ),
    Node(
        "ImageToMask",
        "Convert Image to Mask",
        "image/mask",
        (image(), combo("channel", CHANNELS)),
        ("MASK",),
        _to_mask,
        module=MODULE,
        modern=True,
    ),
    Node(
        "InvertMask",
        "Invert Mask",
        "image/mask",
        (link("mask", "MASK"),),
        ("MASK",),
        _invert,
        module=MODULE,
        modern=True,
    ),
)
