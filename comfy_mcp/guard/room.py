"""Whether a call would fit into its limits, budgets and slots: looked at, and taken by others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from comfy_mcp.guard.admission import may_be_over
from comfy_mcp.store.protocol import Admission, Full, SlotCap, Store

__all__ = ["Reconcile", "holding", "too_full"]

Reconcile = Callable[[str], Awaitable[None]]
"""Looks which jobs of a grant have ended unnoticed, so that what they hold is free."""


async def too_full(store: Store, taken: Admission, reconcile: Reconcile) -> Full | None:
    """What leaves no room for *taken* at the moment; takes nothing.

    Raises:
        StateError: the state cannot be read.
    """
    full = await _peek(store, taken)
    if full is not None and may_be_over(full):
        await reconcile(taken.grant)
        full = await _peek(store, taken)
    return full


async def holding(store: Store, full: Full) -> tuple[str, ...]:
    """The caller's jobs that hold the slots."""
    if not isinstance(full.cause, SlotCap):
        return ()
    held = await store.unfinished(host=full.cause.host, grant=full.cause.grant)
    return tuple(row.prompt_id for row in held)


async def _peek(store: Store, taken: Admission) -> Full | None:
    for use in await store.peek(taken.now_ms, taken.charges, taken.slots):
        # For a slot nobody can tell how long it takes: it is full if no more fit.
        if use.retry_after_ms is None or use.retry_after_ms > 0:
            return Full(use.cause, use.used, use.retry_after_ms)
    return None
