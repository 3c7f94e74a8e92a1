"""A page of the audit trail, newest rows first, filtered; bounded in rows and in rows looked at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.oversight.trail import STRETCH, told
from comfy_mcp.quoting import bounded
from comfy_mcp.store.protocol import AuditRow, Store

__all__ = ["MOST", "Wanted", "page"]

MOST = 200
"""Rows on one page."""

MOST_READ = 20_000
"""Rows that are looked at for one page; the next one goes on from there."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: *q* is somewhere in them, whatever its case; the others say exactly that."""

    q: str = ""
    grant: str = ""
    tool: str = ""
    code: str = ""

    def has(self, row: AuditRow) -> bool:
        """Whether *row* is one."""
        record = row.record
        exact = (("grant", self.grant), ("tool", self.tool), ("code", self.code))
        if any(value and record.get(key) != value for key, value in exact):
            return False
        return not self.q or self.q.casefold() in _everything(row).casefold()


async def page(store: Store, wanted: Wanted, before: int | None, count: int) -> dict[str, Any]:
    """At most *count* rows with a number below *before*; *next* is where to go on, None: nowhere.

    Raises:
        StateError: the state cannot be read.
    """
    upper = (await store.head()).seq if before is None else before - 1
    found: list[AuditRow] = []
    read = 0
    while upper > 0 and len(found) < count and read < MOST_READ:
        lower = max(0, upper - STRETCH)
        rows = [row for row in await store.rows(lower, STRETCH) if row.seq <= upper]
        read += STRETCH
        upper = lower
        for row in reversed(rows):
            if wanted.has(row):
                found.append(row)
            if len(found) == count:
                upper = row.seq - 1
                break
        # A search through many rows must not keep others waiting.
        await asyncio.sleep(0)
    return {"rows": [_row(row) for row in found], "next": upper + 1 if upper > 0 else None}


def _row(row: AuditRow) -> dict[str, Any]:
    return {"seq": row.seq, "at_ms": row.at_ms, **told(row), "record": bounded(row.record)}


def _everything(row: AuditRow) -> str:
    return f"{row.seq} {' '.join(told(row).values())} {_json(row.record)}"


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, default=str)
