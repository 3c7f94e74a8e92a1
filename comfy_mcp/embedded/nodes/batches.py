"""Nodes that join, repeat and split batches of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.nodes.base import MAX_SIZE, Context, Node, Result, image, whole
from comfy_mcp.embedded.nodes.pictures import resized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL.Image import Image

__all__ = ["NODES"]


def _join(_context: Context, inputs: Mapping[str, Any]) -> Result:
    first: list[Image] = inputs["image1"]
    second = [resized(each, *first[0].size, "bilinear", "center") for each in inputs["image2"]]
    return Result(([*first, *second],))


def _repeat(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["image"] * inputs["amount"],))


def _rebatch(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures = [each for batch in inputs["images"] for each in batch]
    size = inputs["batch_size"][0]
    return Result(([pictures[start : start + size] for start in range(0, len(pictures), size)],))


def _pick(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image] = inputs["image"]
    index = inputs["batch_index"]
    start = max(0, min(len(pictures) - 1, index + len(pictures) if index < 0 else index))
    return Result((pictures[start : start + inputs["length"]],))


def _size(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image] = inputs["image"]
    return Result((*pictures[0].size, len(pictures)))


NODES = (
    Node(
        "ImageBatch",
        "Batch Images",
        "image/batch",
        (image("image1"), image("image2")),
        ("IMAGE",),
        _join,
    ),
    Node(
        "RepeatImageBatch",
        "Repeat Image Batch",
        "image/batch",
        (image(), whole("amount", 1, 1, 4096)),
        ("IMAGE",),
        _repeat,
        module="comfy_extras.nodes_images",
        modern=True,
    ),
    Node(
        "RebatchImages",
        "Rebatch Images",
        "image/batch",
        (image("images"), whole("batch_size", 1, 1, 4096)),
        ("IMAGE",),
        _rebatch,
        module="comfy_extras.nodes_rebatch",
        takes_lists=True,
        lists=(True,),
        modern=True,
    ),
    Node(
        "ImageFromBatch",
        "Get Image from Batch",
        "image/batch",
        (
            image(),
            whole("batch_index", 0, -MAX_SIZE, MAX_SIZE),
            whole("length", 1, 1, 4096),
        ),
        ("IMAGE",),
        _pick,
        module="comfy_extras.nodes_images",
        modern=True,
    ),
    Node(
        "GetImageSize",
        "Get Image Size",
        "image",
        (image(),),
        ("INT", "INT", "INT"),
        _size,
        output_names=("width", "height", "batch_size"),
        hidden=(("unique_id", "UNIQUE_ID"),),
        description="Tells width, height and number of the pictures.",
        module="comfy_extras.nodes_images",
        modern=True,
    ),
)
