"""Nodes that pictures come from: plain colours and uploaded files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops, ImageOps, ImageSequence

from comfy_mcp.embedded.nodes.base import (
    MAX_SIZE,
    Context,
    Folders,
    Input,
    Node,
    Result,
    combo,
    whole,
)
from comfy_mcp.embedded.nodes.pictures import filled
from comfy_mcp.embedded.paths import annotated, inside

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NODES", "input_files", "located"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")

FROM_OUTPUTS: dict[str, Any] = {
    "image_upload": True,
    "image_folder": "output",
    "remote": {
        "route": "/internal/files/output",
        "refresh_button": True,
        "control_after_refresh": "first",
    },
}


def input_files(folders: Folders) -> list[str]:
    """Pictures at the top of the input folder."""
    return sorted(
        each.name
        for each in folders.input.iterdir()
        if each.is_file() and each.suffix.lower() in IMAGE_SUFFIXES
    )


def located(folders: Folders, name: str) -> Path | None:
    """The file that a node names, maybe with the folder it is in; None if it leads elsewhere."""
    bare, kind = annotated(name)
    base = Path(getattr(folders, kind or "input"))
    return inside(base, base / bare)


def _missing(folders: Folders, inputs: Mapping[str, Any]) -> tuple[str, str] | None:
    name = inputs.get("image")
    if "image" not in inputs or isinstance(name, list):
        return None
    if not isinstance(name, str):
        kind = type(name).__name__
        raise AttributeError(f"{kind!r} object has no attribute 'endswith'")  # noqa: TRY004 - ComfyUI's own word
    path = located(folders, name)
    if path is not None and path.exists():
        return None
    return "image", f"Invalid image file: {name}"


def _fingerprint(folders: Folders, inputs: Mapping[str, Any]) -> str:
    path = located(folders, str(inputs.get("image")))
    if path is None or not path.is_file():
        return "missing"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _opened(context: Context, name: str) -> tuple[list[Image.Image], list[Image.Image]]:
    path = located(context.folders, name)
    if path is None:
        raise ValueError(f"Invalid file path: {name!r}")
    with Image.open(path) as file:
        frames = [ImageOps.exif_transpose(frame) for frame in ImageSequence.Iterator(file)]
    frames = [frame for frame in frames if frame.size == frames[0].size]
    return [frame.convert("RGB") for frame in frames], [_mask(frame) for frame in frames]


def _mask(frame: Image.Image) -> Image.Image:
    """What is see-through is white; a picture without alpha has a small black mask."""
    if "A" not in frame.getbands():
        return Image.new("L", (64, 64), 0)
    return ImageChops.invert(frame.getchannel("A"))


def _empty(_context: Context, inputs: Mapping[str, Any]) -> Result:
    picture = filled(inputs["width"], inputs["height"], inputs["color"])
    return Result(([picture] * inputs["batch_size"],))


def _load(context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result(_opened(context, inputs["image"]))


def _load_mask(context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures, masks = _opened(context, inputs["image"])
    if inputs["channel"] == "alpha":
        return Result((masks,))
    band = {"red": "R", "green": "G", "blue": "B"}[inputs["channel"]]
    return Result(([each.getchannel(band) for each in pictures],))


NODES = (
    Node(
        "EmptyImage",
        "Empty Image",
        "image",
        (
            whole("width", 512, 1, MAX_SIZE, step=1),
            whole("height", 512, 1, MAX_SIZE, step=1),
            whole("batch_size", 1, 1, 4096),
            whole("color", 0, 0, 0xFFFFFF, step=1, display="color"),
        ),
        ("IMAGE",),
        _empty,
    ),
    Node(
        "LoadImage",
        "Load Image",
        "image",
        (combo("image", input_files, image_upload=True),),
        ("IMAGE", "MASK"),
        _load,
        check=_missing,
        fingerprint=_fingerprint,
        unchecked=("image",),
    ),
    Node(
        "LoadImageOutput",
        "Load Image (from Outputs)",
        "image",
        (Input("image", "COMBO", FROM_OUTPUTS, remote=True),),
        ("IMAGE", "MASK"),
        _load,
        description="Loads a picture that was made before, from the output folder.",
        experimental=True,
        since="0.3.15",
        check=_missing,
        fingerprint=_fingerprint,
        unchecked=("image",),
    ),
    Node(
        "LoadImageMask",
        "Load Image (as Mask)",
        "image",
        (
            combo("image", input_files, image_upload=True),
            combo("channel", ("alpha", "red", "green", "blue")),
        ),
        ("MASK",),
        _load_mask,
        check=_missing,
        fingerprint=_fingerprint,
        unchecked=("image",),
    ),
)
