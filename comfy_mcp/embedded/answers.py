"""What handlers share: a path without its prefix, a file as an answer, no answer at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileAnswer", "bare", "hang_up"]


class FileAnswer(web.FileResponse):
    """A file as an answer, that can be asked which one."""

    def __init__(self, path: Path, **more: Any) -> None:
        super().__init__(path, **more)
        self.path = path


def bare(path: str) -> str:
    """A request's path without the /api prefix."""
    return path.removeprefix("/api") if path.startswith("/api/") else path


def hang_up(request: web.Request) -> web.StreamResponse:
    """Drop the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
