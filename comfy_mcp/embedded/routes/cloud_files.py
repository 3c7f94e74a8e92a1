"""Comfy Cloud's files: named by their content, and given out by a storage at another address.

GET /api/view answers 302 to an address that is signed and needs no key; whoever sends the key
there gives it away, which `Seen.keyed` shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from comfy_mcp.embedded.answers import FileAnswer
from comfy_mcp.embedded.credential import refused
from comfy_mcp.embedded.routes.files import channel_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_mcp.embedded.paths import Folders

__all__ = ["Storage", "routes"]

SIGNED = "/signed/"


class Storage:
    """The files of a host, by name alone, behind signed addresses."""

    def __init__(self, folders: Folders, secret: bytes) -> None:
        self._folders = folders
        self._secret = secret

    def routes(self) -> list[web.RouteDef]:
        """The routes of the other address."""
        return [web.get(SIGNED + "{name}", self.give)]

    def signed(self, path: Path) -> str:
        """Path and query under which the storage gives that file."""
        return f"{SIGNED}{quote(path.name)}?signature={self._signature(path.name)}"

    def find(self, name: str) -> Path | None:
        """The file of that name, whatever folder it is in."""
        if not name or Path(name).name != name:
            return None
        bases = (self._folders.output, self._folders.temp, self._folders.input)
        found = (each for base in bases for each in base.rglob("*") if each.name == name)
        return next((each for each in found if each.is_file()), None)

    async def give(self, request: web.Request) -> web.StreamResponse:
        """A file, for whoever has its signed address."""
        name = request.match_info["name"]
        told = request.query.get("signature", "")
        if not hmac.compare_digest(told.encode(), self._signature(name).encode()):
            return web.Response(status=403, text="<Error/>", content_type="application/xml")
        path = await asyncio.to_thread(self.find, name)
        return web.Response(status=404) if path is None else FileAnswer(path)

    def _signature(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()


def routes(folders: Folders, storage: Storage, address: Callable[[], str]) -> list[web.RouteDef]:
    """The routes of the cloud itself; *address*: where the storage listens."""

    async def view(request: web.Request) -> web.StreamResponse:
        name, channel = request.query.get("filename", ""), request.query.get("channel")
        if not name:
            return refused(HTTPStatus.BAD_REQUEST, "filename is required")
        path = await asyncio.to_thread(storage.find, name)
        if path is None:
            return refused(HTTPStatus.NOT_FOUND, "File not found")
        if channel in {"rgb", "a"}:
            body = await asyncio.to_thread(channel_of, path, channel)
            return web.Response(body=body, content_type="image/png")
        there = {"Location": address() + storage.signed(path)}
        return web.Response(status=HTTPStatus.FOUND, headers=there)

    async def upload(request: web.Request) -> web.Response:
        file = (await request.post()).get("image")
        if not isinstance(file, web.FileField):
            return refused(HTTPStatus.BAD_REQUEST, "No image file provided")
        content = file.file.read()
        name = hashlib.sha256(content).hexdigest() + Path(file.filename).suffix
        await asyncio.to_thread((folders.input / name).write_bytes, content)
        return web.json_response({"name": name, "subfolder": "", "type": "input"})

    return [web.get("/api/view", view), web.post("/api/upload/image", upload)]
