"""Several jobs that were admitted together: frozen values.

Times are whole milliseconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from comfy_mcp.store.asked import Unapproved
from comfy_mcp.store.values import Cooling, Frozen, Full, Repeated

__all__ = [
    "MOST_TEXT",
    "AdmittedTogether",
    "Keep",
    "NewSweep",
    "RepeatedSweep",
    "SweepRow",
    "TogetherRefused",
]

MOST_TEXT = 2_000_000
"""Bytes of UTF-8 that `NewJob.origin` and `NewSweep.data` may have; a longer one is not kept."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of origins and of what sweeps asked for: so many texts and packed bytes."""

    texts: int = 20_000
    bytes: int = 256_000_000


@dataclass(frozen=True, slots=True)
class NewSweep:
    """Jobs about to be submitted together; the id begins with ``swp_``.

    *data* is JSON text about what was asked for, understood by whoever made it. *key* is the
    caller's idempotency key, "" for none, and *request* the digest of what it asked for, before
    chance and policy changed anything.
    """

    sweep_id: str
    grant: str
    host: str
    workflow: str
    data: str = ""
    key: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A sweep of the journal; *prompt_ids* are its jobs in the order in which they were asked for.

    *data* is "" where it is not kept (any more), and in lists. *seq* is the row's number: newer
    sweeps have higher ones.
    """

    sweep_id: str
    grant: str
    host: str
    workflow: str
    decision_id: str
    created_ms: int
    key: str
    request: str
    seq: int
    data: str = ""
    prompt_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdmittedTogether:
    """Everything of every admission was taken and written; *at_ms* is the time it counts from."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class RepeatedSweep:
    """Nothing was taken nor written: *sweep* was admitted before, with its grant, host and key.

    Whether it was the same request is for the caller to compare.
    """

    sweep: SweepRow


@dataclass(frozen=True, slots=True)
class TogetherRefused:
    """Nothing was taken nor written: the first *index* admissions would fit, the next one not.

    *answer* is what all of them together are refused by. For a `Full` one *alone* tells how many,
    the first ones, would fit if nothing else had been taken. If those are all, waiting helps:
    *answer* is what lets the fewest in now, with the longest wait of all charges, whatever its
    cause (None: only slots are missing). If not, it is what lets the fewest in even then. *used* in
    it is what was taken before any of them; *slot* is the cap that leaves too few slots now.
    """

    index: int
    answer: Repeated | Full | Frozen | Cooling | Unapproved
    alone: int | None = None
    slot: Full | None = None
