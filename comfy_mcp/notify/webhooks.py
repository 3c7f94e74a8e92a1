"""Webhooks hear of every new request to a person, in the background."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import anyio

from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.notify.message import body
from comfy_mcp.notify.pace import Pace
from comfy_mcp.store.asked import ApprovalRow

if TYPE_CHECKING:
    from comfy_mcp.notify.sending import Sender

__all__ = ["Webhooks"]

log = logging.getLogger(__name__)

_MINUTE_MS = 60_000


class _Letter(NamedTuple):
    """A request that *url* is to be told of. Who knows the URL may write there: no log has it."""

    url: str
    row: ApprovalRow

    @property
    def words(self) -> str:
        return f"{self.row.approval_id} (to {urlsplit(self.url).hostname})"


class Webhooks:
    """Tells all *urls* (asked anew for each request) of requests to people.

    *key* reads, or makes, what notifications are signed with; it may use the disk. *command* makes
    the shell command that shows a request to the operator; *sleep* waits so many seconds.
    """

    def __init__(
        self,
        urls: Callable[[], tuple[str, ...]],
        key: Callable[[], bytes],
        *,
        now_ms: Callable[[], int],
        command: Callable[[str], str],
        pace: Pace | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._urls = urls
        self._key = key
        self._now_ms = now_ms
        self._command = command
        self._pace = pace or Pace()
        self._sleep = sleep
        self._waiting: asyncio.Queue[_Letter] = asyncio.Queue(self._pace.waiting)
        self._told_ms: deque[int] = deque(maxlen=self._pace.a_minute)
        self._workers: list[asyncio.Task[None]] = []
        self._sender: Sender | None = None
        self._opening = asyncio.Lock()
        self._dropping = False
        self._closed = False

    def tell(self, row: ApprovalRow) -> None:
        """Have the webhooks told of *row*, some time; never waits or fails. Needs an event loop."""
        if self._closed:
            return
        try:
            urls = self._urls()
        except ComfyMCPError as error:
            log.warning("No webhook is told of %s: %s", row.approval_id, error)
            return
        if urls and self._takes_another(len(urls)):
            for url in urls:
                self._waiting.put_nowait(_Letter(url, row))
            self._begin()

    async def close(self) -> None:
        """Let what is under way come to its end, for a moment; what still waits then is dropped."""
        self._closed = True
        with anyio.move_on_after(self._pace.last_s):
            await self._waiting.join()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._waiting.qsize():
            log.warning("%d notifications of webhooks were not sent.", self._waiting.qsize())
        if self._sender is not None:
            await self._sender.close()

    def _takes_another(self, letters: int) -> bool:
        """There is room for one more; the first time that there is none, a line says so."""
        now_ms, told = self._now_ms(), self._told_ms
        room = self._waiting.qsize() + letters <= self._pace.waiting
        often = len(told) == told.maxlen and 0 <= now_ms - told[0] < _MINUTE_MS
        if room and not often:
            told.append(now_ms)
            self._dropping = False
            return True
        if not self._dropping:
            log.warning("Too many requests to people: some are not told to webhooks.")
        self._dropping = True
        return False

    def _begin(self) -> None:
        if not self._workers:
            self._workers = [asyncio.create_task(self._work()) for _ in range(self._pace.at_once)]

    async def _work(self) -> None:
        while True:
            letter = await self._waiting.get()
            try:
                await self._deliver(letter)
            except ComfyMCPError as error:
                log.warning("A webhook was not told of %s: %s", letter.words, error)
            except Exception as error:  # noqa: BLE001 - one notification must not end all others
                log.error("A webhook was not told of %s: %r", letter.words, type(error))  # noqa: TRY400 - a traceback could tell the URL
            finally:
                self._waiting.task_done()

    async def _deliver(self, letter: _Letter) -> None:
        """Tell one webhook of one request, unless nobody can answer it any more.

        Raises:
            WebhookError: it did not take it.
            StateError: there is no key to sign with.
        """
        if self._now_ms() >= letter.row.expires_ms:
            return
        sender = await self._open()
        key = await anyio.to_thread.run_sync(self._key)
        text = body(letter.row, self._command(letter.row.approval_id))
        await sender.send(letter.url, text, key)
        log.info("A webhook was told of %s.", letter.words)

    async def _open(self) -> Sender:
        """What sends; the HTTP client is loaded when it is first needed, off the event loop."""
        async with self._opening:
            if self._sender is None:
                module: Any = await anyio.to_thread.run_sync(
                    import_module, "comfy_mcp.notify.sending"
                )
                made: Sender = module.Sender(self._pace, now_ms=self._now_ms, sleep=self._sleep)
                self._sender = made
            return self._sender
