"""How callers stand, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.cli.screen import Screen
from comfy_mcp.oversight.freezing import in_words
from comfy_mcp.oversight.gauge import HEADINGS, account_cells, duration, gauge_cells
from comfy_mcp.oversight.trail import moment

if TYPE_CHECKING:
    from comfy_mcp.oversight.standing import Standing
    from comfy_mcp.store.protocol import JobRow

__all__ = ["show"]


def show(screen: Screen, found: Standing, host: str | None) -> None:
    """Everything, for a person; *host* None: nothing is known of jobs."""
    if found.ahead_ms:
        screen.say(
            f"The state's clock is {duration(found.ahead_ms)} ahead of this machine's: nothing"
            " becomes free before this machine has caught up. Set its clock right.",
            "bold yellow",
        )
    for freeze in found.freezes:
        screen.say(in_words(freeze), "bold cyan")
    for grant, cooling in found.cooling:
        wait = duration(cooling.retry_after_ms)
        screen.say(f"{grant} cools down after many refusals: {wait} to go.", "yellow")
    for grant, count in found.waiting:
        what = "request waits" if count == 1 else "requests wait"
        screen.say(f"{grant}: {count} {what} for a person, of {found.most_waiting} that may.")
    rows = [*map(gauge_cells, found.gauges), *map(account_cells, found.others)]
    if rows:
        screen.table(HEADINGS, rows)
    else:
        screen.say("The policy has no limits, and nothing was counted.")
    if host is None:
        return
    screen.title(f"Unfinished jobs on {host}")
    for cap, use in found.slots:
        screen.say(f"  {cap.grant}: {use.used} of {cap.most} ({cap.rule})")
    if found.unfinished:
        headings = ("job", "grant", "workflow", "status", "since")
        screen.table(headings, [_job(job) for job in found.unfinished])
    elif not found.slots:
        screen.say("  none")


def _job(job: JobRow) -> tuple[str, ...]:
    return (job.prompt_id, job.grant, job.workflow, job.status, moment(job.created_ms))
