"""The audit log as commands read and print it: in stretches, as JSON lines or as a table."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from comfy_mcp.oversight.values import mapping
from comfy_mcp.quoting import plain
from comfy_mcp.store.protocol import AuditRow, Store

__all__ = ["HEADINGS", "cells", "forwards", "last", "line", "moment", "told"]

STRETCH = 500
"""Rows that are held at once."""

HEADINGS = ("row", "time", "grant", "what", "about", "why")

SHORT = 8
"""Characters of a prompt_id that tell it from others."""


async def forwards(store: Store, after: int, end: int) -> AsyncGenerator[AuditRow]:
    """Every row with a number above *after* and up to *end*, in order."""
    while rows := await store.rows(after, STRETCH):
        for row in rows:
            if row.seq > end:
                return
            yield row
        after = rows[-1].seq


async def last(
    store: Store,
    count: int,
    wanted: Callable[[AuditRow], bool],
    *,
    before: int | None = None,
) -> list[AuditRow]:
    """The last *count* rows that are *wanted*, oldest first; it looks back as far as it has to.

    *before* is the number of a row: only older ones.
    """
    found: list[AuditRow] = []
    upper = (await store.head()).seq if before is None else before - 1
    while upper > 0 and len(found) < count:
        lower = max(0, upper - STRETCH)
        rows = await store.rows(lower, STRETCH)
        found = [row for row in rows if row.seq <= upper and wanted(row)] + found
        upper = lower
    return found[max(0, len(found) - count) :]


def line(row: AuditRow) -> str:
    """*row* as one line of JSON, in ASCII: what `audit verify FILE` reads."""
    values = {
        "seq": row.seq,
        "at_ms": row.at_ms,
        "previous": row.previous,
        "hash": row.hash,
        "record": row.record,
    }
    return json.dumps(values, separators=(",", ":"), default=dict)


def cells(row: AuditRow, *, date: bool = True) -> tuple[str, ...]:
    """*row* under `HEADINGS`, for a person."""
    record = row.record
    return (
        str(row.seq),
        moment(row.at_ms, date=date),
        _text(record, "grant"),
        _what(record),
        _about(record),
        _why(record),
    )


def told(row: AuditRow) -> dict[str, str]:
    """Who did what to what, and why: clean and short, for a page."""
    record = row.record
    said = {
        "grant": _text(record, "grant"),
        "what": _what(record),
        "about": _about(record),
        "why": _why(record),
    }
    return {key: plain(text) for key, text in said.items()}


def moment(at_ms: int, *, date: bool = True) -> str:
    """A time on this machine's clock; what is none, after somebody's edit, as it is."""
    try:
        local = datetime.fromtimestamp(at_ms / 1000).astimezone()
    except (OverflowError, ValueError, OSError, TypeError):
        return str(at_ms)
    return f"{local:%Y-%m-%d %H:%M:%S}" if date else f"{local:%H:%M:%S}"


def _what(record: Mapping[str, Any]) -> str:
    keys = ("decision", "outcome", "status", "action")
    told = " ".join(_text(record, key) for key in keys if key in record)
    code = _text(record, "code")
    more = f" ({code})" if code not in {"", "allowed"} else ""
    return f"{_text(record, 'kind')}: {told}{more}"


def _about(record: Mapping[str, Any]) -> str:
    job = _text(record, "prompt_id")[:SHORT]
    names = [_text(record, key) for key in ("tool", "workflow", "counter", "approval_id")]
    words = [*names, f"job {job}" if job else "", *_of_sweep(record)]
    return " ".join(word for word in words if word)


def _of_sweep(record: Mapping[str, Any]) -> Iterator[str]:
    """Which sweep a row is about: the whole, or one of its runs."""
    if sweep := _text(record, "sweep"):
        number, count = record.get("variant"), record.get("variants")
        run = f"run {number} of " if isinstance(number, int) else ""
        runs = f" with {count} runs" if isinstance(count, int) else ""
        yield f"{run}{sweep}{runs}"


def _why(record: Mapping[str, Any]) -> str:
    """The rule and the words of a refusal, who did it and why."""
    rule = "" if record.get("code") == "allowed" else _text(record, "rule")
    by = mapping(record.get("by"))
    user = _text(record, "user") or _text(by, "user") or _text(by, "channel")
    reason = _text(record, "reason")
    return " ".join(word for word in (rule, f"by {user}" if user else "", reason) if word)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return "" if value is None else str(value)
