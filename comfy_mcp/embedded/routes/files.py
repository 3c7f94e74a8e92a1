"""Files: /view shows what nodes made, /upload takes what they read."""

from __future__ import annotations

import asyncio
import io
import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from PIL import Image

from comfy_mcp.embedded.answers import FileAnswer
from comfy_mcp.embedded.paths import annotated, lexically
from comfy_mcp.embedded.uploads import store

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["channel_of", "routes"]

OLD_DANGERS = {
    "text/html",
    "text/html-sandboxed",
    "application/xhtml+xml",
    "text/javascript",
    "text/css",
}
DANGERS = OLD_DANGERS | {
    "application/javascript",
    "application/x-javascript",
    "application/ecmascript",
    "image/svg+xml",
    "application/xml",
    "text/xml",
    "message/rfc822",
}
PREVIEW_QUALITY = 90


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file."""
    handlers = _Files(engine)
    return [
        web.get("/view", handlers.view),
        web.post("/upload/image", handlers.upload),
        web.post("/upload/mask", handlers.upload_mask),
    ]


class _Refused(Exception):
    """The file is not given out; carries the status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Files:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def view(self, request: web.Request) -> web.StreamResponse:
        try:
            path = self._wanted(request)
        except _Refused as refused:
            return web.Response(status=refused.status)
        preview, channel = request.query.get("preview"), request.query.get("channel", "rgba")
        if preview is not None:
            body, kind = await asyncio.to_thread(_previewed, path, preview, channel)
        elif channel in {"rgb", "a"}:
            body, kind = await asyncio.to_thread(channel_of, path, channel), "image/png"
        else:
            return _plain(path, request, self._engine.profile)
        named = {"Content-Disposition": f'filename="{path.name}"'}
        return web.Response(body=body, content_type=kind, headers=named)

    def _wanted(self, request: web.Request) -> Path:
        query = request.query
        if "filename" not in query:
            raise _Refused(404)
        name, kind = annotated(query["filename"])
        if not name or name.startswith("/") or ".." in name:
            raise _Refused(400)
        base = self._engine.folders.of(kind or query.get("type", "output"))
        if base is None:
            raise _Refused(400)
        folder = lexically(base, query.get("subfolder", ""))
        if folder is None:
            raise _Refused(403)
        path = folder / Path(name).name
        if not path.is_file():
            raise _Refused(404)
        return path

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        return await asyncio.to_thread(store, self._engine.folders, form, None)

    async def upload_mask(self, request: web.Request) -> web.Response:
        form = await request.post()
        original = self._original(str(form.get("original_ref")))
        return await asyncio.to_thread(store, self._engine.folders, form, original)

    def _original(self, reference: str) -> Path:
        """The picture that a mask belongs to; a path without a file if there is none."""
        told = json.loads(reference)
        name, kind = annotated(told["filename"])
        base = self._engine.folders.of(kind or told.get("type", "output"))
        missing = self._engine.folders.temp / "missing"
        if base is None or not name or name.startswith("/") or ".." in name:
            return missing
        return lexically(base, told.get("subfolder", ""), name) or missing


def _previewed(path: Path, preview: str, channel: str) -> tuple[bytes, str]:
    asked = preview.split(";")
    kind = (
        asked[0]
        if asked[0] in {"webp", "jpeg"} and "a" not in channel.replace("rgba", "")
        else "webp"
    )
    quality = int(asked[-1]) if asked[-1].isdigit() else PREVIEW_QUALITY
    buffer = io.BytesIO()
    with Image.open(path) as picture:
        plain = kind == "jpeg" or channel == "rgb"
        (picture.convert("RGB") if plain else picture).save(buffer, kind, quality=quality)
    return buffer.getvalue(), f"image/{kind}"


def channel_of(path: Path, channel: str) -> bytes:
    """A picture as PNG without its alpha (*channel* "rgb"), or its alpha alone ("a")."""
    buffer = io.BytesIO()
    with Image.open(path) as picture:
        if channel == "rgb":
            picture.convert("RGB").save(buffer, "PNG")
            return buffer.getvalue()
        alpha = (
            picture.getchannel("A") if picture.mode == "RGBA" else Image.new("L", picture.size, 255)
        )
        shown = Image.new("RGBA", picture.size)
    shown.putalpha(alpha)
    shown.save(buffer, "PNG")
    return buffer.getvalue()


def _plain(path: Path, request: web.Request, profile: Profile) -> FileAnswer:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    escaped = path.name.replace("\\", "\\\\").replace('"', '\\"')
    headers = {"Content-Disposition": f'filename="{escaped}"', "Content-Type": kind}
    if not profile.guarded_files:
        if kind in OLD_DANGERS:
            headers["Content-Type"] = "application/octet-stream"
        return FileAnswer(path, headers=headers)
    headers["X-Content-Type-Options"] = "nosniff"
    if kind in DANGERS or kind.endswith(("+xml", "/xml")):
        headers |= {"Vary": "Sec-Fetch-Dest", "Cache-Control": "no-store"}
        harmless = kind == "image/svg+xml" and request.headers.get("Sec-Fetch-Dest") == "image"
        if not harmless:
            headers["Content-Type"] = "application/octet-stream"
            headers["Content-Disposition"] = f'attachment; filename="{escaped}"'
    return FileAnswer(path, headers=headers)
