"""Small pictures: of files that a run would read, and of what jobs put out."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

import anyio
from aiohttp import web

from comfy_mcp.console.answers import Refusal, data
from comfy_mcp.console.parts import Parts
from comfy_mcp.console.routes import Ask
from comfy_mcp.console.views import found
from comfy_mcp.errors import HostError, OutputError
from comfy_mcp.host import OutputFile
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.pictures import place_of
from comfy_mcp.jobs.record import files_of
from comfy_mcp.outputs import MAX_BYTES, describe, thumbnail, uri

__all__ = ["Pictures"]

SIDE = 512
"""Pixels of the longer side."""

KEPT = 64
"""Small pictures that are kept; each is less than 100 kB."""

AT_ONCE = 2
"""Whole files that are in memory at a time."""

JPEG = "image/jpeg"

CHANGED = "the file has changed since"


class Pictures:
    """Fetches files from ComfyUI and makes them small; keeps a few."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turns = anyio.CapacityLimiter(AT_ONCE)
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    async def input(self, ask: Ask) -> web.StreamResponse:
        """What a request would read, if it is still what it was when it was asked."""
        async with self._parts.turn:
            row = await found(self._parts, ask.parts["id"])
        name, digest = _input(row.facts, int(ask.parts["n"]))
        host = self._host()
        if row.host != self._parts.label:
            raise _none("The request is for another ComfyUI than the one that is shown here.")
        place = place_of(name)
        if place is None:
            raise _none("Its name may mean more than one file.")
        file = OutputFile("", "", place["filename"], place.get("subfolder", ""), place["type"])
        async with self._turns:
            content = await _fetched(host, file)
            summed = await anyio.to_thread.run_sync(lambda: hashlib.sha256(content).hexdigest())
            if summed != digest:
                raise Refusal(409, CHANGED, "Deny it, and have the agent ask again.")
            return data(await self._small(("input", digest), content), JPEG)

    async def output(self, ask: Ask) -> web.StreamResponse:
        """What a job put out."""
        prompt_id, number = ask.parts["id"], int(ask.parts["n"])
        await self._parts.need_state()
        row = await self._parts.store.job(prompt_id)
        files = files_of(row.result) if row and row.host == self._parts.label else ()
        if number >= len(files):
            raise _none("The job has no such output.")
        host, file = self._host(), files[number]
        key = ("output", prompt_id, number)
        if (kept := self._kept.get(key)) is not None:
            return data(kept, JPEG)
        if file.text is not None or describe(uri(prompt_id, number), file, host).kind != "image":
            raise _none("It is no picture.")
        async with self._turns:
            return data(await self._small(key, await _fetched(host, file)), JPEG)

    async def _small(self, key: tuple[object, ...], content: bytes) -> bytes:
        if key not in self._kept:
            try:
                jpeg, _ = await anyio.to_thread.run_sync(thumbnail, content, SIDE)
            except OutputError as error:
                raise _none(str(error)) from error
            self._kept[key] = jpeg
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _host(self) -> ComfyHost:
        if self._parts.host is None:
            raise _none("ComfyUI is inside the server, where nobody else can look.")
        return self._parts.host


async def _fetched(host: ComfyHost, file: OutputFile) -> bytes:
    try:
        return await host.view(file, limit=MAX_BYTES)
    except OutputError as error:
        raise _none(str(error)) from error
    except HostError as error:
        raise Refusal(502, str(error), "Start ComfyUI, and try again.") from error


def _input(facts: Mapping[str, Any], number: int) -> tuple[str, str]:
    """Name and digest of the *number*-th file that a request reads."""
    inputs: object = facts.get("inputs")
    several = cast("list[object]", inputs) if isinstance(inputs, list) else []
    one = several[number] if number < len(several) else None
    if not isinstance(one, Mapping):
        raise _none("The request reads no such file.")
    told = cast("Mapping[str, object]", one)
    name, digest = told.get("name"), told.get("sha256")
    if told.get("picture") is False or not isinstance(name, str) or not isinstance(digest, str):
        raise _none("It is no picture.")
    return name, digest


def _none(why: str) -> Refusal:
    return Refusal(404, f"There is no picture to show. {why}")
