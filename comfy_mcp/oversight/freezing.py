"""The freeze: every call is refused from the next one on, in all servers of this state."""

from __future__ import annotations

from typing import Any

from comfy_mcp.oversight.state import by_operator
from comfy_mcp.oversight.trail import moment
from comfy_mcp.store.protocol import EVERYBODY, Freeze, Store

__all__ = ["EVERYBODY", "as_object", "freeze", "in_words", "unfreeze"]


async def freeze(
    store: Store,
    now_ms: int,
    grant: str = EVERYBODY,
    *,
    keep_reads: bool = False,
    reason: str = "",
    **how: Any,
) -> None:
    """Freeze *grant* (or everybody), with the operator's audit record; *how* goes into that.

    Raises:
        StateError: the state cannot be written; nothing is frozen.
    """
    reason = reason.strip()
    record = by_operator("freeze", grant=grant, keep_reads=keep_reads, reason=reason, **how)
    await store.freeze(now_ms, Freeze(grant, reason, keep_reads), record)


async def unfreeze(store: Store, now_ms: int, grant: str = EVERYBODY, **how: Any) -> bool:
    """Take the freeze of exactly *grant* (or of everybody) back; False if there was none.

    Raises:
        StateError: the state cannot be written; what was frozen still is.
    """
    return await store.unfreeze(now_ms, grant, by_operator("unfreeze", grant=grant, **how))


def in_words(one: Freeze) -> str:
    """One freeze in a sentence."""
    who = "Everybody" if one.grant == EVERYBODY else one.grant
    what = "every change is refused, reads go on" if one.keep_reads else "every call is refused"
    why = f": {one.reason}" if one.reason else "."
    return f"{who} is frozen since {moment(one.at_ms)}, {what}{why}"


def as_object(one: Freeze) -> dict[str, Any]:
    """One freeze as JSON values."""
    return {
        "grant": one.grant,
        "reason": one.reason,
        "keep_reads": one.keep_reads,
        "at_ms": one.at_ms,
    }
