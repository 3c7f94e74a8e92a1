"""What an agent is told whose runs do not fit together: whether waiting helps, and how many fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from comfy_mcp.errors import Refused
from comfy_mcp.guard.denial import from_full, plain_s, words_of
from comfy_mcp.guard.question import AppliedLimit
from comfy_mcp.store.protocol import Admission, Charge, Full, SlotCap, TogetherRefused

__all__ = ["from_together"]


@dataclass(frozen=True, slots=True)
class _Runs:
    """So many runs, of which the first *now* fit, and the first *alone* if nothing is in the way.

    *slot*: what leaves too few slots now. *jobs* hold them. *words* are those of the limit.
    """

    of: int
    now: int
    alone: int
    slot: Full | None
    jobs: Sequence[str]
    words: str


def from_together(
    refused: TogetherRefused,
    full: Full,
    taken: Sequence[Admission],
    limits: tuple[AppliedLimit, ...],
    *,
    decision_id: str,
    jobs: Sequence[str],
) -> Refused:
    """The refusal of a call that would make runs: *taken* are the call itself and then each run.

    *full* is the answer of *refused*, *jobs* hold the slots.
    """
    refusal = from_full(full, limits, decision_id, tuple(jobs))
    denial, of = refusal.denial, len(taken) - 1
    alone = len(taken) if refused.alone is None else refused.alone
    runs = _Runs(
        of=of,
        now=max(0, refused.index - 1),
        alone=max(0, alone - 1),
        slot=refused.slot,
        jobs=jobs,
        words=_words(full, taken[0], limits),
    )
    counts = {"runs": of, "fit": runs.now}
    if alone < len(taken):
        denial = replace(denial, code="never_fits", retryable=False, retry_after_s=None)
        reason, counts = _never(full, runs), {**counts, "fit_at_once": runs.alone}
    else:
        reason = _later(full, runs)
    limit = None if denial.limit is None else {**denial.limit, **counts}
    return type(refusal)(replace(denial, reason=f"{_makes(of)}{reason}", limit=limit))


def _words(full: Full, call: Admission, limits: tuple[AppliedLimit, ...]) -> str:
    """What is in the way, as a clause."""
    cause = full.cause
    if isinstance(cause, SlotCap):
        taken = f"{full.used} {'is' if full.used == 1 else 'are'} taken"
        return f"you may have {_jobs(cause.most)} at a time, and {taken}"
    words = words_of(cause, limits)
    # Else nobody could make out why one fewer fits than there is room for.
    beside = _counted(call, cause) and cause.rule not in {one.rule for one in call.charges}
    return f"{words}, and this call itself counts, too" if beside else words


def _counted(call: Admission, cause: Charge) -> bool:
    account = cause.counter, cause.holder
    return any((one.counter, one.holder) == account for one in call.charges)


def _never(full: Full, runs: _Runs) -> str:
    """More than fit at all."""
    if not runs.alone:
        return f", and not even the first fits: {_most(full, runs)}; waiting does not help."
    if isinstance(full.cause, SlotCap):
        why = f"; {_most(full, runs)}, so no sweep of more than {runs.alone} fits."
    else:
        why = f", and at most the first {runs.alone} fit in one call: {runs.words}."
    if not runs.now:
        then = f"none fits at the moment: run {runs.alone} in one call later, and then the others"
    elif runs.now < runs.alone:
        then = f"run {runs.now} now, and the others later, {runs.alone} at most in one call"
    elif isinstance(full.cause, SlotCap):
        then = f"run {runs.now} now and the others when these have ended"
    else:
        then = f"run {runs.now} now and the others later"
    return f"{why} Nothing was run; {then}."


def _most(full: Full, runs: _Runs) -> str:
    if isinstance(full.cause, Charge):
        return runs.words
    verb = "is" if full.cause.most == 1 else "are"
    return f"at most {_jobs(full.cause.most)} at a time {verb} allowed"


def _later(full: Full, runs: _Runs) -> str:
    """All of them will fit, if nobody else takes the room."""
    fit = f"{runs.now} fit" if runs.now > 1 else f"{runs.now or 'none'} fits"
    now = f"run {runs.now} of them now, or all of them" if runs.now else "all of them fit"
    why = f", of which {fit} at the moment: {runs.words}"
    if isinstance(full.cause, Charge) and full.retry_after_ms is not None:
        why += f"; retry in {plain_s(full.retry_after_ms)} s"
    return f"{why}. Nothing was run; {now} {_when(full, runs)}."


def _when(full: Full, runs: _Runs) -> str:
    """When all of them fit."""
    slot = runs.slot
    if slot is None or not isinstance(slot.cause, SlotCap):
        return "after that wait"
    ended = slot.used + runs.of - slot.cause.most
    which = _jobs(ended) if ended == slot.used else f"{ended} of your {_jobs(slot.used)}"
    which += " has ended" if ended == 1 else " have ended"
    which += f" ({', '.join(runs.jobs[:5])})" if runs.jobs else ""
    if isinstance(full.cause, Charge):
        return f"after that wait, when {which}"
    wait_ms = full.retry_after_ms
    return f"when {which}" + (f", but not before {plain_s(wait_ms)} s" if wait_ms else "")


def _makes(of: int) -> str:
    return f"This makes {of} run{'' if of == 1 else 's'}"


def _jobs(count: int) -> str:
    return f"{count} unfinished job{'' if count == 1 else 's'}"
