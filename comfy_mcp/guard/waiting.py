"""Waiting for a person's word: looks into the state that whoever decides writes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from comfy_mcp.store.asked import PENDING
from comfy_mcp.store.protocol import Store

__all__ = ["LOOK_SECONDS", "SAY_SECONDS", "Say", "until_decided"]

LOOK_SECONDS = 0.5
SAY_SECONDS = 5.0

Say = Callable[[str], Awaitable[None]]


async def until_decided(
    store: Store,
    approval_id: str,
    seconds: float,
    *,
    now_ms: Callable[[], int],
    say: Say,
) -> None:
    """Wait at most *seconds* until the request is not pending any more; *say* hears of the wait.

    Raises:
        StateError: the state cannot be read.
    """
    began = anyio.current_time()
    said = -SAY_SECONDS
    while (waited := anyio.current_time() - began) < seconds:
        if await store.approval_status(approval_id, now_ms()) != PENDING:
            return
        if waited - said >= SAY_SECONDS:
            said = waited
            await say(f"waiting for a person: {approval_id} ({waited:.0f} s)")
        await anyio.sleep(min(LOOK_SECONDS, max(0.0, seconds - waited)))
