"""How people are asked: what one policy file says of it, and what holds for all files together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["UNSAID", "Approvals", "ApprovalsInForce", "strictest", "together"]

_STRICTEST = ("operator", "any", "elicitation")


@dataclass(frozen=True, slots=True)
class Approvals:
    """``approvals`` of a file; None is a key that is not there.

    *channel* is operator, elicitation or any; *most_pending* is for each grant; *wait_ms* is how
    long a call may wait for an answer; *webhook* is an http(s) URL that is told of every request.
    """

    where: str
    channel: str | None = None
    expires_ms: int | None = None
    most_pending: int | None = None
    wait_ms: int | None = None
    webhook: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApprovalsInForce:
    """How people are asked where no rule says otherwise."""

    channel: str
    expires_ms: int
    most_pending: int
    wait_ms: int


UNSAID = ApprovalsInForce(channel="operator", expires_ms=3_600_000, most_pending=5, wait_ms=25_000)
"""What a file means that asks a person and does not say how."""


def strictest(channels: Iterable[str]) -> str:
    """Who may answer if all of *channels* are asked for: operator before any before elicitation."""
    return min(channels, key=_STRICTEST.index, default=UNSAID.channel)


def together(files: Iterable[tuple[Approvals | None, bool]]) -> ApprovalsInForce:
    """The strictest of each key; of each file what it says, and whether it asks anybody.

    A file that asks means `UNSAID` by what it leaves out, so that no other file weakens it.
    """
    whole = tuple((said or Approvals(""), asks) for said, asks in files)
    return ApprovalsInForce(
        channel=strictest(
            one.channel or UNSAID.channel for one, asks in whole if asks or one.channel
        ),
        expires_ms=_least(((one.expires_ms, asks) for one, asks in whole), UNSAID.expires_ms),
        most_pending=_least(((one.most_pending, asks) for one, asks in whole), UNSAID.most_pending),
        wait_ms=_least(((one.wait_ms, asks) for one, asks in whole), UNSAID.wait_ms),
    )


def _least(said: Iterable[tuple[int | None, bool]], unsaid: int) -> int:
    meant = (number if number is not None else (unsaid if asks else None) for number, asks in said)
    return min((number for number in meant if number is not None), default=unsaid)
