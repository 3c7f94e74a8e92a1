"""What a person is asked, and what became of it: frozen values.

Times are whole milliseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "APPROVED",
    "CALL",
    "CANCELLED",
    "CLIENT",
    "DENIED",
    "EXPIRED",
    "HOURLY",
    "MOST_PAYLOAD",
    "MOVES",
    "OPERATOR",
    "PENDING",
    "QUESTION",
    "SPENT",
    "ApprovalRow",
    "Crowded",
    "Figure",
    "NewApproval",
    "Parked",
    "Ruling",
    "Spend",
    "TooLarge",
    "Unapproved",
]

CALL = "call"
"""The kind of a request to let one call through."""

QUESTION = "question"
"""The kind of a request that an agent made up itself: its answer lets nothing through."""

OPERATOR, CLIENT = "operator", "client"
"""Whose word an answer is: a person's out of the agent's reach, or what the agent's client said."""

HOURLY = 60
"""New requests of one grant in any rolling hour, of both kinds, on all hosts together.

Whoever asks and takes back in a loop writes no more than that, and no person could read more."""

MOST_PAYLOAD = 8_000_000
"""Bytes of canonical JSON that the payload of a request may have."""

PENDING, APPROVED, DENIED = "pending", "approved", "denied"
CANCELLED, SPENT, EXPIRED = "cancelled", "spent", "expired"

MOVES: Mapping[str, frozenset[str]] = {
    PENDING: frozenset({APPROVED, DENIED, CANCELLED}),
    APPROVED: frozenset({SPENT, DENIED, CANCELLED}),
    DENIED: frozenset({APPROVED}),
    CANCELLED: frozenset(),
    SPENT: frozenset(),
    EXPIRED: frozenset(),
}
"""How an approval may move; only an operator turns a no into a yes.

Nobody writes ``expired``: a request that is pending or approved is expired from
`ApprovalRow.expires_ms` on, and nothing moves it any more. A no is forgotten then."""


@dataclass(frozen=True, slots=True)
class NewApproval:
    """A request to a person; it lives *lives_ms*.

    *match* is the digest by which the same request is found again; *effect* the digest of
    *payload*, which is exactly what a yes lets through; *policy* is the revision it was judged
    under. *facts* are what a person is shown, *channel* who may answer (operator, elicitation or
    any).
    """

    approval_id: str
    kind: str
    grant: str
    host: str
    tool: str
    match: str
    effect: str
    policy: str
    payload: Mapping[str, Any]
    facts: Mapping[str, Any]
    channel: str = "operator"
    client: str | None = None
    lives_ms: int = 3_600_000


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A request as it stands.

    *status* is one of `MOVES`, with ``expired`` worked out from the time it was read at. *by* says
    who decided: channel, user and assurance (operator or client). *changes* maps what a person
    changed to ``[before, after]``; then *payload*, *effect* and *facts* are the changed ones.
    *decision_id* and *prompt_id* tell what it was spent for. *seq* is the row's number.

    A request that was cancelled or spent has no payload any more ({}), and one that is over loses
    it some time later; *effect* still says what it was. In a list, one that somebody edited until
    it cannot be read has the facts ``{"unreadable": True}`` and no payload.
    """

    approval_id: str
    kind: str
    grant: str
    host: str
    tool: str
    match: str
    effect: str
    policy: str
    payload: Mapping[str, Any]
    facts: Mapping[str, Any]
    channel: str
    client: str | None
    status: str
    created_ms: int
    expires_ms: int
    decided_ms: int | None = None
    by: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    decision_id: str = ""
    prompt_id: str | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """The request that stands for what was asked; *is_new*: it was written now.

    Else it is the one that was there: pending, approved or denied, not expired.
    """

    row: ApprovalRow
    is_new: bool


@dataclass(frozen=True, slots=True)
class Crowded:
    """Nothing was written: as many requests of this grant wait as may, or it asked too often.

    *pending* of them wait. *retry_after_ms* is how long until there is room in the hour (see
    `HOURLY`), to the millisecond; None if too many wait: nobody knows when one is answered.
    """

    pending: int
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Nothing was written: the payload has so many *bytes* of canonical JSON, and *most* fit."""

    bytes: int
    most: int = MOST_PAYLOAD


@dataclass(frozen=True, slots=True)
class Ruling:
    """What somebody decides about a request: *status* is approved, denied or cancelled.

    With *changes* an approval is for *payload*, *effect* and *facts* instead of what was asked
    (None: as they were; *payload* has to be there, and of a call *effect*, too).
    """

    status: str
    by: Mapping[str, Any]
    reason: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    payload: Mapping[str, Any] | None = None
    effect: str | None = None
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """A yes to be used up by an admission: only if it is for this *effect* and *policy*.

    *assurance* is the least that the yes must have: `OPERATOR`, or `CLIENT` for either. A client's
    yes to a request whose channel is the operator is none.
    """

    approval_id: str
    effect: str
    policy: str
    assurance: str = OPERATOR


@dataclass(frozen=True, slots=True)
class Unapproved:
    """Nothing was taken nor written: the yes cannot be used; *row* is how it stands, if it is."""

    row: ApprovalRow | None


@dataclass(frozen=True, slots=True)
class Figure:
    """How requests of one grant for one tool went; *median_ms* from question to answer.

    *approved* counts every yes, used (*spent*) or not, that nobody took back; *expired* those that
    nobody answered. Each request counts once in approved, denied, expired, cancelled and pending.
    """

    grant: str
    tool: str
    asked: int
    approved: int
    denied: int
    expired: int
    cancelled: int
    pending: int
    spent: int
    median_ms: int | None
