"""A request to a person as JSON values: what the page and ``--json`` read.

Everything is bounded and clean (see `words`). What the agent wrote itself stands below
``agent_words`` and nowhere else; names of files, models, node classes and workflows, which it may
have chosen, are short and stand with the facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from comfy_mcp.errors import WorkflowError
from comfy_mcp.oversight.errands import FILE, errand, tells_file
from comfy_mcp.oversight.glance import summary
from comfy_mcp.oversight.telling import lines
from comfy_mcp.oversight.values import items, mapping, objects
from comfy_mcp.quoting import MOST_NAME, MOST_TEXT, MOST_WHOLE, bounded, plain, quote
from comfy_mcp.store.asked import QUESTION, ApprovalRow
from comfy_mcp.workflow.frozen import changeable
from comfy_mcp.workflow.graph import as_link

__all__ = ["MOST_WORDS", "PARTS", "WHOLE_WORDS", "agent_words", "as_object", "literals", "whole"]

SWEEP = "sweep"
"""The kind of a payload that has many runs: it is approved or denied as it is."""

MOST_WORDS = 64
"""Values of an agent that are shown; how many more there are is said."""

WHOLE_WORDS = 1_000_000
"""As `MOST_WORDS`, where somebody wants to see everything: more than any request holds."""

WHOLE_DEPTH = 16
"""Lists and objects in one another that are told as such, where somebody wants everything."""

PARTS = ("values", "inputs", "args", "context")
"""Lists of `agent_words`."""

LONG_NUMBER = 18
"""Digits of an id that is read as a number."""

FACTS = (
    *("tool", "class", "workflow", "title", "graph", "front", "estimate_s", "queue", "inputs"),
    *("targets", "targets_left_out", "host", "place", "policy_files", "urgency", "runs"),
)
"""Facts of a row that are no free text of an agent."""


def as_object(row: ApprovalRow, now_ms: int, *, full: bool = False) -> dict[str, Any]:
    """*row* as it stands at *now_ms*; *full*: everything, texts up to `MOST_WHOLE`.

    ``agent_words`` has ``action`` (a text or None) and the lists ``values``, ``inputs``, ``args``
    and ``context``, whose items are ``{"name", "text", "cut", "hidden", "changeable"}``, with a
    ``value`` if that is a number, a bool or a text that is shown whole, and ``json`` if it is a
    list or an object; and with an ``origin``: agent, person, chance or default, and unknown once
    the request has ended.
    ``inputs`` are those of a graph that the agent wrote, by ``NODE.input``.
    ``lines`` are the facts as ``[label, text]``, for people; ``summary`` is one line.
    ``errand`` is ``{"act", "what", "words"}`` for a call that runs nothing (see `errands`).
    """
    decided, plainly = row.decided_ms, errand(row)
    most, side = (MOST_WHOLE, MOST_WHOLE) if full else (MOST_TEXT, MOST_NAME)
    room = whole if full else bounded
    return {
        "approval_id": plain(row.approval_id),
        "kind": row.kind,
        "status": row.status,
        "summary": summary(row),
        "lines": [list(line) for line in lines(row, now_ms, full=full)],
        "grant": plain(row.grant),
        "tool": plain(row.tool),
        "channel": row.channel,
        "client": None if row.client is None else plain(row.client, 80),
        "host": plain(row.host),
        "policy": row.policy,
        "seq": row.seq,
        "created_ms": row.created_ms,
        "expires_ms": row.expires_ms,
        "decided_ms": decided,
        "age_s": max(0, now_ms - row.created_ms) / 1000,
        "expires_in_s": max(0, row.expires_ms - now_ms) / 1000,
        "answered_after_s": None if decided is None else max(0, decided - row.created_ms) / 1000,
        "rules": [
            {"rule": plain(rule), "reason": plain(words, most)}
            for rule, words in mapping(row.facts.get("asks")).items()
        ],
        "errand": None if plainly is None else asdict(plainly),
        "facts": {key: room(row.facts[key]) for key in FACTS if key in row.facts},
        "agent_words": agent_words(row, most, WHOLE_WORDS if full else MOST_WORDS),
        "by": bounded(row.by),
        "reason": plain(row.reason, most),
        "changes": [
            {"name": plain(name), "before": bounded(was, side), "after": bounded(now, side)}
            for name, (was, now) in _pairs(row.changes)
        ],
        "decision_id": plain(row.decision_id),
        "prompt_id": None if row.prompt_id is None else plain(row.prompt_id),
    }


def whole(value: object) -> Any:
    """*value* as clean JSON values, with nothing left out but of what is very deep or long."""
    return bounded(value, MOST_WHOLE, WHOLE_WORDS, WHOLE_DEPTH)


def agent_words(
    row: ApprovalRow, most: int = MOST_TEXT, values: int = MOST_WORDS
) -> dict[str, Any]:
    """What the agent wrote, as data: each text cut to *most*, each list to so many *values*.

    ``left_out`` is how many are not shown. Beside them stand defaults, what was drawn and what a
    person changed: ``origin`` tells them apart.
    """
    facts = row.facts
    names = frozenset(_changeable(row))
    fixed = row.payload.get("kind") == SWEEP
    read = [one.get("name") for one in objects(facts.get("inputs"))]
    written = list(literals(row.payload))
    own = {name for name, _, _ in written}
    lists = {key: list(mapping(facts.get(key)).items()) for key in PARTS if key != "inputs"}
    if tells_file(row):
        lists["args"] = [one for one in lists["args"] if one[0] != FILE]
    # What a person changed in the agent's own graph stands there already.
    lists["values"] = [one for one in lists["values"] if one[0] not in own]
    named = {
        key: [
            {
                **_item(name, value, most, may_change=name in names),
                "origin": _origin(row, key, name),
            }
            for name, value in pairs[:values]
        ]
        for key, pairs in lists.items()
    }
    inputs = [
        {
            **_item(name, value, most, may_change=not fixed and value not in read),
            "class": plain(kind),
            "origin": _origin(row, "inputs", name),
        }
        for name, value, kind in written[:values]
    ]
    counts = (len(written), *map(len, lists.values()))
    action = facts.get("action")
    return {
        "action": None if action is None else _quoted(action, most),
        "inputs": inputs,
        **named,
        "left_out": sum(max(0, count - values) for count in counts),
    }


def _origin(row: ApprovalRow, part: str, name: str) -> str:
    """Whose word a value is: agent, person, chance, default; or unknown, where nobody noted it."""
    if part != "args" and name in row.changes:
        return "person"
    if part == "values" and "given" not in row.facts:
        return "unknown"
    if part != "values" or name in items(row.facts.get("given")):
        return "agent"
    return "chance" if name in items(row.facts.get("drawn")) else "default"


def _changeable(row: ApprovalRow) -> tuple[str, ...]:
    if row.kind == QUESTION:
        return tuple(mapping(row.facts.get("context")))
    if row.payload.get("kind") == SWEEP:
        return ()
    try:
        return changeable(row.payload)
    except WorkflowError:
        return ()


def _item(name: str, value: object, most: int, *, may_change: bool) -> dict[str, Any]:
    """One named value; a name that cannot be shown as it is cannot be named to change it."""
    made = {"name": plain(name), **_quoted(value, most)}
    made["changeable"] = may_change and made["name"] == name
    if value is None or isinstance(value, bool | int | float):
        made["value"] = bounded(value)
    elif not isinstance(value, str):
        made["json"] = True
    elif value == made["text"]:
        made["value"] = value
    return made


def _quoted(value: object, most: int) -> dict[str, Any]:
    quoted = quote(value, most, exact=True)
    return {"text": quoted.text, "cut": quoted.cut, "hidden": quoted.hidden}


def literals(payload: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """Literal inputs of a graph that the agent wrote itself, as ``NODE.input``."""
    if payload.get("manifest") is not None:
        return
    for node_id, node in sorted(mapping(payload.get("graph")).items(), key=_in_order):
        parts = mapping(node)
        for name, value in mapping(parts.get("inputs")).items():
            if as_link(value) is None:
                yield f"{node_id}.{name}", value, str(parts.get("class_type", ""))


def _in_order(node: tuple[str, object]) -> tuple[int, int, str]:
    """Nodes by their numbers, 2 before 10; ids that are none behind them."""
    node_id = node[0]
    is_number = node_id.isascii() and node_id.isdecimal() and len(node_id) <= LONG_NUMBER
    return (0, int(node_id), "") if is_number else (1, 0, node_id)


def _pairs(changes: Mapping[str, Any]) -> Iterator[tuple[str, tuple[object, object]]]:
    for name, pair in changes.items():
        was, now = pair
        yield name, (was, now)
