"""The folders that a client declares (``roots/list``), for operators who let them count.

A client's word is worth what the client is: an agent that can change its client's configuration
declares what it likes. So they count only where the operator says `client` among the input roots.
The SDK asks in either era of the protocol; which one it is makes no difference here.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from mcp.server.mcpserver import Context, ListRoots, Resolve
from mcp.types import ListRootsResult

from comfy_mcp.inputs import is_path
from comfy_mcp.tools.app import App

__all__ = ["MOST", "ROOTS", "declared", "folders_of"]

ROOTS = "roots"
"""What the hidden argument is called."""

MOST = 20
"""Folders of one client that count."""

USES = "upload_input"


def declared(app: App, tool: str) -> list[inspect.Parameter]:
    """The hidden argument of *tool* that the client's folders come in, if it is to have one."""
    if tool != USES or not app.settings.client_roots:
        return []

    async def roots(source: str, ctx: Context[Any, Any]) -> ListRootsResult | ListRoots:
        known = ctx.client_capabilities
        able = known is not None and known.roots is not None
        return ListRoots() if able and is_path(source) else ListRootsResult(roots=[])

    annotation = Annotated[ListRootsResult, Resolve(roots)]
    return [inspect.Parameter(ROOTS, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)]


def folders_of(told: ListRootsResult | None) -> tuple[Path, ...]:
    """The folders of this machine among a client's roots; others mean nothing here."""
    if told is None:
        return ()
    found = (_folder(str(root.uri)) for root in told.roots[:MOST])
    return tuple(one for one in found if one is not None)


def _folder(uri: str) -> Path | None:
    try:
        parts = urlsplit(uri)
        path = Path(url2pathname(parts.path))
    except ValueError:
        return None
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    plain = path.is_absolute() and ".." not in path.parts and "\0" not in unquote(parts.path)
    # The whole disk is no folder that somebody works in.
    return path if local and plain and path != Path(path.anchor) else None
