"""Audit rows that have left the state, proven again: pure arithmetic on exported rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from comfy_mcp.errors import StateError
from comfy_mcp.store.chain import GENESIS, Link, Walk, canonical, step
from comfy_mcp.store.protocol import AuditRow

__all__ = ["Checked", "begin", "check_lines", "go_on", "head_of"]

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")
_HASH = re.compile(r"[0-9a-f]{64}")

KEYS = {"seq", "at_ms", "previous", "hash", "record"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What an export holds: rows *first* to *last*, the last with *hash*; *fault* None: whole."""

    first: int = 0
    last: int = 0
    hash: str = GENESIS
    fault: str | None = None


def head_of(text: str) -> tuple[int, str]:
    """``SEQ:HASH`` as two values.

    Raises:
        ValueError: it is not written like that.
    """
    found = _HEAD.fullmatch(text.removeprefix("head ").strip())
    if found is None:
        raise ValueError("it must be SEQ:HASH, as audit export prints it")
    return int(found[1]), found[2]


def begin(row: AuditRow, after: int | None = None) -> Walk:
    """The walk that *row* may go on with; *after* is the number before it, if that is known.

    What stands before an export is not known, but a first row follows nothing.
    """
    before = row.seq - 1 if after is None else after
    return Walk(rows=before, hash=row.previous if before > 0 else GENESIS)


def go_on(walk: Walk, row: AuditRow) -> Walk:
    """*walk* after *row*; a fault stays."""
    try:
        record = canonical(row.record)
    except StateError:
        return replace(walk, fault=walk.fault or f"row {row.seq} is no JSON", done=True)
    return step(walk, Link(row.seq, str(row.at_ms), row.previous, row.hash, record))


def check_lines(lines: Iterable[str], head: tuple[int, str] | None = None) -> Checked:
    """Check an export, line by line; *head* has to be in it, or to be what it follows."""
    found, walk, proven = Checked(), Walk(), head is None
    for number, text in enumerate(lines, 1):
        row = _row(text)
        if row is None:
            return replace(found, fault=f"line {number} is no row of an audit log")
        if number == 1:
            walk = begin(row)
            found = replace(found, first=row.seq)
            proven = proven or head == (walk.rows, walk.hash)
        walk = go_on(walk, row)
        if walk.fault is not None:
            return replace(found, fault=walk.fault)
        proven = proven or head == (walk.rows, walk.hash)
        found = replace(found, last=walk.rows, hash=walk.hash)
    if head is not None and not proven:
        return replace(found, fault=_not_proven(head, found))
    return found


def _not_proven(head: tuple[int, str], found: Checked) -> str:
    if found.first - 1 <= head[0] <= found.last:
        return f"row {head[0]} is not the one whose hash was kept"
    return f"row {head[0]}, whose hash was kept, is not in it"


def _row(text: str) -> AuditRow | None:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or set(cast("dict[str, Any]", value)) != KEYS:
        return None
    row = cast("dict[str, Any]", value)
    sound = (
        all(type(row[key]) is int and row[key] >= 0 for key in ("seq", "at_ms"))
        and all(isinstance(row[key], str) for key in ("previous", "hash"))
        and all(_HASH.fullmatch(row[key]) for key in ("previous", "hash"))
        and isinstance(row["record"], Mapping)
    )
    return AuditRow(**row) if sound and row["seq"] > 0 else None
