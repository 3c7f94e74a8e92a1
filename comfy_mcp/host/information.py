"""What a ComfyUI says of its node classes, and what of that it said lately.

Asked class by class: the whole answer has megabytes. What cannot be had is left out, never guessed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from comfy_mcp.errors import HostError
from comfy_mcp.host.failures import reading
from comfy_mcp.host.node_info import UNCLEAR, Nodes, class_info, described
from comfy_mcp.host.transport import Transport, bounded
from comfy_mcp.workflow import ClassInfo

__all__ = ["Information"]

KEPT_MS = 60_000
"""Models come and go while ComfyUI runs."""

MOST_BYTES = 8 * 1024 * 1024
"""Of one class, or one folder's list; what is larger is not read."""

AT_ONCE = 4
MOST_CLASSES = 500
MOST_FOLDERS = 200
MOST_KEPT = 5_000
"""Classes: more than any ComfyUI has."""

_NOT_MODELS = frozenset({"custom_nodes", "datasets", "configs"})
"""Folders whose lists have every file there is, and no model that a node chooses from."""

_Names = TypeAdapter(list[str])
_Object = TypeAdapter(dict[str, Any])
_Value = TypeVar("_Value")
_Lists = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_Value]):
    """Something that was said at *at_ms*."""

    value: _Value
    at_ms: int


class _NotToBeHad(Exception):
    """The host answered with something else, or with too much."""


class Information:
    """Node classes and model lists of one host; nothing is asked before it is needed.

    *seconds* are for everything that one workflow needs to know together.
    """

    def __init__(
        self, wire: Transport, base: str, now_ms: Callable[[], int], *, seconds: float
    ) -> None:
        self._wire = wire
        self._base = base
        self._now_ms = now_ms
        self._seconds = seconds
        self._classes: dict[str, _Kept[ClassInfo]] = {}
        self._models: _Kept[_Lists] | None = None

    def forget(self) -> None:
        """What comes back may be another ComfyUI."""
        self._classes.clear()
        self._models = None

    async def classes(self, names: Collection[str]) -> dict[str, ClassInfo | None]:
        """What the host says of each class, None of one it does not have.

        A class of which nothing could be learnt in time is left out.
        """
        inquiry = _Inquiry(self)
        found: dict[str, ClassInfo | None] = {}

        async def put(name: str) -> None:
            with contextlib.suppress(HostError, _NotToBeHad, ValidationError):
                found[name] = self._lately(name) or await inquiry.ask(name)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await asyncio.gather(*map(put, sorted(names)[:MOST_CLASSES]))
        return found

    def _lately(self, name: str) -> ClassInfo | None:
        kept = self._classes.get(name)
        return kept.value if kept is not None and self._is_fresh(kept) else None

    def keep(self, name: str, info: ClassInfo) -> None:
        """Remember a class. One that the host lacks is not kept: it may be installed next."""
        if len(self._classes) >= MOST_KEPT:
            self._classes.clear()
        self._classes[name] = _Kept(info, self._now_ms())

    @property
    def models(self) -> _Lists | None:
        """The files of each model folder, as they were said lately."""
        kept = self._models
        return kept.value if kept is not None and self._is_fresh(kept) else None

    @models.setter
    def models(self, lists: _Lists) -> None:
        self._models = _Kept(lists, self._now_ms())

    async def get(self, path: str, *, without: bytes | None = None) -> bytes:
        """The body of an answer 200; *without* is that of a ComfyUI that has no such route.

        Raises:
            HostError: nobody answered.
            _NotToBeHad: another answer.
        """
        with reading(self._base):
            async with self._wire.open("GET", path, seconds=self._seconds) as answer:
                if answer.status == HTTPStatus.NOT_FOUND and without is not None:
                    return without
                body = await bounded(answer, MOST_BYTES)
                if answer.status != HTTPStatus.OK or body is None:
                    raise _NotToBeHad
                return body

    def _is_fresh(self, kept: _Kept[_Value]) -> bool:
        return 0 <= self._now_ms() - kept.at_ms < KEPT_MS


class _Inquiry:
    """The questions of one workflow: few at a time, and model lists at most once anew."""

    def __init__(self, information: Information) -> None:
        self._all = information
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._listing = asyncio.Lock()
        self._listed: _Lists | None = None
        self._replaced: Collection[str] | None = None

    async def ask(self, name: str) -> ClassInfo | None:
        body = await self._get(f"/object_info/{quote(name, safe='')}")
        nodes = Nodes.validate_json(body)
        if not nodes:
            if name in await self._replacements():
                # It would run as another class, with other inputs: nobody knows what that does.
                raise _NotToBeHad
            return None
        if name not in nodes:
            raise _NotToBeHad
        told = described(nodes[name])
        if told is None:
            raise _NotToBeHad
        info = class_info(told, {} if not told.files else self._all.models or {})
        if UNCLEAR in info.folders.values():
            # A model that came a moment ago is in the choices, but not in lists of a minute ago.
            info = class_info(told, await self._lists())
        self._all.keep(name, info)
        return info

    async def _replacements(self) -> Collection[str]:
        """Classes that ComfyUI itself turns into others when it lacks them."""
        async with self._listing:
            if self._replaced is None:
                body = await self._get("/node_replacements", without=b"{}")
                self._replaced = frozenset(_Object.validate_json(body))
            return self._replaced

    async def _lists(self) -> _Lists:
        async with self._listing:
            if self._listed is None:
                folders = _Names.validate_json(await self._get("/models"))
                wanted = [each for each in folders if each not in _NOT_MODELS][:MOST_FOLDERS]
                files = await asyncio.gather(*map(self._list, wanted))
                self._listed = dict(zip(wanted, files, strict=True))
                self._all.models = self._listed
            return self._listed

    async def _list(self, folder: str) -> frozenset[str]:
        try:
            body = await self._get(f"/models/{quote(folder, safe='')}")
            return frozenset(_Names.validate_json(body))
        except (_NotToBeHad, ValidationError):
            return frozenset()

    async def _get(self, path: str, *, without: bytes | None = None) -> bytes:
        async with self._asking:
            return await self._all.get(path, without=without)
