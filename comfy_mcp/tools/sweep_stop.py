"""Cancelling a sweep: all of its runs that have not ended, in one guarded call."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from comfy_mcp.errors import HostRejected
from comfy_mcp.guard.question import Effect
from comfy_mcp.jobs.table import ends, shown
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.cancelling import MARGIN_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfy_mcp.store.protocol import JobRow, SweepRow

__all__ = ["stopped_sweep", "sweep_of"]

PREFIX = "swp_"

Outcome = Literal["cancelled", "already_finished", "still_running"]


async def sweep_of(app: App, caller: Caller, name: str) -> SweepRow | None:
    """The sweep of *caller* that *name* is the id of; None for what is a job's, or anybody's.

    Raises:
        StateError: the journal cannot be read.
    """
    if not name.startswith(PREFIX):
        return None
    return await (await app.jobs()).store.sweep(name, grant=caller.grant)


async def stopped_sweep(
    app: App, caller: Caller, sweep: SweepRow, seconds: float
) -> tuple[dict[str, int], Outcome, str]:
    """Stop what has not ended of *sweep*: how many runs have which status then, and words for it.

    Raises:
        Refused: the policy or the operator says no; written down.
        HostError: ComfyUI cannot be asked.
        StateError: the journal cannot be used.
    """
    from comfy_mcp.jobs.show import ELSEWHERE  # noqa: PLC0415 - start-up stays light
    from comfy_mcp.jobs.sweeping import stop_all  # noqa: PLC0415 - start-up stays light

    jobs = await app.jobs()
    if sweep.host != jobs.label:
        raise HostRejected(ELSEWHERE, kind="other_host")
    before = await jobs.store.sweep_jobs(sweep.sweep_id)
    open_ = tuple(row.prompt_id for row in before if not ends(row.status))
    call = caller.call(targets=open_, stop_ms=int(seconds * 1000) + MARGIN_MS)
    if not open_ and app.gate.decide(call, final=True).effect is Effect.APPROVAL:
        # Nobody is asked about stopping nothing.
        return _counts(before), "already_finished", _words(before, before, [])
    troubles: list[str] = []
    async with caller.admitted(app, call) as granted:
        targets = frozenset(granted.call.targets)
        if targets:
            if granted.stop is None:
                raise AssertionError("a stop was admitted without a permit")
            rows = [row for row in before if row.prompt_id in targets]
            troubles = await stop_all(jobs, rows, caller.grant, granted.stop, seconds=seconds)
    after = await jobs.store.sweep_jobs(sweep.sweep_id)
    return _counts(after), _outcome(before, after), _words(before, after, troubles)


def _counts(rows: Sequence[JobRow]) -> dict[str, int]:
    words = ("failed" if row.status == "refused" else shown(row.status) for row in rows)
    return dict(Counter(words))


def _outcome(before: Sequence[JobRow], after: Sequence[JobRow]) -> Outcome:
    if any(not ends(row.status) for row in after):
        return "still_running"
    return "cancelled" if _cancelled(before, after) else "already_finished"


def _cancelled(before: Sequence[JobRow], after: Sequence[JobRow]) -> int:
    was = {row.prompt_id for row in before if row.status == "cancelled"}
    return sum(row.status == "cancelled" and row.prompt_id not in was for row in after)


def _words(before: Sequence[JobRow], after: Sequence[JobRow], troubles: Sequence[str]) -> str:
    ended = sum(ends(row.status) for row in before)
    left = sum(not ends(row.status) for row in after)
    stopped = _cancelled(before, after)
    words = [f"Of {len(after)} runs {stopped} were stopped (verified); {ended} had ended before."]
    if left:
        words.append(
            f"{left} still run, though they were told to stop: ComfyUI obeys only between nodes or"
            " steps. Call again later."
        )
    return " ".join([*words, *troubles[:3]])
