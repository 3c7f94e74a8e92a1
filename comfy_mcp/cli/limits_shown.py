"""How callers stand, as people and programs read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_mcp.cli.freeze import words
from comfy_mcp.cli.gauge import HEADINGS, account_cells, duration, gauge_cells, gauge_object
from comfy_mcp.cli.screen import Screen
from comfy_mcp.cli.trail import moment
from comfy_mcp.store.protocol import UNIT

if TYPE_CHECKING:
    from comfy_mcp.cli.standing import Standing
    from comfy_mcp.store.protocol import JobRow

__all__ = ["as_object", "show"]


def show(screen: Screen, found: Standing, host: str | None) -> None:
    """Everything, for a person; *host* None: nothing is known of jobs."""
    if found.ahead_ms:
        screen.say(
            f"The state's clock is {duration(found.ahead_ms)} ahead of this machine's: nothing"
            " becomes free before this machine has caught up. Set its clock right.",
            "bold yellow",
        )
    for freeze in found.freezes:
        screen.say(words(freeze), "bold cyan")
    for grant, cooling in found.cooling:
        wait = duration(cooling.retry_after_ms)
        screen.say(f"{grant} cools down after many refusals: {wait} to go.", "yellow")
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


def as_object(found: Standing, host: str | None) -> dict[str, Any]:
    """Everything, as JSON values."""
    return {
        "limits": [gauge_object(gauge) for gauge in found.gauges],
        "other_accounts": [
            {"counter": one.counter, "holder": one.holder, "held": one.amount / UNIT}
            for one in found.others
        ],
        "host": host,
        "slots": [
            {"grant": cap.grant, "used": use.used, "max": cap.most} for cap, use in found.slots
        ],
        "unfinished": [
            {
                "prompt_id": job.prompt_id,
                "grant": job.grant,
                "workflow": job.workflow,
                "status": job.status,
                "created_ms": job.created_ms,
            }
            for job in found.unfinished
        ],
        "cooling": [
            {"grant": grant, "retry_after_s": cooling.retry_after_ms / 1000}
            for grant, cooling in found.cooling
        ],
        "freezes": [
            {
                "grant": one.grant,
                "reason": one.reason,
                "keep_reads": one.keep_reads,
                "at_ms": one.at_ms,
            }
            for one in found.freezes
        ],
        "clock_ahead_s": found.ahead_ms / 1000,
    }
