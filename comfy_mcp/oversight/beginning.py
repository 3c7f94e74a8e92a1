"""How the words of an agent begin: what tells requests apart that are alike else."""

from __future__ import annotations

from collections.abc import Iterator

from comfy_mcp.oversight.object import literals
from comfy_mcp.oversight.values import items, mapping, objects
from comfy_mcp.quoting import Quoted, quote
from comfy_mcp.store.asked import QUESTION, ApprovalRow

__all__ = ["beginning"]


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


def _texts(row: ApprovalRow) -> Iterator[str]:
    given = mapping(mapping(row.payload.get("args")).get("params"))
    for name, value in mapping(row.facts.get("values")).items():
        # Once a request has ended its payload is forgotten, and with it whose a value was.
        is_theirs = name in given or not row.payload
        if isinstance(value, str) and is_theirs and name not in row.changes:
            yield value
    for name, value, _ in literals(row.payload):
        if isinstance(value, str) and name not in row.changes:
            yield value


def _told(row: ApprovalRow) -> Iterator[str]:
    models = mapping(mapping(row.facts.get("graph")).get("models"))
    yield from (str(one) for names in models.values() for one in items(names))
    yield from (str(one.get("name")) for one in objects(row.facts.get("inputs")))
