"""Workflows that ComfyUI keeps: its user's (`/userdata`), and templates that came with it.

Listings are kept for a moment, and everything is bounded: they come from folders that anybody may
have filled. A file is only fetched if ComfyUI lists it, under exactly the name that it lists.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeGuard
from urllib.parse import quote

from comfy_mcp.errors import NotComfyUI, WorkflowError
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.transport import bounded

__all__ = ["HostWorkflow", "HostWorkflows"]

KEPT_SECONDS = 10.0
"""How long a listing is believed: less than it takes to save a workflow and ask for it."""

MOST_LISTING = 8 * 1024 * 1024
"""Bytes; the index of ComfyUI's own templates has one megabyte."""

SECONDS = 5.0
"""For a listing: what is on disk is told without it."""

MOST_FILE = 4 * 1024 * 1024
MOST_ENTRIES = 5_000
MOST_TITLE = 200
MOST_TEXT = 400
"""Characters of a title and of a description that are kept."""

MOST_TAGS = 12
MOST_TAG = 60


@dataclass(frozen=True, slots=True)
class HostWorkflow:
    """One workflow that ComfyUI lists; *name* as `source_of` splits it, without its source."""

    name: str
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Listing:
    at: float
    found: dict[str, HostWorkflow]


class HostWorkflows:
    """The workflows of one ComfyUI."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._listed: dict[str, _Listing] = {}
        self._asking = asyncio.Lock()

    def forget(self) -> None:
        """What comes back may be another ComfyUI."""
        self._listed.clear()

    async def saved(self, *, fresh: bool = False) -> dict[str, HostWorkflow]:
        """What ComfyUI's user saved, by path without ".json"; *fresh*: as it is now.

        Raises:
            HostError: nobody answers.
        """
        return await self._kept("saved", self._saved, fresh=fresh)

    async def templates(self, *, fresh: bool = False) -> dict[str, HostWorkflow]:
        """What came with ComfyUI (NAME) and its custom node packs (PACK/NAME).

        Raises:
            HostError: nobody answers.
        """
        return await self._kept("templates", self._templates, fresh=fresh)

    async def read_saved(self, name: str) -> bytes:
        """The file of a saved workflow that is listed.

        Raises:
            WorkflowError: it is gone, or too big.
            HostError: nobody answers.
        """
        path = quote(f"workflows/{name}.json", safe="")
        return await self._file(f"host/{name}", f"/userdata/{path}")

    async def read_template(self, name: str) -> bytes:
        """The file of a template that is listed.

        Raises:
            WorkflowError: it is gone, or too big.
            HostError: nobody answers.
        """
        pack, slash, rest = name.partition("/")
        if slash:
            path = f"/workflow_templates/{quote(pack, safe='')}/{quote(rest, safe='')}.json"
            return await self._file(f"template/{name}", path)
        return await self._file(
            f"template/{name}", f"/templates/{quote(name, safe='')}.json", api=False
        )

    async def _kept(
        self, what: str, look: Callable[[], Awaitable[dict[str, HostWorkflow]]], *, fresh: bool
    ) -> dict[str, HostWorkflow]:
        async with self._asking:
            known = self._listed.get(what)
            now = self._peer.clock()
            if known is None or fresh or now - known.at > KEPT_SECONDS:
                known = self._listed[what] = _Listing(now, await look())
            return known.found

    async def _saved(self) -> dict[str, HostWorkflow]:
        query = {"dir": "workflows", "recurse": "true", "split": "false", "full_info": "false"}
        told = await self._json("/userdata", query)
        # Some tell more of each file than was asked for.
        paths = [_object(each).get("path", each) for each in _list(told)]
        files = [each for each in paths if isinstance(each, str) and each.endswith(".json")]
        names = sorted(path.removesuffix(".json") for path in files)
        return {name: HostWorkflow(name) for name in names[:MOST_ENTRIES]}

    async def _templates(self) -> dict[str, HostWorkflow]:
        index = await self._json("/templates/index.json", api=False)
        packs = await self._json("/workflow_templates")
        own = await asyncio.to_thread(lambda: dict(list(_of_index(index))[:MOST_ENTRIES]))
        others = dict(list(_of_packs(packs))[:MOST_ENTRIES])
        return own | others

    async def _json(
        self, path: str, query: dict[str, str] | None = None, *, api: bool = True
    ) -> object:
        """What ComfyUI lists there; None where it has no such route, or answers with a page."""
        with reading(self._peer.base):
            async with self._peer.wire.open(
                "GET", path, params=query, api=api, seconds=SECONDS
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    return None
                body = await bounded(answer, MOST_LISTING)
        if body is None:
            raise NotComfyUI(
                f"{self._peer.base}{path} lists more than {MOST_LISTING // 1024**2} MiB of"
                " workflows, which is not read. Look at what is in that folder."
            )
        try:
            return await asyncio.to_thread(json.loads, body)
        except (ValueError, RecursionError):
            return None

    async def _file(self, name: str, path: str, *, api: bool = True) -> bytes:
        with reading(self._peer.base):
            async with self._peer.wire.open("GET", path, api=api) as answer:
                if answer.status != HTTPStatus.OK:
                    raise WorkflowError(
                        f"ComfyUI lists {name} and does not hand it out (HTTP {answer.status})."
                        " list_workflows names what there is."
                    )
                body = await bounded(answer, MOST_FILE)
        if body is None:
            raise WorkflowError(f"{name} is bigger than {MOST_FILE // 1024**2} MiB.")
        return body


def _of_index(index: object) -> Iterator[tuple[str, HostWorkflow]]:
    """The templates that ``/templates/index.json`` names, category by category."""
    for category in _list(index):
        for each in _list(_object(category).get("templates")):
            told = _object(each)
            name = told.get("name")
            if isinstance(name, str) and "/" not in name:
                yield (
                    name,
                    HostWorkflow(
                        name,
                        title=_text(told.get("title"), MOST_TITLE),
                        description=_text(told.get("description"), MOST_TEXT),
                        tags=_tags(_object(category).get("title"), told),
                    ),
                )


def _tags(category: object, told: dict[str, Any]) -> tuple[str, ...]:
    words = [category, told.get("mediaType"), *_list(told.get("tags")), *_list(told.get("models"))]
    kept = (_text(word, MOST_TAG) for word in words)
    return tuple(dict.fromkeys(word for word in kept if word))[:MOST_TAGS]


def _of_packs(packs: object) -> Iterator[tuple[str, HostWorkflow]]:
    for pack, names in _object(packs).items():
        for name in _list(names):
            if isinstance(name, str):
                yield (
                    f"{pack}/{name}",
                    HostWorkflow(f"{pack}/{name}", tags=(_text(pack, MOST_TAG),)),
                )


def _text(value: object, most: int) -> str:
    """*value* in one line, without what a terminal or a log would obey."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 2 * most].split())
    return "".join(each for each in line if each.isprintable())[:most]


def _object(value: object) -> dict[str, Any]:
    return value if _is_object(value) else {}


def _list(value: object) -> list[Any]:
    return value if _is_list(value) else []


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
