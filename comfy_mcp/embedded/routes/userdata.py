"""What a user keeps on the host: /userdata. Saved workflows of the editor are in workflows/.

A file is one segment of the address, so a slash in its path is written %2F.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfy_mcp.embedded.answers import FileAnswer
from comfy_mcp.embedded.paths import lexically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_mcp.embedded.engine import Engine

__all__ = ["routes"]


def routes(engine: Engine) -> list[web.RouteDef]:
    """The routes of this file."""
    handlers = _UserData(engine)
    found = [
        web.get("/userdata", handlers.list),
        web.get("/userdata/{file}", handlers.give),
        web.post("/userdata/{file}", handlers.keep),
        web.delete("/userdata/{file}", handlers.remove),
        web.post("/userdata/{file}/move/{dest}", handlers.move),
    ]
    return [*found, web.get("/v2/userdata", handlers.tree)]


class _Refused(Exception):
    """Carries the status, and the words if there are any."""

    def __init__(self, status: HTTPStatus, text: str = "") -> None:
        super().__init__(text)
        self.answer = web.Response(status=status, text=text or None)


class _UserData:
    def __init__(self, engine: Engine) -> None:
        self._root = engine.folders.user
        self._milliseconds = engine.profile.since("0.3.67")
        self._guarded = engine.profile.guarded_files

    async def list(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            folder = self._folder(query.get("dir", ""))
        except _Refused as refused:
            return refused.answer
        files = await asyncio.to_thread(_files, folder, deep=_told(query, "recurse"))
        if _told(query, "full_info"):
            return web.json_response([self._info(each, folder) for each in files])
        names = [each.relative_to(folder).as_posix() for each in files]
        if _told(query, "split"):
            return web.json_response([[name, *name.split("/")] for name in names])
        return web.json_response(names)

    def _folder(self, name: str) -> Path:
        if not name:
            raise _Refused(HTTPStatus.BAD_REQUEST, "Directory not provided")
        folder = lexically(self._root, name)
        if folder is None:
            raise _Refused(HTTPStatus.FORBIDDEN, "Invalid directory")
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            raise _Refused(HTTPStatus.NOT_FOUND, "Directory not found")
        return folder

    async def tree(self, request: web.Request) -> web.Response:
        target = lexically(self._root, request.query.get("path", ""))
        if target is None:
            return web.Response(status=400, text="Invalid path requested")
        if not target.exists() and target == self._root:
            return web.json_response([])
        if not target.exists():
            return web.Response(status=404, text="Requested path not found")
        if not target.is_dir():
            return web.Response(status=400, text="Requested path is not a directory")
        told = [_told_of(each, self._root) for each in sorted(target.rglob("*"))]
        told.sort(key=lambda each: (each["type"] != "directory", each["name"].lower()))
        return web.json_response(told)

    async def give(self, request: web.Request) -> web.StreamResponse:
        try:
            path = self._path(request, "file", there=True)
        except _Refused as refused:
            return refused.answer
        if not self._guarded:
            return FileAnswer(path)
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return FileAnswer(path, headers=headers)

    async def keep(self, request: web.Request) -> web.Response:
        try:
            path = self._path(request, "file")
            _spare(path, request.query)
        except _Refused as refused:
            return refused.answer
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(await request.read())
        return self._kept(path, request.query)

    async def remove(self, request: web.Request) -> web.Response:
        try:
            self._path(request, "file", there=True).unlink()
        except _Refused as refused:
            return refused.answer
        return web.Response(status=204)

    async def move(self, request: web.Request) -> web.Response:
        try:
            source = self._path(request, "file", there=True)
            target = self._path(request, "dest")
            _spare(target, request.query)
        except _Refused as refused:
            return refused.answer
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        return self._kept(target, request.query)

    def _path(self, request: web.Request, name: str, *, there: bool = False) -> Path:
        path = lexically(self._root, request.match_info[name])
        if path is None:
            raise _Refused(HTTPStatus.FORBIDDEN)
        if there and not path.exists():
            raise _Refused(HTTPStatus.NOT_FOUND)
        return path

    def _kept(self, path: Path, query: Mapping[str, str]) -> web.Response:
        if _told(query, "full_info"):
            return web.json_response(self._info(path, self._root))
        return web.json_response(path.relative_to(self._root).as_posix())

    def _info(self, path: Path, base: Path) -> dict[str, Any]:
        """Times are whole milliseconds, in older versions seconds."""
        stat = path.stat()
        times = {"modified": stat.st_mtime, "created": stat.st_ctime}
        if self._milliseconds:
            times = {name: int(seconds * 1000) for name, seconds in times.items()}
        return {"path": path.relative_to(base).as_posix(), "size": stat.st_size, **times}


def _told(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() == "true"


def _spare(path: Path, query: Mapping[str, str]) -> None:
    if query.get("overwrite", "true") == "false" and path.exists():
        raise _Refused(HTTPStatus.CONFLICT, "File already exists")


def _files(folder: Path, *, deep: bool) -> list[Path]:
    found = folder.rglob("*") if deep else folder.glob("*")
    shown = (each for each in found if not each.name.startswith("."))
    return [each for each in shown if each.is_file()]


def _told_of(path: Path, root: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"name": path.name, "path": path.relative_to(root).as_posix()}
    if path.is_dir():
        return told | {"type": "directory"}
    stat = path.stat()
    return told | {"type": "file", "size": stat.st_size, "modified": stat.st_mtime}
