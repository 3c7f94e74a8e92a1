"""``tools/list_changed`` in both eras of the protocol.

Since 2026-07-28 a client listens on a stream of its own (`subscriptions/listen`), which the SDK
serves from a bus. Before that the server says it to every session that has shaken hands, and has
to promise at the handshake that it will: the SDK by itself promises the contrary.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ToolsListChanged

__all__ = ["Eras"]

log = logging.getLogger(__name__)

MOST = 256
"""Sessions that are remembered; the oldest is forgotten first."""

SECONDS = 5.0
"""How long one client may take to read the notification before the next change is looked for."""


class Eras:
    """Middleware that promises the notification and remembers whom to send it to."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._sessions: dict[object, ServerSession] = {}

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Let a message through; see the handshake for what it is."""
        result = await call_next(ctx)
        if ctx.method == "notifications/initialized":
            self._remember(ctx)
        if ctx.method == "initialize" and isinstance(result, dict):
            return _promising(result)
        return result

    async def tools_changed(self) -> None:
        """Tell every client that its list of tools is out of date.

        A session that is broken, or does not read, keeps nobody else from being told.
        """
        await self.bus.publish(ToolsListChanged())
        async with anyio.create_task_group() as group:
            for key, session in list(self._sessions.items()):
                group.start_soon(self._tell, key, session)

    def _remember(self, ctx: ServerRequestContext[Any, Any]) -> None:
        headers: Mapping[str, str] = getattr(ctx.request, "headers", None) or {}
        # Only HTTP names its sessions; on other transports a connection is one.
        self._sessions[headers.get("mcp-session-id") or object()] = ctx.session
        while len(self._sessions) > MOST:
            del self._sessions[next(iter(self._sessions))]

    async def _tell(self, key: object, session: ServerSession) -> None:
        try:
            with anyio.fail_after(SECONDS):
                await session.send_tool_list_changed()
        except TimeoutError:
            log.warning("A client does not read that its list of tools has changed.")
        except Exception:
            log.exception("A client could not be told that its list of tools has changed.")
            self._sessions.pop(key, None)


def _promising(result: dict[str, Any]) -> dict[str, Any]:
    """The answer to a handshake, with the promise that changes of the tools will be told."""
    capabilities: dict[str, Any] = result.get("capabilities") or {}
    tools: dict[str, Any] | None = capabilities.get("tools")
    if tools is None:
        return result
    promised = {**capabilities, "tools": {**tools, "listChanged": True}}
    return {**result, "capabilities": promised}
