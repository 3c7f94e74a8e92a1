"""What a webhook is told of a request: names and numbers that this server knows, and nothing else.

Nothing that an agent wrote is in it, and nothing that decides: an id lets nobody say yes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from comfy_mcp.store.asked import QUESTION, ApprovalRow

__all__ = ["body"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_NUMBERS = {
    "nodes": ("node", "nodes"),
    "steps": ("step", "steps"),
    "megapixels": ("megapixel", "megapixels"),
    "batch": ("", "pictures at once"),
    "frames": ("", "frames"),
}
"""What is told of a graph, as one and as many; one picture of one frame goes without saying."""

_MOST = 10**12


def body(row: ApprovalRow, command: str) -> bytes:
    """The JSON that is sent; *command* shows the request to the operator."""
    grant, tool = _name(row.grant), _name(row.tool)
    what = tool if row.kind != QUESTION else "a question"
    title = f"{grant} asks for approval: {what}"
    summary = _summary(row)
    told = {
        "event": "approval_requested",
        "approval_id": _name(row.approval_id),
        "grant": grant,
        "tool": tool,
        "workflow": _workflow(row.facts),
        "title": title,
        "summary": summary,
        "text": f"{title}\n{summary}\n{command}",
        "created_at": _time(row.created_ms),
        "expires_at": _time(row.expires_ms),
        "command": command,
    }
    return json.dumps(told).encode("ascii")


def _summary(row: ApprovalRow) -> str:
    if row.kind == QUESTION:
        return "An agent asks something of its own; its words are shown by the command."
    parts = [_workflow(row.facts), *_amounts(row.facts)]
    return ", ".join(part for part in parts if part) or "It starts no job."


def _workflow(facts: Mapping[str, Any]) -> str | None:
    """The name of a workflow of the library, or ``inline``; None for a call without one."""
    name = facts.get("workflow")
    return None if name is None else _name(name)


def _amounts(facts: Mapping[str, Any]) -> Iterator[str]:
    graph = _members(facts.get("graph"))
    unknown = graph.get("undetermined")
    for key, (one, many) in _NUMBERS.items():
        number = _number(graph.get(key))
        words = one if number == "1" else many
        if isinstance(unknown, list) and key in unknown:
            yield f"{many} not known"
        elif number and words:
            yield f"{number} {words}"
    if seconds := _number(facts.get("estimate_s")):
        yield f"about {seconds} s of GPU time"
    targets = facts.get("targets")
    if isinstance(targets, list) and targets:
        yield f"jobs it touches: {len(cast('list[object]', targets))}"


def _members(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _number(value: object) -> str:
    """A number above zero, rounded; else nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    sound = math.isfinite(value) and 0 < value < _MOST
    return f"{round(value, 2):g}" if sound and isinstance(value, float) else str(value) * sound


def _name(text: object) -> str:
    """A name of ours as it is; of anything else, that it is none."""
    return text if isinstance(text, str) and _NAME.fullmatch(text) else "(unnamed)"


def _time(at_ms: int) -> str:
    return (
        datetime.fromtimestamp(at_ms / 1000, UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z")
    )
