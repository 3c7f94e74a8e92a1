"""Requests to a person as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from comfy_mcp.cli.approvals_words import cut_short, show_words
from comfy_mcp.cli.screen import Screen
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.glance import SUPERSEDED, decided_by, heading, is_superseded, summary
from comfy_mcp.oversight.object import MOST_WORDS, PARTS, WHOLE_WORDS, agent_words
from comfy_mcp.oversight.telling import lines
from comfy_mcp.oversight.trail import moment
from comfy_mcp.oversight.voiding import VOID
from comfy_mcp.oversight.watching import News
from comfy_mcp.program import command
from comfy_mcp.quoting import MOST_WHOLE, plain
from comfy_mcp.settings import default_state
from comfy_mcp.store.asked import APPROVED, DENIED, PENDING, SPENT, ApprovalRow

__all__ = ["ASKED", "BEGINNING", "cells", "named", "news_line", "show", "what"]

ASKED = ("id", "status", "from", "what")
"""Headings of `cells`."""

WORDS = 500
"""Characters of one text of an agent; --json has more, and --full all."""

BEGINNING = 60
"""Characters of the agent's longest text in a line of a list."""

GRANT = 24
"""Characters of a caller's name in a line of a list."""


def cells(row: ApprovalRow, now_ms: int, start: str = "", *, void: bool = False) -> tuple[str, ...]:
    """*row* under `ASKED`; *start* is how the agent's words begin (see `beginning`)."""
    status = f"{row.status}, void" if void else _status(row, now_ms)
    return (plain(row.approval_id), status, plain(row.grant, GRANT), what(row, start))


def what(row: ApprovalRow, start: str = "") -> str:
    """What is asked, and the *start* of the agent's words: no two requests shall look the same."""
    return f"{summary(row)}: {start}" if start else summary(row)


def news_line(news: News, at_ms: int, start: str = "", *, void: bool = False) -> str:
    """What happened, in one line."""
    row = news.row
    head = f"{moment(at_ms, date=False)} {news.what:<9} {plain(row.approval_id)}"
    told = f"{head} {plain(row.grant)}: {what(row, start)}"
    if news.what in {"asked", "waits"}:
        left = VOID if void else f"{duration(max(0, row.expires_ms - at_ms))} left"
        return f"{told} ({left})"
    if news.what == SPENT:
        return f"{told} (used{f' for job {plain(row.prompt_id)}' if row.prompt_id else ''})"
    if is_superseded(row):
        return f"{told} ({SUPERSEDED})"
    who = decided_by(row)
    said = f'{who}: "{plain(row.reason)}"' if row.reason and who else who
    return f"{told} {said}".rstrip()


def named(folder: Path, *words: str) -> str:
    """The command ``approvals`` with *words*, to be pasted into any terminal of this machine."""
    return command("approvals", *words, state=folder, default_state=default_state())


def show(
    screen: Screen,
    row: ApprovalRow,
    now_ms: int,
    folder: Path,
    *,
    void: bool = False,
    full: bool = False,
) -> None:
    """All that a person needs to decide *row*, and how to; *void*: no yes would be of use."""
    screen.say(heading(row), "bold")
    told = list(_facts(row, now_ms, full=full))
    warning = [("VOID", VOID.removeprefix("void: "))] if void else []
    screen.fields([*warning, *((label, text) for label, text, _ in told)])
    most, values = (MOST_WHOLE, WHOLE_WORDS) if full else (WORDS, MOST_WORDS)
    words = agent_words(row, most, values)
    show_words(screen, words, full=full)
    if not full and (cut_short(words) or any(is_cut for _, _, is_cut in told)):
        screen.title("Some of it is cut short. All of it")
        screen.say(f"  {named(folder, 'show', row.approval_id, '--full')}")
    _show_commands(screen, row, now_ms, folder, void=void)


def _facts(row: ApprovalRow, now_ms: int, *, full: bool) -> Iterator[tuple[str, str, bool]]:
    """Labels, texts, and whether a text is cut, which is said in it."""
    for (label, text), (_, whole) in zip(
        lines(row, now_ms, full=full), lines(row, now_ms, full=True), strict=True
    ):
        is_cut = text != whole
        yield label, f"{text} (--full shows all)" if is_cut else text, is_cut


def _show_commands(
    screen: Screen, row: ApprovalRow, now_ms: int, folder: Path, *, void: bool
) -> None:
    if row.status == PENDING:
        screen.title(f"Decide: {heading(row)}")
        if void:
            screen.say("  yes:  not any more: under the edited policy it would let nothing through")
        else:
            screen.say(f"  yes:  {named(folder, 'approve', row.approval_id)}")
        screen.say(f"  no:   {named(folder, 'deny', row.approval_id)}")
        can_change = not void and _can_change(row)
        screen.say(
            "  With --reason TEXT you tell the agent why"
            f"{', with --set NAME=VALUE you change a value' if can_change else ''}."
        )
    elif row.status == APPROVED:
        screen.title("Take it back, as long as it is not used")
        screen.say(f"  {named(folder, 'deny', row.approval_id)}")
    elif row.status == DENIED and now_ms < row.expires_ms:
        screen.title("Take it back, until it expires")
        screen.say(f"  {named(folder, 'approve', row.approval_id)}")


def _can_change(row: ApprovalRow) -> bool:
    words = agent_words(row)
    return any(one["changeable"] for part in PARTS for one in words[part])


def _status(row: ApprovalRow, now_ms: int) -> str:
    if row.status in {PENDING, APPROVED}:
        return f"{row.status}, {duration(max(0, row.expires_ms - now_ms))} left"
    if is_superseded(row):
        return SUPERSEDED
    who = decided_by(row)
    said = "approved" if row.status == SPENT else row.status
    used = ", used" if row.status == SPENT else ""
    return f"{said}{f' {who}' if who else ''}{used}"
