"""Node classes as ComfyUI tells them: ``GET /object_info``, whole or class by class.

The whole answer has megabytes, and ComfyUI looks through all its model folders for it, so it is
asked for when ComfyUI is reached anew and seldom after that; a class by itself is kept for a
minute. However many ask at once, ComfyUI gets one request. What is kept has each text once: a list
of models stands in the answer as often as there are nodes that load one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeGuard, TypeVar, cast
from urllib.parse import quote

from comfy_mcp.errors import NotComfyUI
from comfy_mcp.host.failures import reading
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.piecewise import members
from comfy_mcp.host.transport import bounded
from comfy_mcp.workflow.schema import NodeSchema, Schemas, read_schema

__all__ = ["NodeClasses"]

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024 * 1024
"""Of the whole answer: one of a ComfyUI with many custom nodes and models has some megabytes."""

MOST_CLASS_BYTES = 8 * 1024 * 1024

SECONDS = 60.0
"""For an answer: ComfyUI looks through all its model folders for one."""

FRESH = 600.0
"""Seconds that the whole answer is used for without another look."""

STALE = 3_600.0
"""Seconds that it is still used for while another look is under way."""

KEPT = 60.0
"""Seconds that a class by itself is kept for: models come and go while ComfyUI runs."""

AT_ONCE = 4
MANY = 100
"""From so many classes on, the whole answer costs ComfyUI less than each by itself."""

MOST_KEPT = 2_000
LONGEST_NAME = 400

_UPLOADS = frozenset({"image_upload", "audio_upload", "video_upload", "file_upload"})
"""Options of an input whose choices are the files of the input folder."""

_NOWHERE = frozenset({"", ".", ".."})
"""Names that would make another path of the request."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_Value]):
    """Something that was told at *at*, seconds of the peer's clock."""

    value: _Value
    at: float


class NodeClasses:
    """The node classes of one ComfyUI; nothing is asked before it is needed."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._whole: _Kept[Schemas] | None = None
        self._single: dict[str, _Kept[NodeSchema]] = {}
        self._asked: dict[str, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._times_forgotten = 0

    def forget(self) -> None:
        """What comes back may be another ComfyUI."""
        self._times_forgotten += 1
        self._whole = None
        self._single.clear()
        self._asked.clear()

    async def close(self) -> None:
        """End what is being asked; those who wait for it are told by a cancellation."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def all(self) -> Schemas:
        """Every class; told at most ten minutes ago, or an hour while another look is under way.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        kept = self._whole
        if kept is None or self._age(kept) >= STALE:
            return await self._fresh()
        if self._age(kept) >= FRESH:
            self._asking("", self._read_whole)
        return kept.value

    async def some(self, names: Collection[str]) -> dict[str, NodeSchema]:
        """The classes of *names* that there are, as they were told within the last minute.

        One with an input that takes uploaded files is asked anew each time.

        Raises:
            HostError: nobody answers, or not in a way that can be read.
        """
        wanted = sorted({name for name in names if _may_be_asked(name)})
        if len(wanted) > MANY:
            kept = self._whole
            lately = kept is not None and self._age(kept) < KEPT
            whole = kept.value if kept is not None and lately else await self._fresh()
            return {name: whole[name] for name in wanted if name in whole}
        found = await asyncio.gather(*map(self._one, wanted))
        return {schema.class_type: schema for schema in found if schema is not None}

    async def _fresh(self) -> Schemas:
        return await asyncio.shield(self._asking("", self._read_whole))

    async def _one(self, name: str) -> NodeSchema | None:
        kept = self._single.get(name)
        if kept is not None and self._age(kept) < KEPT:
            return kept.value
        return await asyncio.shield(self._asking(name, lambda: self._read_class(name)))

    def _asking(
        self, name: str, ask: Callable[[], Coroutine[Any, Any, _Value]]
    ) -> asyncio.Task[_Value]:
        """The request about *name* ("": about all) that is under way, or one that begins now.

        It goes on if one of those who wait for it does not any more.
        """
        task = self._asked.get(name)
        if task is None:
            task = asyncio.create_task(ask())
            self._asked[name] = task
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._end(name, done))
        return cast("asyncio.Task[_Value]", task)

    def _end(self, name: str, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._asked.get(name) is task:
            del self._asked[name]
        if not task.cancelled() and task.exception() is not None:
            # Whoever waited for it was told; where nobody did, what is known goes on being used.
            log.debug("Node classes cannot be had: %s", task.exception())

    async def _read_whole(self) -> Schemas:
        before = self._times_forgotten
        path = "/object_info"
        body = await self._body(path, MOST_BYTES)
        schemas = await self._parsed(path, body)
        if not schemas:
            raise self._unreadable(path, "no node class at all")
        if before == self._times_forgotten:
            self._whole = _Kept(schemas, self._peer.clock())
        return schemas

    async def _read_class(self, name: str) -> NodeSchema | None:
        before = self._times_forgotten
        path = f"/object_info/{quote(name, safe='')}"
        async with self._turn:
            body = await self._body(path, MOST_CLASS_BYTES)
        schema = (await self._parsed(path, body)).get(name)
        # One that ComfyUI does not have may be there after its next start.
        if schema is not None and before == self._times_forgotten and not _takes_uploads(schema):
            self._keep(schema)
        return schema

    def _keep(self, schema: NodeSchema) -> None:
        if len(self._single) >= MOST_KEPT:
            self._single.clear()
        self._single[schema.class_type] = _Kept(schema, self._peer.clock())

    async def _body(self, path: str, limit: int) -> bytes:
        with reading(self._peer.base):
            async with self._peer.wire.open("GET", path, seconds=SECONDS) as answer:
                body = await bounded(answer, limit)
                if answer.status != HTTPStatus.OK or body is None:
                    why = f"HTTP {answer.status}" if body is not None else "too much to be read"
                    raise self._unreadable(path, why)
                return body

    async def _parsed(self, path: str, body: bytes) -> dict[str, NodeSchema]:
        try:
            return await asyncio.to_thread(_read, body)
        except (ValueError, RecursionError):
            raise self._unreadable(path, "no JSON object of node classes") from None

    def _unreadable(self, path: str, why: str) -> NotComfyUI:
        return NotComfyUI(
            f"{self._peer.base}{path[:200]} does not tell about nodes as ComfyUI does ({why}). Look"
            " at ComfyUI's own log, and whether COMFYUI_HOST is right."
        )

    def _age(self, kept: _Kept[Any]) -> float:
        return self._peer.clock() - kept.at


def _may_be_asked(name: str) -> bool:
    return name not in _NOWHERE and len(name) <= LONGEST_NAME


def _takes_uploads(schema: NodeSchema) -> bool:
    return any(not _UPLOADS.isdisjoint(spec.options) for spec in schema.every())


def _read(body: bytes) -> dict[str, NodeSchema]:
    """All classes of an answer; what is no class is left out."""
    text = body.decode()
    known: dict[str, str] = {}
    return {
        name: read_schema(name, _shared(info, known))
        for name, info in members(text)
        if _is_object(info)
    }


def _shared(info: Mapping[str, Any], known: dict[str, str]) -> Mapping[str, Any]:
    """*info* with each text among the choices being the one that *known* has, if it has it."""
    for specs in _objects(info.get("input")):
        for spec in specs.values():
            for part in spec if _is_list(spec) else ():
                choices = part.get("options") if _is_object(part) else part
                if _is_list(choices):
                    choices[:] = [
                        known.setdefault(each, each) if isinstance(each, str) else each
                        for each in choices
                    ]
    return info


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value.values() if _is_object(each)] if _is_object(value) else []


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
