"""How requests to people went, by grant and tool, inside one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from comfy_mcp.store.arithmetic import nearest_rank
from comfy_mcp.store.asked import Figure

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = ["figures"]

_WENT = """
    SELECT owner, tool, decided_ms - created_ms,
        CASE WHEN status = 'pending' AND expires_ms <= :now_ms THEN 'expired' ELSE status END
    FROM approvals WHERE created_ms >= :since_ms ORDER BY owner, tool
"""
_ANSWERED = frozenset({"approved", "spent", "denied"})
_HALF = 50

_Went = tuple[int | None, str]


def figures(connection: sqlite3.Connection, now_ms: int, since_ms: int) -> tuple[Figure, ...]:
    """How requests made from *since_ms* on went, by grant and tool."""
    groups: dict[tuple[str, str], list[_Went]] = defaultdict(list)
    asked = {"now_ms": now_ms, "since_ms": since_ms}
    for grant, tool, took_ms, status in connection.execute(_WENT, asked):
        groups[grant, tool].append((took_ms, status))
    return tuple(_figure(grant, tool, went) for (grant, tool), went in groups.items())


def _figure(grant: str, tool: str, went: Iterable[_Went]) -> Figure:
    went = tuple(went)
    ends = Counter(status for _, status in went)
    times = [took for took, status in went if took is not None and status in _ANSWERED]
    return Figure(
        grant,
        tool,
        asked=len(went),
        approved=ends["approved"] + ends["spent"],
        denied=ends["denied"],
        expired=ends["expired"],
        cancelled=ends["cancelled"],
        pending=ends["pending"],
        spent=ends["spent"],
        median_ms=nearest_rank(times, _HALF),
    )
