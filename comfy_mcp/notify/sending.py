"""One notification over HTTP: tried again where that can help, never led elsewhere, never read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import aiohttp
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)
from yarl import URL

from comfy_mcp.errors import WebhookError
from comfy_mcp.notify.pace import Pace
from comfy_mcp.notify.signing import headers

__all__ = ["Sender"]

_READ_AHEAD = 512
"""Bytes; aiohttp stops reading from the network at twice as many."""


class Sender:
    """Sends with one session, as *pace* says; *sleep* waits so many seconds between attempts.

    Redirects are not followed, proxies of the environment are not used, cookies are not kept, and
    the body of an answer is not read.
    """

    def __init__(
        self, pace: Pace, *, now_ms: Callable[[], int], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._pace = pace
        self._now_ms = now_ms
        self._sleep = sleep
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=pace.attempt_s),
            connector=aiohttp.TCPConnector(force_close=True, limit=pace.at_once),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_AHEAD,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, url: str, body: bytes, key: bytes) -> None:
        """Deliver *body* to *url*, signed with *key*.

        Raises:
            WebhookError: every attempt failed, or another would fail the same.
        """
        pace = self._pace
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(pace.attempts) | stop_before_delay(pace.whole_s),
            wait=wait_exponential_jitter(
                pace.pause_s, max=pace.longest_pause_s, jitter=pace.pause_s
            ),
            sleep=self._sleep,
            reraise=True,
        ):
            with attempt:
                await self._once(url, body, key)

    async def _once(self, url: str, body: bytes, key: bytes) -> None:
        try:
            # As it is written: other spellings of a URL may be other secrets.
            answer = await self._session.post(
                URL(url, encoded=True),
                data=body,
                headers=headers(key, self._now_ms(), body),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Its words may have the URL in them.
            raise WebhookError(f"cannot be reached ({type(error).__name__})", again=True) from None
        answer.close()
        _judge(answer.status)


def _judge(status: int) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise WebhookError(f"answered {status}", again=True)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise WebhookError(f"answered {status}, and redirects are not followed")
    raise WebhookError(f"answered {status}")


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt could succeed."""
    return isinstance(error, WebhookError) and error.again
