"""The doctor's look at the state: can it be written, is its log whole, who may not go on?"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from comfy_mcp.cli.approvals_shown import named
from comfy_mcp.cli.findings import Finding
from comfy_mcp.cli.screen import Verdict
from comfy_mcp.errors import StateError
from comfy_mcp.oversight.freezing import in_words
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.standing import clock_ahead_ms
from comfy_mcp.oversight.state import is_there, now_ms, opened, outdated
from comfy_mcp.settings import Settings
from comfy_mcp.store.asked import PENDING
from comfy_mcp.store.protocol import Store

__all__ = ["about_state"]

ADVICE = "make the state folder writable, or name another with --state"
MOST = 100
"""Requests that are counted."""

KEEP = "keep a copy of the state folder and find out who changed it"


async def about_state(settings: Settings) -> list[Finding]:
    """Whether the state can be written, whether the audit chain is whole, and what it orders.

    A state that is not there is not made, one of an older version is left as it is.
    """
    folder = settings.state
    try:
        if not is_there(folder):
            return [_about_missing(folder)]
        if outdated(folder):
            text = f"{folder} is of an older version; the next server to start brings it up to date"
            return [Finding(Verdict.NOTE, "state", text)]
        async with opened(folder) as store:
            return await _about(store, folder)
    except StateError as error:
        return [Finding(Verdict.FAIL, "state", str(error), ADVICE)]


async def _about(store: Store, folder: Path) -> list[Finding]:
    # A job that nobody has: this takes the lock and commits, and adds no row.
    await store.move_job("doctor", "lost", now_ms())
    rows, fault = await store.verify()
    if fault is not None:
        text = f"{folder}: the audit chain is broken: {fault}"
        return [Finding(Verdict.FAIL, "state", text, KEEP)]
    text = f"{folder} is writable\naudit chain verifies: {rows} rows"
    found = [Finding(Verdict.OK, "state", text)]
    ahead_ms = await clock_ahead_ms(store, now_ms())
    if ahead_ms:
        text = (
            f"its clock is {duration(ahead_ms)} ahead of this machine's: limits stand still until"
            " that time; set this machine's clock right"
        )
        found.append(Finding(Verdict.NOTE, "clock", text))
    found += [Finding(Verdict.NOTE, "freeze", in_words(one)) for one in await store.freezes()]
    return [*found, *await _about_requests(store, folder)]


async def _about_requests(store: Store, folder: Path) -> list[Finding]:
    """How many people's decisions are outstanding."""
    waiting = await store.approvals(
        now_ms(), statuses=frozenset({PENDING}), count=MOST, payloads=False
    )
    if not waiting:
        return []
    many = f"{MOST} or more" if len(waiting) == MOST else str(len(waiting))
    what = "request waits" if len(waiting) == 1 else "requests wait"
    text = f"{many} {what} for a person's yes or no: {named(folder, 'ls')}"
    return [Finding(Verdict.NOTE, "approvals", text)]


def _about_missing(folder: Path) -> Finding:
    """A server will make it: could one?"""
    above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not stat.S_ISDIR(above.stat().st_mode) or not os.access(above, os.W_OK | os.X_OK):
        text = f"{folder} is not there, and cannot be made in {above}"
        return Finding(Verdict.FAIL, "state", text, ADVICE)
    return Finding(Verdict.OK, "state", f"{folder} is not there yet; the first server makes it")
