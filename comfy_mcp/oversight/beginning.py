"""How the words of an agent begin: what tells requests apart that are alike else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from comfy_mcp.errors import StateError
from comfy_mcp.oversight.object import literals
from comfy_mcp.oversight.values import items, mapping, objects
from comfy_mcp.quoting import Quoted, quote
from comfy_mcp.store.asked import APPROVED, PENDING, QUESTION, ApprovalRow
from comfy_mcp.store.protocol import Store

__all__ = ["beginning", "beginnings"]

LIVE = frozenset({PENDING, APPROVED})

MOST_READ = 20
"""Payloads that are read for one list."""


def beginning(row: ApprovalRow, most: int) -> str:
    """The start of the longest text that the agent wrote for a run, in quotation marks, or "".

    Usually its prompt: texts of several words come first, and names of models and files, which
    stand among the facts, not at all. A question is in the summary already.
    """
    if row.kind == QUESTION:
        return ""
    told = frozenset(_told(row))
    texts = [text for text in _texts(row) if text not in told]
    longest = max(texts, key=lambda text: (" " in text.strip(), len(text)), default="")
    quoted = quote(longest, most)
    if not quoted.text:
        return ""
    return Quoted(f"{quoted.text}..." if quoted.cut else quoted.text).in_marks


async def beginnings(
    store: Store, rows: Iterable[ApprovalRow], now_ms: int, most: int
) -> dict[str, str]:
    """`beginning` by the ids of *rows* that were read without their payloads.

    Only of the first runs that have not ended: a payload can be large, and those are read one by
    one. A request that cannot be read has none.
    """
    live = [row for row in rows if row.status in LIVE and "graph" in row.facts][:MOST_READ]
    found: dict[str, str] = {}
    for row in live:
        with suppress(StateError):
            whole = await store.approval(row.approval_id, now_ms)
            found[row.approval_id] = "" if whole is None else beginning(whole, most)
    return found


def _texts(row: ApprovalRow) -> Iterator[str]:
    given = mapping(mapping(row.payload.get("args")).get("params"))
    for name, value in mapping(row.facts.get("values")).items():
        if isinstance(value, str) and name in given and name not in row.changes:
            yield value
    for name, value, _ in literals(row.payload):
        if isinstance(value, str) and name not in row.changes:
            yield value


def _told(row: ApprovalRow) -> Iterator[str]:
    models = mapping(mapping(row.facts.get("graph")).get("models"))
    yield from (str(one) for names in models.values() for one in items(names))
    yield from (str(one.get("name")) for one in objects(row.facts.get("inputs")))
