"""What goes into a store and comes out of it: frozen values.

Times are whole milliseconds since the Unix epoch; amounts are whole millionths (one call is
1_000_000), so that no rounding can let a call through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from comfy_mcp.store.asked import Spend

__all__ = [
    "EVERYBODY",
    "FINAL",
    "LONGEST_GPU_MS",
    "REFUSALS",
    "UNIT",
    "Account",
    "Admission",
    "Admitted",
    "AuditRow",
    "Charge",
    "Cooling",
    "Freeze",
    "Frozen",
    "Full",
    "Head",
    "JobRow",
    "MadeFile",
    "NewJob",
    "Refund",
    "Repeated",
    "SlotCap",
    "Tally",
    "Use",
]

UNIT = 1_000_000
"""Millionths in one."""

EVERYBODY = "*"
"""The holder of an account that all callers share, and the grant of a freeze of all."""

FINAL = frozenset({"completed", "failed", "cancelled", "lost", "refused"})
"""Statuses that never change again; ``refused`` means that ComfyUI never took the job."""

REFUSALS = "refusals!"
"""The counter of refusals; no policy can write this name."""

LONGEST_GPU_MS = 366 * 86_400_000
"""No job is taken to have run for longer, whatever the clock of its host says."""


class Refund(StrEnum):
    """When the row of a charge is given back, whole, and that row only."""

    NEVER = "never"
    NOT_ACCEPTED = "not_accepted"
    """ComfyUI provably never took the job: its final status is ``refused``."""
    FAILED = "failed"
    """As before, or the job ended as ``failed``."""
    SETTLED = "settled"
    """GPU time: replaced by what the job took, once that is known; as much as reserved if never."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One limit and what a call takes from it.

    *counter* and *holder* name the account (holder is a grant, or ``*`` for everybody);
    *amount* and *most* are millionths; *rule* is the JSON Pointer of the limit; *calendar* means
    fixed windows aligned to UTC instead of a rolling one. Amounts are never negative.
    """

    counter: str
    holder: str
    amount: int
    most: int
    window_ms: int
    rule: str
    calendar: bool = False
    refund: Refund = Refund.NEVER


@dataclass(frozen=True, slots=True)
class SlotCap:
    """At most *most* unfinished jobs of *grant* on *host*; *rule* is the cap's JSON Pointer."""

    grant: str
    host: str
    most: int
    rule: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job about to be submitted; it holds an in-flight slot until a final status is written.

    *shape* tells jobs that take about as long from others; *cap_ms* is how long it may run, by the
    rule at the JSON Pointer *cap_rule*. *key* is the caller's idempotency key, "" for none, and
    *request* the digest of what it asked for, before chance and policy changed anything. *origin*
    is JSON text about where the graph came from, "" for none: see `Store.origin`.
    """

    prompt_id: str
    grant: str
    host: str
    workflow: str
    digest: str
    shape: str = ""
    cap_ms: int | None = None
    cap_rule: str = ""
    key: str = ""
    request: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """All that one admitted call takes, and the audit record of the decision: all or nothing.

    *grant* is who calls and *reads* whether the call changes nothing: a freeze may spare reads.
    *spend* is the person's yes that it uses up.
    """

    decision_id: str
    now_ms: int
    record: Mapping[str, Any]
    grant: str = ""
    reads: bool = False
    charges: tuple[Charge, ...] = ()
    slots: tuple[SlotCap, ...] = ()
    job: NewJob | None = None
    spend: Spend | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Everything was taken and written; *at_ms* is the time it counts from."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """Nothing was taken nor written: *job* was admitted before, with the same grant, host and key.

    Whether it was the same request is for the caller to compare.
    """

    job: JobRow


@dataclass(frozen=True, slots=True)
class Full:
    """Nothing was taken nor written, because of one charge or slot cap.

    *used* is in millionths for a charge, a number of jobs for a cap. *retry_after_ms* is the exact
    wait after which the same call fits if nobody else takes anything, ``None`` if waiting cannot
    help (the amount alone is above the maximum) or cannot be known (a slot).
    """

    cause: Charge | SlotCap
    used: int
    retry_after_ms: int | None


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nothing was taken nor written: the operator froze *grant* (or everybody) at *at_ms*."""

    grant: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Cooling:
    """Nothing was taken nor written: too many refusals; *retry_after_ms* is the exact wait."""

    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Refusals of *grant* are counted: at *most* within *window_ms* it cools for *cooldown_ms*."""

    grant: str
    most: int
    window_ms: int
    cooldown_ms: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """An operator's order: *grant* (or everybody) may do nothing; *keep_reads* spares reads."""

    grant: str
    reason: str = ""
    keep_reads: bool = False
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """How full one charge's account or one cap is.

    *used* is in millionths, or a number of jobs. *retry_after_ms* is 0 if *amount* more fits now,
    else the exact wait until it does; None if it never will or cannot be known.
    """

    cause: Charge | SlotCap
    used: int
    retry_after_ms: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """What one account holds: all rows that are still kept, whatever the window of its limit."""

    counter: str
    holder: str
    rows: int
    amount: int
    oldest_ms: int
    newest_ms: int


@dataclass(frozen=True, slots=True, order=True)
class MadeFile:
    """A file that a job put out; *type* is output or temp."""

    type: str
    subfolder: str
    filename: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last audit row and the last time that was seen; *hash* of an empty log is 64 zeros."""

    seq: int
    hash: str
    last_ms: int


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of the journal. *status* is ``submitting`` until ComfyUI is known to have it.

    *result* holds what was learnt at its end (outputs, error, timings) as JSON values.
    *running_ms* is when somebody first saw it run, *gpu_ms* how long it ran by the host's clock.
    *seq* is the row's number: newer jobs have higher ones. *progress* is what was last noted of a
    job that has not ended. *sweep* is the id of the sweep that it belongs to, "" for none, and
    *place* its index there, from 0.
    """

    prompt_id: str
    grant: str
    host: str
    workflow: str
    digest: str
    decision_id: str
    status: str
    created_ms: int
    changed_ms: int
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    shape: str = ""
    cap_ms: int | None = None
    cap_rule: str = ""
    running_ms: int | None = None
    gpu_ms: int | None = None
    key: str = ""
    request: str = ""
    seq: int = 0
    progress: Mapping[str, Any] | None = None
    sweep: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit log: *hash* covers *previous* and the canonical JSON of *record*."""

    seq: int
    at_ms: int
    previous: str
    hash: str
    record: Mapping[str, Any]
