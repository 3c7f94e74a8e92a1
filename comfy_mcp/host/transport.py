"""Requests to ComfyUI: one session, bounded time and size, repeated only where that is safe.

Every request uses the ``/api`` spelling: proxies and Comfy Cloud know no other. No ``Origin`` is
sent, since ComfyUI answers a foreign one with 403. Redirects are not followed: they could carry
credentials elsewhere.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential
from yarl import URL

from comfy_mcp.errors import HostError, HostUnreachable
from comfy_mcp.host.answers import refused
from comfy_mcp.host.cloud import is_loopback
from comfy_mcp.host.failures import not_comfyui, reading, unreachable
from comfy_mcp.host.public import PublicResolver
from comfy_mcp.settings import Address

__all__ = [
    "MAX_JSON",
    "Reply",
    "Timeouts",
    "Transport",
    "bounded",
    "readable",
]

Answer = TypeVar("Answer", bound=BaseModel)

_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

MAX_JSON = 64 * 1024 * 1024
"""A history entry repeats the whole graph and its outputs. What is larger is not read: making
objects of it would hold up everybody else for seconds and take a gigabyte."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, for an answer, and for the answer to a submit (it validates first).

    *known* is for all that one workflow's facts need to know of the host together. *breakdown* is
    how long a job is looked for whose submit was answered with 500; *view* is for a whole file.
    """

    connect: float = 5.0
    answer: float = 10.0
    submit: float = 60.0
    known: float = 10.0
    breakdown: float = 5.0
    view: float = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a whole body; none if it is *too_large*."""

    status: int
    body: bytes
    kind: str
    too_large: bool = False


class Transport:
    """One session with one ComfyUI; *lost* is called when nobody answers there any more."""

    def __init__(
        self,
        address: Address,
        *,
        timeouts: Timeouts,
        pause: float,
        lost: Callable[[], None],
        max_json: int = MAX_JSON,
    ) -> None:
        self._address = address
        self._max_json = max_json
        self._timeouts = timeouts
        self._pause = pause
        self._lost = lost
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def read(self, path: str, shape: type[Answer]) -> Answer:
        """GET *path* as *shape*."""
        return self.parse(path, await self.get(path), shape)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """GET *path*, whatever the status."""
        return await self.repeat("GET", path, None, params)

    async def order(self, path: str, body: Mapping[str, Any]) -> None:
        """POST what ComfyUI answers with an empty 200, whether it did anything or not."""
        reply = await self.repeat("POST", path, body)
        if reply.status != HTTPStatus.OK:
            raise self.strange(path, reply)

    async def repeat(
        self, method: str, path: str, body: Any, params: Mapping[str, str] | None = None
    ) -> Reply:
        """Send what does the same however often it is sent, up to three times if nobody answers.

        A time-out is not repeated: whoever waits has waited long enough.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(HostUnreachable),
            stop=stop_after_attempt(3),
            wait=wait_exponential(multiplier=self._pause, max=2),
            reraise=True,
        ):
            with attempt, reading(self._address.base):
                return await self.send(method, path, body, params=params)
        raise AssertionError  # the last attempt returns or raises

    async def send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        params: Mapping[str, str] | None = None,
        seconds: float | None = None,
        alone: bool = False,
    ) -> Reply:
        """Send once; what goes wrong then is aiohttp's error."""
        async with self.open(
            method, path, body, params=params, seconds=seconds, alone=alone
        ) as answer:
            content = await bounded(answer, self._max_json)
            return Reply(answer.status, content or b"", answer.content_type, content is None)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        api: bool = True,
        alone: bool = False,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One request; what went wrong before anything was sent is HostUnreachable.

        *body*: bytes or a form to hand over, or what becomes JSON. *api*: below /api, as almost
        everything.
        *alone*: over a connection of its own, that no earlier request can have worn out.
        """
        is_form = isinstance(body, aiohttp.FormData)
        kind = {} if body is None or is_form else {"Content-Type": "application/json"}
        data = body if body is None or is_form or isinstance(body, io.BytesIO) else _json(body)
        limits = aiohttp.ClientTimeout(
            total=seconds or self._timeouts.answer, sock_connect=self._timeouts.connect
        )
        try:
            async with self._opened(alone=alone).request(
                method,
                f"{self._address.base}{'/api' if api else ''}{path}",
                data=data,
                headers={**kind, **(headers or {})},
                params=params,
                timeout=limits,
                allow_redirects=False,
            ) as answer:
                yield answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._lost()
            raise await unreachable(self._address.base, error) from error

    @asynccontextmanager
    async def elsewhere(
        self, url: str, *, seconds: float
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """GET a whole address of somebody else, who gets none of our headers and no cookie.

        Only a host on this very machine may send us to this machine, or to a private network.
        """
        resolver = None if is_loopback(self._address.base) else PublicResolver()
        async with (
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(force_close=True, resolver=resolver),
            ) as session,
            session.get(
                # As it is: what is signed must not be written in another way.
                URL(url, encoded=True),
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=self._timeouts.connect),
                allow_redirects=False,
            ) as answer,
        ):
            yield answer

    def parse(self, path: str, reply: Reply, shape: type[Answer]) -> Answer:
        """A 200 as *shape*.

        Raises:
            NotComfyUI: it is none.
        """
        if reply.status != HTTPStatus.OK or reply.too_large:
            raise self.strange(path, reply)
        try:
            return readable(shape, reply.body)
        except ValidationError as error:
            raise self.strange(path, reply) from error

    def strange(self, path: str, reply: Reply) -> HostError:
        """The error for an answer that ComfyUI would not give."""
        if reply.too_large:
            why = f"more than {self._max_json} bytes"
            return not_comfyui(self._address.base, f"/api{path}", reply.status, why)
        return refused(self._address.base, f"/api{path}", reply.status, reply.kind, reply.body)

    def _opened(self, *, alone: bool) -> aiohttp.ClientSession:
        if alone not in self._sessions:
            self._sessions[alone] = aiohttp.ClientSession(
                headers=dict(self._address.headers),
                connector=aiohttp.TCPConnector(limit=32, force_close=alone),
            )
        return self._sessions[alone]


def _json(body: object) -> io.BytesIO:
    return io.BytesIO(json.dumps(body).encode())


def readable(shape: type[Answer], body: bytes) -> Answer:
    """*body* as *shape*, halves of characters that a node put out made whole.

    Python hosts write such halves as escapes, which are no valid JSON for a strict reader.

    Raises:
        ValidationError: it is none.
    """
    try:
        return shape.model_validate_json(body)
    except ValidationError:
        if not _HALF.search(body):
            raise
        return shape.model_validate_json(_HALF.sub(rb"\\ufffd", body))


async def bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Read a body of at most *limit* bytes; None if it is larger."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(1 << 16):
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)
