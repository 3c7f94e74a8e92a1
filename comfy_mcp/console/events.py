"""The page's stream of events: every new snapshot, and a sign of life in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from comfy_mcp.console.answers import HEADERS, Refusal
from comfy_mcp.console.board import Board
from comfy_mcp.console.routes import Ask
from comfy_mcp.console.sessions import Session, Sessions

__all__ = ["MOST", "Events"]

MOST = 20
"""Streams at a time."""

ALIVE_S = 15.0
WRITE_S = 30.0
"""A browser that takes nothing for so long is let go; it comes back by itself."""

ALIVE = b": still here\n\n"
BEGIN = b"retry: 1000\n\n"


class Events:
    """Streams of one board, each for as long as its session."""

    def __init__(self, board: Board, sessions: Sessions) -> None:
        self._board = board
        self._sessions = sessions

    async def stream(self, ask: Ask) -> web.StreamResponse:
        """Tell every snapshot until the session ends or the browser goes."""
        session = ask.signed_in
        if self._board.listeners >= MOST:
            raise Refusal(503, "The console is open too often.", "Close some of its pages.")
        answer = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await answer.prepare(ask.request)
        if ask.request.method == "HEAD":
            return answer
        bell = asyncio.Event()
        session.bells.add(bell)
        try:
            with self._board.listening(bell), suppress(TimeoutError, ConnectionError):
                await self._tell(answer, session, bell)
        finally:
            session.bells.discard(bell)
        answer.force_close()
        return answer

    async def _tell(
        self, answer: web.StreamResponse, session: Session, bell: asyncio.Event
    ) -> None:
        await _write(answer, BEGIN)
        told = -1
        while self._sessions.lasts(session):
            bell.clear()
            if self._board.version != told and self._board.text:
                told = self._board.version
                await _write(answer, b"event: state\ndata: " + self._board.text + b"\n\n")
                continue
            try:
                async with asyncio.timeout(ALIVE_S):
                    await bell.wait()
            except TimeoutError:
                await _write(answer, ALIVE)


async def _write(answer: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_S):
        await answer.write(data)
