"""Latents: batches of pictures on their way, or of nothing yet; and the nodes that shape them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from comfy_mcp.embedded.nodes.base import (
    MAX_SIZE,
    Context,
    Node,
    Result,
    combo,
    link,
    number,
    whole,
)
from comfy_mcp.embedded.nodes.geometry import CROPS, wanted_size
from comfy_mcp.embedded.nodes.pictures import resized

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CELL", "NODES", "Latent"]

METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")
EMPTY = (118, 108, 102)  # what an empty latent decodes to: a dull brown, roughly as in ComfyUI
CELL = 8  # a latent is measured in cells of so many pixels


@dataclass(frozen=True, slots=True)
class Latent:
    """A batch of *frames* of one size in pixels; None is an empty one."""

    width: int
    height: int
    frames: tuple[Image.Image | None, ...]

    def decoded(self) -> list[Image.Image]:
        """The frames as pictures."""
        size = (self.width, self.height)
        return [Image.new("RGB", size, EMPTY) if each is None else each for each in self.frames]

    def resized(self, width: int, height: int, method: str, crop: str) -> Latent:
        """The same in another size."""
        frames = tuple(
            None if each is None else resized(each, width, height, method, crop)
            for each in self.frames
        )
        return Latent(width, height, frames)


def _empty(_context: Context, inputs: Mapping[str, Any]) -> Result:
    width, height = inputs["width"] // CELL * CELL, inputs["height"] // CELL * CELL
    return Result((Latent(width, height, (None,) * inputs["batch_size"]),))


def _upscale(_context: Context, inputs: Mapping[str, Any]) -> Result:
    samples: Latent = inputs["samples"]
    width, height = wanted_size((samples.width, samples.height), inputs["width"], inputs["height"])
    size = (max(64, width) // CELL * CELL, max(64, height) // CELL * CELL)
    return Result((samples.resized(*size, inputs["upscale_method"], inputs["crop"]),))


def _upscale_by(_context: Context, inputs: Mapping[str, Any]) -> Result:
    samples, factor = inputs["samples"], inputs["scale_by"]
    cells = [max(1, round(side / CELL * factor)) for side in (samples.width, samples.height)]
    size = (cells[0] * CELL, cells[1] * CELL)
    return Result((samples.resized(*size, inputs["upscale_method"], "disabled"),))


def _repeat(_context: Context, inputs: Mapping[str, Any]) -> Result:
    samples: Latent = inputs["samples"]
    return Result((Latent(samples.width, samples.height, samples.frames * inputs["amount"]),))


NODES = (
    Node(
        "EmptyLatentImage",
        "Empty Latent Image",
        "model/latent",
        (
            whole("width", 512, 16, MAX_SIZE, step=8),
            whole("height", 512, 16, MAX_SIZE, step=8),
            whole("batch_size", 1, 1, 4096),
        ),
        ("LATENT",),
        _empty,
        description="A batch of empty latents to sample into.",
    ),
    Node(
        "LatentUpscale",
        "Upscale Latent",
        "model/latent",
        (
            link("samples", "LATENT"),
            combo("upscale_method", METHODS),
            whole("width", 512, 0, MAX_SIZE, step=8),
            whole("height", 512, 0, MAX_SIZE, step=8),
            combo("crop", CROPS),
        ),
        ("LATENT",),
        _upscale,
    ),
    Node(
        "LatentUpscaleBy",
        "Upscale Latent By",
        "model/latent",
        (
            link("samples", "LATENT"),
            combo("upscale_method", METHODS),
            number("scale_by", 1.5, 0.01, 8.0, step=0.01),
        ),
        ("LATENT",),
        _upscale_by,
    ),
    Node(
        "RepeatLatentBatch",
        "Repeat Latent Batch",
        "model/latent/batch",
        (link("samples", "LATENT"), whole("amount", 1, 1, 64)),
        ("LATENT",),
        _repeat,
    ),
)
