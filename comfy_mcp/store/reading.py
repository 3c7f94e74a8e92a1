"""Requests to people as they are read: the columns, and rows of them as values.

Somebody may have edited the file: what a row holds is checked before anybody acts on it.
"""

from __future__ import annotations

import json
from types import NoneType
from typing import Any, cast

from comfy_mcp.errors import StateError
from comfy_mcp.store.asked import ApprovalRow

__all__ = ["COLUMNS", "LISTED", "STATUS", "listed", "of_row"]

STATUS = """
    CASE WHEN status IN ('pending', 'approved') AND expires_ms <= :now_ms
        THEN 'expired' ELSE status END
"""


def _columns(payload: str) -> str:
    return f"""
        approval_id, kind, owner, host, tool, matched, effect, policy, {payload}, facts, channel,
        client, {STATUS}, created_ms, expires_ms, decided_ms, ruling, decision_id, prompt_id, id
    """


COLUMNS = _columns("payload")

LISTED = _columns("CASE WHEN :payloads THEN payload ELSE '{}' END")
"""As `COLUMNS`; nothing of a payload is read unless it is wanted."""

_TEXT, _NUMBER = (str,), (int,)
_PAYLOAD, _FACTS, _RULING = 8, 9, 16
_KINDS: tuple[tuple[type, ...], ...] = (
    *(_TEXT,) * 11,
    (str, NoneType),
    _TEXT,
    *(_NUMBER,) * 2,
    (int, NoneType),
    *(_TEXT,) * 2,
    (str, NoneType),
    _NUMBER,
)
"""What stands in each of `COLUMNS`; the first is made of what does not."""


def of_row(row: tuple[Any, ...]) -> ApprovalRow:
    """A row of `COLUMNS` as a value.

    Raises:
        StateError: somebody edited it.
    """
    try:
        _check(row)
        payload, facts, ruling = (_object(row[at]) for at in (_PAYLOAD, _FACTS, _RULING))
        by, changes = (_mapping(ruling.get(name, {})) for name in ("by", "changes"))
        for change in changes.values():
            _, _ = _list(change)
    except (TypeError, ValueError, RecursionError) as exc:
        raise StateError(
            f"The request {row[0]} cannot be read any more: somebody edited it in the state. "
            "Keep the folder as evidence and put back a copy."
        ) from exc
    return _value(row, payload, facts, (by, str(ruling.get("reason", "")), changes))


def listed(row: tuple[Any, ...]) -> ApprovalRow:
    """A row of `LISTED` as a value; what cannot be read is told by its facts."""
    try:
        return of_row(row)
    except StateError:
        pairs = zip(row, _KINDS, strict=True)
        clean = tuple(value if isinstance(value, kinds) else kinds[0]() for value, kinds in pairs)
        return _value(clean, {}, {"unreadable": True}, ({}, "", {}))


def _value(
    row: tuple[Any, ...],
    payload: dict[str, Any],
    facts: dict[str, Any],
    said: tuple[dict[str, Any], str, dict[str, Any]],
) -> ApprovalRow:
    values: list[Any] = [*row[:8], payload, facts, *row[10:16], *said, *row[17:]]
    return ApprovalRow(*values)


def _object(text: str) -> dict[str, Any]:
    return _mapping(json.loads(text, parse_constant=_refused))


def _check(row: tuple[Any, ...]) -> None:
    for value, kinds in zip(row, _KINDS, strict=True):
        if not isinstance(value, kinds):
            raise TypeError(f"{value!r:.20} is of another kind")


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.20} is no object")
    return cast("dict[str, Any]", value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.20} is no list")
    return cast("list[object]", value)


def _refused(word: str) -> object:
    raise ValueError(f"{word} is no JSON")
