"""Many requests to people at once, for those who watch, inside one transaction."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from comfy_mcp.store import reading
from comfy_mcp.store.approvals import IN_FORCE
from comfy_mcp.store.arithmetic import nearest_rank
from comfy_mcp.store.asked import APPROVED, MOVES, PENDING, ApprovalRow, Figure
from comfy_mcp.store.journal import LARGEST
from comfy_mcp.store.reading import LISTED, STATUS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

__all__ = ["figures", "listed", "mark"]

_OF_ALL, _OF_ONE, _LIVE = (
    f"""
        SELECT {LISTED} {which}
        AND id < :before AND {STATUS} IN (SELECT value FROM json_each(:statuses))
        ORDER BY id DESC LIMIT :count
    """  # noqa: S608 - our own words
    for which in (
        "FROM approvals WHERE true",
        "FROM approvals WHERE owner = :owner",
        f"{IN_FORCE} AND (:owner IS NULL OR owner = :owner)",
    )
)
"""Three statements, so that each is answered from an index of its own."""

_MARK = f"""
    SELECT coalesce((SELECT max(told) FROM approvals), 0), count(*) {IN_FORCE}
"""  # noqa: S608 - our own words

_WENT = """
    SELECT owner, tool, decided_ms - created_ms,
        CASE WHEN status = 'pending' AND expires_ms <= :now_ms THEN 'expired' ELSE status END
    FROM approvals WHERE created_ms >= :since_ms ORDER BY owner, tool
"""
_ANSWERED = frozenset({"approved", "spent", "denied"})
_HALF = 50

_Went = tuple[int | None, str]


def listed(
    connection: sqlite3.Connection,
    now_ms: int,
    *,
    grant: str | None,
    statuses: frozenset[str] | None,
    before: int | None,
    count: int,
    payloads: bool,
) -> tuple[ApprovalRow, ...]:
    """At most *count* requests with one of *statuses*, newest first, *before* the row's number.

    Without *payloads* each has none, and none is read.
    """
    wanted = frozenset(MOVES) if statuses is None else statuses
    asked = {
        "now_ms": now_ms,
        "owner": grant,
        "before": LARGEST if before is None else before,
        "statuses": json.dumps(sorted(wanted)),
        "count": max(0, count),
        "payloads": payloads,
    }
    whose = _OF_ALL if grant is None else _OF_ONE
    query = _LIVE if wanted <= {PENDING, APPROVED} else whose
    return tuple(reading.listed(row) for row in connection.execute(query, asked))


def mark(connection: sqlite3.Connection, now_ms: int) -> tuple[int, int]:
    """The audit row of the last move, and how many requests may still move."""
    last, live = connection.execute(_MARK, {"now_ms": now_ms}).fetchone()
    return int(last), int(live)


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
