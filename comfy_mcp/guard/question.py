"""What is asked of a policy, and what it answers: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from comfy_mcp.workflow.facts import Facts, JobFile

__all__ = [
    "AppliedLimit",
    "Asking",
    "Cap",
    "Decision",
    "Effect",
    "Prefix",
    "Question",
    "Run",
    "in_this_zone",
]


class Effect(StrEnum):
    """What a decision comes to."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVAL = "require_approval"


@dataclass(frozen=True, slots=True)
class Run:
    """A run about to be submitted: facts of the final graph and of what surrounds it.

    *queue_depth* is how many jobs run and wait on the host, *foreign* the files in the graph that
    another's job made, *estimate_ms* how long a run of this shape took before; None: not known, or
    not asked because no rule in force needs it. *front*: it wants to be put before what waits.
    """

    facts: Facts
    queue_depth: int | None = None
    foreign: tuple[JobFile, ...] = ()
    estimate_ms: int | None = None
    front: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A call about to be made, as far as it is known.

    *tool* is the name it was called by, maybe an alias; *identity* the caller's name as the
    transport gives it. *args* None: not known yet, as when tools are listed; else all of them,
    defaults filled in. *final*: nothing more will be known, so rules about *run* and *owner* are
    judged, too. *owner* is whose job the call is about: ``"mine"``, ``"other agent"``,
    ``"human"``, or None if it is about no job. *whatever_runs*: an interrupt that names no job.
    *reads_output*: it reads what that job put out.
    """

    tool: str
    identity: str
    transport: str = "stdio"
    args: Mapping[str, Any] | None = None
    final: bool = False
    owner: str | None = None
    whatever_runs: bool = False
    run: Run | None = None
    at_ms: int = 0
    at: Mapping[str, object] = field(default_factory=dict[str, object])
    """``time.*`` of policies; see `in_this_zone`."""
    reads_output: bool = False


@dataclass(frozen=True, slots=True)
class AppliedLimit:
    """A limit this call has to fit into; *amount* and *most* are millionths.

    *rule* is its JSON Pointer, *words* a clause for people without a full stop; *reason* is the
    policy's own text for a refusal by it, *name* the policy's name for it. *refund* is never,
    not_accepted, failed or settled (GPU time: the amount is corrected when the job has ended).
    *of_run*: the amount depends on the graph that runs, so each run of a call takes its own.
    *by_runs*: the runs that the call makes are under this limit themselves, so it takes nothing.
    """

    rule: str
    counter: str
    per_grant: bool
    amount: int
    most: int
    window_ms: int
    calendar: bool
    words: str
    name: str | None = None
    reason: str | None = None
    refund: str = "never"
    of_run: bool = False
    by_runs: bool = False


@dataclass(frozen=True, slots=True)
class Cap:
    """A whole number with the JSON Pointer of the key that sets it."""

    rule: str
    value: int


@dataclass(frozen=True, slots=True)
class Prefix:
    """What files have to be named like, with the JSON Pointer of the key that says so."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Asking:
    """What a person has to be asked, by all rules together that want one asked.

    *channel* is operator (decide out of the agent's reach), elicitation (the client asks its user)
    or any (the client, if it can; else the operator): the strictest word of all. *lives_ms* is how
    long question and answer hold, the shortest of all. *reasons* maps the JSON Pointer of each rule
    to its words.
    """

    channel: str
    lives_ms: int
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says to a question, counters aside.

    *step* names the step that decided (see `decide.STEPS`). *rule* is the JSON Pointer of what
    decided, empty for a tool that does not exist or must seem not to; *reason* is a sentence for
    the agent. *grant* is who the caller is in journal and counters. *limits*, *slots* (jobs of
    this caller at a time) and *job_ms* (how long a job may run) are what an allowed or approved
    call still has to fit into. *hidden_by* is the pointer of the ``hide`` entry: for the operator
    only, never for the agent. *fix* is ``{"path", "got", "max"}`` of a fact that is too large.
    *asking* is there if a person has to decide.
    """

    effect: Effect
    code: str
    rule: str
    reason: str
    step: str
    grant: str = ""
    limits: tuple[AppliedLimit, ...] = ()
    slots: tuple[Cap, ...] = ()
    job_ms: Cap | None = None
    hidden_by: str = ""
    fix: Mapping[str, Any] | None = None
    asking: Asking | None = None


def in_this_zone(at_ms: int, zone: tzinfo | None = None) -> dict[str, object]:
    """``time.*`` at *at_ms*: hour, minute, weekday (mon ... sun) and date in *zone*, and utc_hour.

    Without *zone* it is that of this machine.
    """
    utc = datetime.fromtimestamp(at_ms / 1000, UTC)
    local = utc.astimezone(zone)
    return {
        "hour": local.hour,
        "minute": local.minute,
        "weekday": _DAYS[local.weekday()],
        "date": local.date().isoformat(),
        "utc_hour": utc.hour,
    }


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
