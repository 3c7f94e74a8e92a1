"""What the operator does on the page: say yes or no, freeze and let go on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import anyio
from aiohttp import web

from comfy_mcp.console.answers import Refusal, values
from comfy_mcp.console.parts import Parts, by
from comfy_mcp.console.routes import Ask, keys_of
from comfy_mcp.oversight import approvals, freezing
from comfy_mcp.oversight.judging import judge_by
from comfy_mcp.oversight.object import as_object
from comfy_mcp.store.protocol import EVERYBODY

__all__ = ["Decisions"]

MOST_REASON = 2_000
"""Characters."""

MOST_CHANGES = 100

GRANT = re.compile(r"[A-Za-z0-9_.-]{1,64}|\*")

CHANNEL = "console"


class Decisions:
    """Every effect that the console has, but for sign-ins; *did* is called after each."""

    def __init__(self, parts: Parts, did: Callable[[], None]) -> None:
        self._parts = parts
        self._did = did

    async def approve(self, ask: Ask) -> web.StreamResponse:
        """Yes, maybe with other parameters."""
        body = keys_of(ask.body, reason=str, changes=dict)
        changes: dict[str, object] = body.get("changes", {})
        if len(changes) > MOST_CHANGES:
            raise Refusal(400, f"More than {MOST_CHANGES} changes at once.", "Change less.")
        return await self._decide(ask, approve=True, reason=_reason(body), changes=changes)

    async def deny(self, ask: Ask) -> web.StreamResponse:
        """No."""
        body = keys_of(ask.body, reason=str)
        return await self._decide(ask, approve=False, reason=_reason(body), changes={})

    async def freeze(self, ask: Ask) -> web.StreamResponse:
        """Every call of somebody, or of everybody, is refused from the next one on."""
        body = keys_of(ask.body, grant=str, reason=str, keep_reads=bool)
        grant, reason = _grant(body), _reason(body)
        await self._parts.need_state()
        await freezing.freeze(
            self._parts.store,
            self._parts.now_ms(),
            grant,
            keep_reads=body.get("keep_reads", False),
            reason=reason,
            channel=CHANNEL,
        )
        self._did()
        return values({"message": f"{_who(grant)} is frozen."})

    async def unfreeze(self, ask: Ask) -> web.StreamResponse:
        """Let go on."""
        grant = _grant(keys_of(ask.body, grant=str))
        await self._parts.need_state()
        store, now_ms = self._parts.store, self._parts.now_ms()
        was = await freezing.unfreeze(store, now_ms, grant, channel=CHANNEL)
        self._did()
        if not was:
            raise Refusal(409, f"{_who(grant)} was not frozen.", "Look at what is frozen now.")
        return values({"message": f"{_who(grant)} may go on."})

    async def _decide(
        self, ask: Ask, *, approve: bool, reason: str, changes: dict[str, object]
    ) -> web.StreamResponse:
        parts = self._parts
        await parts.need_state()
        decided = await approvals.decide(
            parts.store,
            ask.parts["id"],
            approve=approve,
            by=by(),
            reason=reason,
            changes=changes,
            now_ms=parts.now_ms(),
            judge=judge_by(parts.judged_by),
        )
        self._did()
        told = None
        if decided.row is not None:
            # An agent may have written much.
            told = await anyio.to_thread.run_sync(as_object, decided.row, parts.now_ms())
        if not decided.ok:
            return values({"error": decided.message, "fix": None, "approval": told}, 409)
        return values({"message": decided.message, "approval": told})


def _reason(body: dict[str, Any]) -> str:
    reason: str = body.get("reason", "").strip()
    if len(reason) > MOST_REASON:
        raise Refusal(400, f"The reason has more than {MOST_REASON} characters.", "Say it shorter.")
    return reason


def _grant(body: dict[str, Any]) -> str:
    grant: str = body.get("grant", "")
    if not GRANT.fullmatch(grant):
        raise Refusal(400, "Say whom: a grant's name, or * for everybody.", "Choose one.")
    return grant


def _who(grant: str) -> str:
    return "Everybody" if grant == EVERYBODY else grant
