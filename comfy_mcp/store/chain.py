"""The audit chain as arithmetic: each row's hash covers the row before it and its own content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from comfy_mcp.errors import StateError

__all__ = ["GENESIS", "Kept", "Link", "Walk", "canonical", "check", "link", "missing", "step"]

GENESIS = "0" * 64
"""The previous hash of the first row."""

Kept = tuple[int, str]
"""Number and hash of a row as somebody wrote them down elsewhere; `(0, GENESIS)` is no row."""


@dataclass(frozen=True, slots=True)
class Link:
    """One row as it is kept: *record* is canonical JSON, *at_ms* a whole number as text."""

    seq: int
    at_ms: str
    previous: str
    hash: str
    record: str


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a chain was checked: *rows* are whole, the last has *hash*, *fault* is the first."""

    rows: int = 0
    hash: str = GENESIS
    fault: str | None = None
    done: bool = False


def canonical(values: Mapping[str, Any]) -> str:
    """The one JSON text of *values*: sorted keys, no spaces, ASCII.

    Raises:
        StateError: *values* are not JSON (NaN, an object of the program, a key that is no text).
    """
    try:
        return json.dumps(
            values,
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
            default=_plain,
        )
    except (TypeError, ValueError, RecursionError) as exc:
        raise StateError(
            f"A record cannot be written as JSON ({exc}), so nothing was done; "
            "please report this as a fault of comfy-mcp-guard."
        ) from exc


def link(previous: str, seq: int, at_ms: int | str, record: str) -> str:
    """The hash of a row, as hex: over *previous* and the canonical JSON of the row's content."""
    content = f'{previous}\n{{"at_ms":{at_ms},"record":{record},"seq":{seq}}}'
    return sha256(content.encode("utf-8", "surrogateescape")).hexdigest()


def check(row: Link, *, seq: int, previous: str) -> str | None:
    """What is wrong with *row*, which should be number *seq* and follow *previous*."""
    if row.seq > seq:
        return f"row {seq} is missing: row {row.seq} stands in its place"
    if row.seq < seq:
        return f"row {row.seq} does not belong to the log: row {seq} was expected"
    if row.previous != previous:
        return f"row {seq} does not follow the row before it"
    if row.hash != link(row.previous, row.seq, row.at_ms, row.record):
        return f"row {seq} was changed: its hash is not that of its content"
    return None


def step(walk: Walk, row: Link, kept: Kept | None = None) -> Walk:
    """*walk* after one more *row*; a walk that found a fault stays where it is."""
    if walk.fault is not None:
        return walk
    fault = check(row, seq=walk.rows + 1, previous=walk.hash)
    if fault is None and kept is not None and kept[0] == row.seq and kept[1] != row.hash:
        fault = f"row {row.seq} is not the one whose hash was kept"
    if fault is not None:
        return Walk(walk.rows, walk.hash, fault, done=True)
    return Walk(walk.rows + 1, row.hash)


def missing(walk: Walk, kept: Kept) -> str | None:
    """What is wrong with a whole chain that ends with *walk* if it never came by *kept*."""
    seq, hashed = kept
    if 0 < seq <= walk.rows or kept == (0, GENESIS):
        return None
    if seq > walk.rows:
        return f"row {walk.rows + 1} is missing: row {seq} was kept, and the log ends before it"
    return f"there never was a row {seq} with the hash {hashed[:80]}"


def _plain(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")
