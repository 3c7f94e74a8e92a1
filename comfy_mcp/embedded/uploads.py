"""Where an uploaded file goes, and under which name."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from PIL import Image
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_mcp.embedded.paths import Folders

__all__ = ["store"]


def store(
    folders: Folders, form: Mapping[str, str | web.FileField | bytearray], original: Path | None
) -> web.Response:
    """Keep the form's file; with *original*, as that picture with the upload's alpha.

    Raises:
        KeyError: there is no such type of folder, which ComfyUI answers with 500.
        AttributeError: the file came as a plain field, likewise.
    """
    file, kind = form.get("image"), str(form.get("type", "input"))
    base = {"input": folders.input, "temp": folders.temp, "output": folders.output}[kind]
    if not file:
        return web.Response(status=400)
    if not isinstance(file, web.FileField):
        raise AttributeError("the image is a plain field, not a file")
    subfolder = str(form.get("subfolder", ""))
    folder = Path(os.path.abspath(base / os.path.normpath(subfolder)))
    if not file.filename or not _below(base, folder / file.filename):
        return web.Response(status=400)
    folder.mkdir(parents=True, exist_ok=True)
    content = file.file.read()
    overwrite = form.get("overwrite") in {"true", "1"}
    path = folder / file.filename if overwrite else _free(folder / file.filename, content)
    if original is None:
        path.write_bytes(content)
    elif original.is_file():
        _masked(original, content, path)
    return web.json_response({"name": path.name, "subfolder": subfolder, "type": kind})


def _below(base: Path, path: Path) -> bool:
    return os.path.commonpath((base, os.path.abspath(path))) == str(base)


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
