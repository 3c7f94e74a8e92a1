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
    """How far a call has come: the job it waits for, and its submit if that is not answered yet."""

    prompt_id: str | None = None
    submitting: asyncio.Task[Any] | None = None


@contextmanager
def stop_if_cancelled(app: App, caller: Caller, what: OnCancel) -> Generator[Underway]:
    """Within it, a cancelled call stops its job in the background, if *what* says so."""
    underway = Underway()
    try:
        yield underway
    except anyio.get_cancelled_exc_class():
        if what == "cancel" and underway.prompt_id is not None:
            app.keep(_stop(app, caller, underway.prompt_id, underway.submitting))
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
    async with app.gate.admit(call) as granted:
        if granted.stop is None:
            raise AssertionError("a stop was admitted without a permit")
        return await stop(jobs, prompt_id, granted.stop, seconds=seconds)


async def _stop(
    app: App,
    caller: Caller,
    prompt_id: str,
    submitting: asyncio.Task[Any] | None,
) -> None:
    """Nobody waits for this any more: what goes wrong is told to the operator."""
    args = {"prompt_id": prompt_id, "wait_seconds": STOP_SECONDS}
    stopper = replace(caller, tool=CANCEL, args=args, say=silent)
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            if submitting is not None:
                # What is not in the queue yet cannot be taken out of it.
                await asyncio.wait([submitting])
            report = await stopped(app, stopper, prompt_id, STOP_SECONDS)
    except (ComfyMCPError, TimeoutError) as error:
        log.warning("Job %s of a cancelled call goes on: %s", prompt_id, error or "no answer")
        return
    if report.outcome == "still_running":
        log.warning("Job %s of a cancelled call was told to stop and still runs.", prompt_id)
