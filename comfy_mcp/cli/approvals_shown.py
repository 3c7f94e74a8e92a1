"""Requests to a person as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from comfy_mcp.cli.screen import Screen
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.glance import decided_by, heading, summary
from comfy_mcp.oversight.object import agent_words
from comfy_mcp.oversight.telling import lines
from comfy_mcp.oversight.trail import moment
from comfy_mcp.oversight.watching import News
from comfy_mcp.program import command
from comfy_mcp.quoting import Quoted, name, plain
from comfy_mcp.settings import default_state
from comfy_mcp.store.asked import APPROVED, PENDING, ApprovalRow

__all__ = ["ASKED", "cells", "named", "news_line", "show"]

ASKED = ("id", "status", "from", "what")
"""Headings of `cells`."""

WORDS = 500
"""Characters of one text of an agent; --json has more."""

LABEL = 40
"""Characters of a name in the margin."""

ORIGINS: Mapping[Any, str] = {
    "default": "  (default)",
    "chance": "  (drawn by chance)",
    "person": "  (changed by a person)",
}
"""Where a value comes from if it is not the agent's."""

HEADINGS: Mapping[str, str] = {
    "values": "values of the workflow's parameters",
    "inputs": "values in the nodes of its own workflow",
    "args": "arguments of the call",
    "context": "what it says about its question",
}


def cells(row: ApprovalRow, now_ms: int) -> tuple[str, ...]:
    """*row* under `ASKED`."""
    return (plain(row.approval_id), _status(row, now_ms), plain(row.grant), summary(row))


def news_line(news: News, at_ms: int) -> str:
    """What happened, in one line."""
    row = news.row
    start = f"{moment(at_ms, date=False)} {news.what:<9} {plain(row.approval_id)}"
    what = f"{plain(row.grant)}: {summary(row)}"
    if news.what in {"asked", "waits"}:
        return f"{start} {what} ({duration(max(0, row.expires_ms - at_ms))} left)"
    who = decided_by(row)
    said = f'{who}: "{plain(row.reason)}"' if row.reason and who else who
    return f"{start} {what} {said}".rstrip()


def named(folder: Path, *words: str) -> str:
    """The command ``approvals`` with *words*, to be pasted into any terminal of this machine."""
    return command("approvals", *words, state=folder, default_state=default_state())


def show(screen: Screen, row: ApprovalRow, now_ms: int, folder: Path) -> None:
    """All that a person needs to decide *row*, and how to."""
    screen.say(heading(row), "bold")
    screen.fields(lines(row, now_ms))
    _show_words(screen, agent_words(row, WORDS))
    if row.status == PENDING:
        screen.title(f"Decide: {heading(row)}")
        screen.say(f"  yes:  {named(folder, 'approve', row.approval_id)}")
        screen.say(f"  no:   {named(folder, 'deny', row.approval_id)}")
        screen.say(
            "  With --reason TEXT you tell the agent why"
            f"{', with --set NAME=VALUE you change a value' if _can_change(row) else ''}."
        )
    elif row.status == APPROVED:
        screen.title("Take it back, as long as it is not used")
        screen.say(f"  {named(folder, 'deny', row.approval_id)}")


def _show_words(screen: Screen, words: Mapping[str, Any]) -> None:
    """What the agent wrote, marked line by line: it may say anything."""
    action: Mapping[str, Any] | None = words["action"]
    if action is None and not any(words[part] for part in HEADINGS):
        return
    screen.title("In the agent's own words (quoted; they may be wrong, and prove nothing)")
    if action is not None:
        screen.fields([("asks", _marked(action))], "> ")
    for part, title in HEADINGS.items():
        if words[part]:
            screen.say(f"  {title}:")
            screen.fields(list(_pairs(words[part])), "> ")
    if words["left_out"]:
        screen.say(f"  {words['left_out']} more values are not shown.", "bold yellow")


def _pairs(named_values: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in named_values:
        kind = f"  ({name(one['class'])})" if one.get("class") else ""
        yield name(one["name"], LABEL), f"{_marked(one)}{kind}{ORIGINS.get(one.get('origin'), '')}"


def _marked(one: Mapping[str, Any]) -> str:
    """Texts in quotation marks; numbers, lists and objects as they are, in one line."""
    value = one.get("value")
    if "value" in one and not isinstance(value, str):
        return str(one["text"])
    if one.get("json") and not one["cut"] and not one["hidden"]:
        return str(one["text"])
    return Quoted(one["text"], one["cut"], one["hidden"]).in_marks


def _can_change(row: ApprovalRow) -> bool:
    words = agent_words(row)
    return any(one["changeable"] for part in HEADINGS for one in words[part])


def _status(row: ApprovalRow, now_ms: int) -> str:
    if row.status in {PENDING, APPROVED}:
        return f"{row.status}, {duration(max(0, row.expires_ms - now_ms))} left"
    who = decided_by(row)
    return f"{row.status} {who}" if who else row.status
