"""Nodes that write files: saved and previewed pictures, animations, latents, text."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from comfy_mcp.embedded.nodes.base import (
    PNG_INFO,
    Context,
    Input,
    Node,
    Result,
    combo,
    flag,
    image,
    link,
    number,
    text,
    whole,
)
from comfy_mcp.embedded.nodes.latents import CELL, Latent
from comfy_mcp.embedded.nodes.notes import notes
from comfy_mcp.embedded.paths import SaveName, save_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["NODES"]

METHODS = {"default": 4, "fastest": 0, "slowest": 6}


def _place(base: Path, prefix: str, pictures: list[Image.Image]) -> SaveName:
    first = pictures[0]
    return save_name(prefix, base, first.width, first.height, time.localtime())


def _written(
    context: Context, pictures: list[Image.Image], place: SaveName, kind: str, level: int
) -> list[dict[str, str]]:
    chunks = PngInfo()
    for key, value in notes(context).items():
        chunks.add_text(key, value)
    files: list[dict[str, str]] = []
    for index, picture in enumerate(pictures):
        stem = place.stem.replace("%batch_num%", str(index))
        name = f"{stem}_{place.counter + index:05}_.png"
        picture.save(place.folder / name, pnginfo=chunks, compress_level=level)
        files.append({"filename": name, "subfolder": place.subfolder, "type": kind})
    return files


def _save(context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures = inputs["images"]
    place = _place(context.folders.output, inputs["filename_prefix"], pictures)
    return Result((pictures,), {"images": _written(context, pictures, place, "output", 4)})


def _preview(context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures = inputs["images"]
    place = _place(context.folders.temp, f"ComfyUI_temp_{context.temp_tag}", pictures)
    return Result((pictures,), {"images": _written(context, pictures, place, "temp", 1)})


def _animate(context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image.Image] = inputs["images"]
    place = _place(context.folders.output, inputs["filename_prefix"], pictures)
    name = f"{place.stem}_{place.counter:05}_.webp"
    exif = pictures[0].getexif()
    for below, (key, value) in enumerate(notes(context).items()):
        # Pillow has no other room for words: the model of the camera, its maker, and before.
        exif[ExifTags.Base.Model - below] = f"{key}:{value}"
    pictures[0].save(
        place.folder / name,
        save_all=True,
        duration=int(1000 / inputs["fps"]),
        append_images=pictures[1:],
        lossless=inputs["lossless"],
        quality=inputs["quality"],
        method=METHODS[inputs["method"]],
        exif=exif,
    )
    entry = {"filename": name, "subfolder": place.subfolder, "type": "output"}
    return Result((pictures,), {"images": [entry], "animated": [True]})


def _animate_png(context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image.Image] = inputs["images"]
    place = _place(context.folders.output, inputs["filename_prefix"], pictures)
    name = f"{place.stem}_{place.counter:05}_.png"
    chunks = PngInfo()
    for key, value in notes(context).items():
        chunks.add(b"comf", f"{key}\0{value}".encode("latin-1", "strict"), after_idat=True)
    pictures[0].save(
        place.folder / name,
        pnginfo=chunks,
        compress_level=inputs["compress_level"],
        save_all=True,
        duration=int(1000.0 / inputs["fps"]),
        append_images=pictures[1:],
    )
    entry = {"filename": name, "subfolder": place.subfolder, "type": "output"}
    return Result((pictures,), {"images": [entry], "animated": [True]})


def _save_latent(context: Context, inputs: Mapping[str, Any]) -> Result:
    samples: Latent = inputs["samples"]
    place = save_name(inputs["filename_prefix"], context.folders.output, 0, 0, time.localtime())
    name = f"{place.stem}_{place.counter:05}_.latent"
    (place.folder / name).write_bytes(_tensors(samples, notes(context)))
    entry = {"filename": name, "subfolder": place.subfolder, "type": "output"}
    return Result((samples,), {"latents": [entry]})


def _tensors(samples: Latent, said: dict[str, str]) -> bytes:
    """A safetensors file; an empty latent is zeros, and nothing more is known of others here."""
    shape = [len(samples.frames), 4, samples.height // CELL, samples.width // CELL]
    length = math.prod(shape) * 4
    header = {
        "__metadata__": said,
        "latent_format_version_0": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
        "latent_tensor": {"dtype": "F32", "shape": shape, "data_offsets": [0, length]},
    }
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    return len(words).to_bytes(8, "little") + words + bytes(length)


def _save_text(context: Context, inputs: Mapping[str, Any]) -> Result:
    content, kind = inputs["text"], inputs["format"]
    place = save_name(inputs["filename_prefix"], context.folders.output, 1, 1, time.localtime())
    name = f"{place.stem}_{place.counter:05}.{kind}"
    (place.folder / name).write_text(_pretty(content) if kind == "json" else content, "utf-8")
    entry = {"filename": name, "subfolder": place.subfolder, "type": "output"}
    return Result((content,), {"text": [content], "files": [entry]})


def _pretty(content: str) -> str:
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False)
    except json.JSONDecodeError:
        return content


NODES = (
    Node(
        "SaveImage",
        "Save Image",
        "image",
        (
            link("images", "IMAGE", tooltip="The pictures to save."),
            text("filename_prefix", "ComfyUI", multiline=None),
        ),
        ("IMAGE",),
        _save,
        output_names=("images",),
        description="Saves the pictures to the output folder.",
        output_node=True,
        hidden=PNG_INFO,
    ),
    Node(
        "PreviewImage",
        "Preview Image",
        "image",
        (link("images", "IMAGE"),),
        ("IMAGE",),
        _preview,
        output_names=("images",),
        description="Shows the pictures without keeping them.",
        output_node=True,
        hidden=PNG_INFO,
    ),
    Node(
        "SaveAnimatedWEBP",
        "Save Animated WEBP",
        "image",
        (
            image("images"),
            text("filename_prefix", "ComfyUI"),
            number("fps", 6.0, 0.01, 1000.0, step=0.01),
            flag("lossless", default=True),
            whole("quality", 80, 0, 100),
            combo("method", tuple(METHODS)),
        ),
        ("IMAGE",),
        _animate,
        output_names=("images",),
        module="comfy_extras.nodes_images",
        output_node=True,
        hidden=PNG_INFO,
        modern=True,
    ),
    Node(
        "SaveAnimatedPNG",
        "Save Animated PNG",
        "image",
        (
            image("images"),
            text("filename_prefix", "ComfyUI"),
            number("fps", 6.0, 0.01, 1000.0, step=0.01),
            whole("compress_level", 4, 0, 9),
        ),
        ("IMAGE",),
        _animate_png,
        output_names=("images",),
        module="comfy_extras.nodes_images",
        output_node=True,
        hidden=PNG_INFO,
        modern=True,
    ),
    Node(
        "SaveLatent",
        "Save Latent",
        "model/latent",
        (
            link("samples", "LATENT"),
            text("filename_prefix", "latents/ComfyUI", multiline=None),
        ),
        ("LATENT",),
        _save_latent,
        output_names=("samples",),
        output_node=True,
        hidden=PNG_INFO,
    ),
    Node(
        "SaveText",
        "Save Text",
        "text",
        (
            Input("text", "STRING", {"forceInput": True, "multiline": False}),
            text("filename_prefix", "ComfyUI"),
            combo("format", ("txt", "csv", "md", "json"), default="txt"),
        ),
        ("STRING",),
        _save_text,
        output_names=("text",),
        description="Saves text to a file in the output folder.",
        module="comfy_extras.nodes_text",
        output_node=True,
        hidden=PNG_INFO,
        modern=True,
        since="0.28.0",
    ),
)
