"""A call whose client has stopped waiting: its job goes on, or is stopped if the call wanted that.

A client stops waiting by ``notifications/cancelled``, or by going away. The call itself ends at
once; what is left to do is done in a task that outlives it, under a leave of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import anyio

from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.guard.question import Effect
from comfy_mcp.tools.app import App, Caller, silent

if TYPE_CHECKING:
    from comfy_mcp.jobs.stop import StopReport
    from comfy_mcp.store.protocol import NewJob

__all__ = [
    "MARGIN_MS",
    "NO_LEAVE",
    "OnCancel",
    "Underway",
    "may_stop",
    "stop_if_cancelled",
    "stopped",
]

log = logging.getLogger(__name__)

OnCancel = Literal["keep", "cancel"]

CANCEL = "cancel_job"
"""The tool that such a stop is judged as and written down as."""

STOP_SECONDS = 15.0
"""As long as cancel_job looks by default."""

WHOLE_SECONDS = 90.0
"""For all of it: a submit that is under way is waited for first."""

MARGIN_MS = 60_000
"""How long a stop permit outlives the wait: the last order may be under way."""

NO_LEAVE = 'The policy does not let you stop jobs: with on_cancel="cancel" this one goes on, too.'


@dataclass(slots=True)
class Underway:
    """How far a call has come: the job it waits for, and its submit if that is not answered yet.

    *asked* is the job that the call would make; an earlier one with the same key takes its place.
    """

    asked: NewJob
    prompt_id: str | None = None
    submitting: asyncio.Task[Any] | None = None


@contextmanager
def stop_if_cancelled(app: App, caller: Caller, what: OnCancel, job: NewJob) -> Generator[Underway]:
    """Within it, a cancelled call for *job* stops it in the background, if *what* says so."""
    underway = Underway(job)
    try:
        yield underway
    except anyio.get_cancelled_exc_class():
        if what == "cancel":
            app.keep(_stop(app, caller, underway))
        raise


def may_stop(app: App, caller: Caller) -> bool:
    """Whether the policy, as far as is known without a job, lets *caller* cancel its own."""
    call = replace(caller.call(), tool=CANCEL, args=None)
    return app.gate.decide(call).effect is Effect.ALLOW


async def stopped(app: App, caller: Caller, prompt_id: str, seconds: float) -> StopReport:
    """Stop one job of the caller's own, as far as the policy lets it, and look whether it stopped.

    Raises:
        Refused: the policy or the operator says no; written down.
        HostError: ComfyUI cannot be asked, or cannot do it without hitting other jobs.
    """
    from comfy_mcp.jobs.stop import stop  # noqa: PLC0415 - start-up stays light

    jobs = await app.jobs()
    owner = await jobs.owner(prompt_id, caller.grant)
    call = caller.call(target=prompt_id, owner=owner, stop_ms=int(seconds * 1000) + MARGIN_MS)
    async with caller.admitted(app, call) as granted:
        if granted.stop is None:
            raise AssertionError("a stop was admitted without a permit")
        return await stop(jobs, prompt_id, granted.stop, seconds=seconds)


async def _stop(app: App, caller: Caller, underway: Underway) -> None:
    """Nobody waits for this any more: what goes wrong is told to the operator."""
    prompt_id = underway.prompt_id
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            if underway.submitting is not None:
                # What is not in the queue yet cannot be taken out of it.
                await asyncio.wait([underway.submitting])
            prompt_id = prompt_id or await _earlier(app, underway.asked)
            if prompt_id is None:
                return
            args = {"prompt_id": prompt_id, "wait_seconds": STOP_SECONDS}
            # Nobody is there any more who could be asked.
            stopper = replace(caller, tool=CANCEL, args=args, say=silent, asks_client=False)
            if app.gate.decide(stopper.call()).effect is Effect.APPROVAL:
                # Whoever would be asked would answer nobody: the client has gone.
                log.warning(
                    "Job %s of a cancelled call goes on: a person decides stops.", prompt_id
                )
                return
            report = await stopped(app, stopper, prompt_id, STOP_SECONDS)
    except (ComfyMCPError, TimeoutError) as error:
        log.warning("Job %s of a cancelled call goes on: %s", prompt_id, error or "no answer")
        return
    if report.outcome == "still_running":
        log.warning("Job %s of a cancelled call was told to stop and still runs.", prompt_id)


async def _earlier(app: App, asked: NewJob) -> str | None:
    """The job that a call would have been given, had it not been cancelled before it was told.

    Raises:
        StateError: the journal cannot be read.
    """
    if not asked.key:
        return None
    row = await (await app.jobs()).store.keyed(asked.host, asked.grant, asked.key)
    # Its own job is given back by the guard, and one of another request is not this call's.
    mine = row is not None and row.prompt_id != asked.prompt_id and row.request == asked.request
    return row.prompt_id if row is not None and mine else None
