"""A person's word from the terminal, as ``approvals approve`` and ``approvals deny`` share it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_mcp.cli.screen import Screen

if TYPE_CHECKING:
    from comfy_mcp.oversight.approvals import Decided

__all__ = ["add_reason", "decide"]


def add_reason(parser: argparse.ArgumentParser) -> None:
    """``--reason``."""
    parser.add_argument("--reason", metavar="TEXT", default="", help="told to the agent")


def decide(
    folder: Path,
    approval_id: str,
    *,
    approve: bool,
    reason: str,
    changes: Mapping[str, object] | None = None,
    policies: tuple[Path, ...] = (),
) -> int:
    """Write the decision down and say what came of it; the exit status.

    Raises:
        StateError: there is no state, or it cannot be written; nothing is decided.
    """
    said = {"approve": approve, "reason": reason, "changes": changes or {}}
    found = asyncio.run(_decide(folder, approval_id, policies, **said))
    from comfy_mcp.cli.approvals_shown import named  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.glance import heading  # noqa: PLC0415 - as above
    from comfy_mcp.quoting import name, plain, value  # noqa: PLC0415 - as above

    if not found.ok or found.row is None:
        where = f" The state is {folder}." if found.row is None else ""
        Screen(sys.stderr).say(f"{found.message}{where}")
        return 1
    screen = Screen(sys.stdout)
    screen.say(f"{plain(found.row.approval_id)}, {plain(found.row.grant)}: {heading(found.row)}")
    if approve:
        for changed, (was, now) in found.row.changes.items():
            screen.say(f"  {name(changed)}: {value(was)} -> {value(now)}")
        if changes and not found.row.changes:
            screen.say("  Nothing differs from what was asked.", "yellow")
    screen.say(found.message, "bold green" if approve else "bold")
    shown_id = plain(found.row.approval_id)
    if changes and found.row.changes:
        screen.say("To correct it, take it back and approve it with other values:")
        screen.say(f"  {named(folder, 'deny', shown_id)}")
        screen.say(f"  {named(folder, 'approve', shown_id, '--set', 'NAME=VALUE')}")
    if not approve:
        screen.say(f"To take that back: {named(folder, 'approve', shown_id)}")
    return 0


async def _decide(
    folder: Path, approval_id: str, policies: tuple[Path, ...], **said: Any
) -> Decided:
    from comfy_mcp.oversight import approvals, state  # noqa: PLC0415 - not for --help

    by = {"channel": "terminal", "user": state.user(), "assurance": "operator"}
    judge = approvals.judge_by(policies)
    async with state.opened(folder) as store:
        at_ms = state.now_ms()
        return await approvals.decide(store, approval_id, by=by, now_ms=at_ms, judge=judge, **said)
