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

from comfy_mcp.errors import HostError, HostUnreachable
from comfy_mcp.host.failures import not_comfyui, reading, unreachable
from comfy_mcp.settings import Address

__all__ = ["Reply", "Timeouts", "Transport", "bounded", "readable"]

Answer = TypeVar("Answer", bound=BaseModel)

_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

MAX_JSON = 256 * 1024 * 1024
"""A history entry repeats the whole graph and its outputs; what is larger is refused."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, for an answer, and for the answer to a submit (it validates first).

    *known* is for all that one workflow's facts need to know of the host together.
    """

    connect: float = 5.0
    answer: float = 10.0
    submit: float = 60.0
    known: float = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a whole body."""

    status: int
    body: bytes
    kind: str


class Transport:
    """One session with one ComfyUI; *lost* is called when nobody answers there any more."""

    def __init__(
        self, address: Address, *, timeouts: Timeouts, pause: float, lost: Callable[[], None]
    ) -> None:
        self._address = address
        self._timeouts = timeouts
        self._pause = pause
        self._lost = lost
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

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
    ) -> Reply:
        """Send once; what goes wrong then is aiohttp's error."""
        async with self.open(method, path, body, params=params, seconds=seconds) as answer:
            content = await bounded(answer, MAX_JSON)
            if content is None:
                why = f"more than {MAX_JSON} bytes"
                raise not_comfyui(self._address.base, f"/api{path}", answer.status, why)
            return Reply(answer.status, content, answer.content_type)

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
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One request; what went wrong before anything was sent is HostUnreachable."""
        kind = {} if body is None else {"Content-Type": "application/json"}
        limits = aiohttp.ClientTimeout(
            total=seconds or self._timeouts.answer, sock_connect=self._timeouts.connect
        )
        try:
            async with self._opened().request(
                method,
                f"{self._address.base}/api{path}",
                data=None if body is None else io.BytesIO(json.dumps(body).encode()),
                headers={**kind, **(headers or {})},
                params=params,
                timeout=limits,
                allow_redirects=False,
            ) as answer:
                yield answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._lost()
            raise await unreachable(self._address.base, error) from error

    def parse(self, path: str, reply: Reply, shape: type[Answer]) -> Answer:
        """A 200 as *shape*.

        Raises:
            NotComfyUI: it is none.
        """
        if reply.status != HTTPStatus.OK:
            raise self.strange(path, reply)
        try:
            return readable(shape, reply.body)
        except ValidationError as error:
            raise self.strange(path, reply) from error

    def strange(self, path: str, reply: Reply) -> HostError:
        """The error for an answer that ComfyUI would not give."""
        why = f"with {reply.kind} where ComfyUI's JSON was expected"
        return not_comfyui(self._address.base, f"/api{path}", reply.status, why)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=dict(self._address.headers), connector=aiohttp.TCPConnector(limit=32)
            )
        return self._session


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
