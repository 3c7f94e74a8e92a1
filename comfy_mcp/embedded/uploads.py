"""Where an uploaded file goes, and under which name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from aiohttp import web
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfy_mcp.embedded.paths import lexically

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.web_request import FileField
    from multidict import MultiDictProxy

    from comfy_mcp.embedded.paths import Folders

    Form = MultiDictProxy[str | bytes | bytearray | FileField]

__all__ = ["store"]


def store(
    folders: Folders,
    form: MultiDictProxy[str | bytes | bytearray | FileField],
    original: Path | None,
) -> web.Response:
    """Keep the form's file; with *original*, as that picture with the upload's alpha.

    Raises:
        KeyError: there is no such type of folder, which ComfyUI answers with 500.
        TypeError: the file came as a plain field, likewise.
    """
    file, kind = form.get("image"), str(form.get("type", "input"))
    base = {"input": folders.input, "temp": folders.temp, "output": folders.output}[kind]
    if not file:
        return web.Response(status=400)
    if not isinstance(file, web.FileField):
        raise TypeError("the image is a plain field, not a file")
    subfolder = str(form.get("subfolder", ""))
    path = lexically(base, subfolder, file.filename) if file.filename else None
    if path is None:
        return web.Response(status=400)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = file.file.read()
    overwrite = form.get("overwrite") in {"true", "1"}
    path = path if overwrite else _free(path, content)
    if original is None:
        path.write_bytes(content)
    elif original.is_file():
        _masked(original, content, path)
    return web.json_response({"name": path.name, "subfolder": subfolder, "type": kind})


def _free(path: Path, content: bytes) -> Path:
    """*path*, or the next free `name (1).png`; a file with the same content counts as free."""
    found, number = path, 0
    while found.exists() and found.read_bytes() != content:
        number += 1
        found = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return found


def _masked(original: Path, mask: bytes, path: Path) -> None:
    chunks = PngInfo()
    with Image.open(original) as picture, Image.open(io.BytesIO(mask)) as upload:
        for key, value in getattr(picture, "text", {}).items():
            chunks.add_text(key, value)
        shown = picture.convert("RGBA")
        shown.putalpha(upload.convert("RGBA").getchannel("A"))
    shown.save(path, "PNG", compress_level=4, pnginfo=chunks)
