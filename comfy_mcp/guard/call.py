"""A tool call as the gate sees it, and what the gate hands out for it: values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.question import AppliedLimit, Decision, Run
from comfy_mcp.permit import FreePermit, StopPermit, SubmitPermit, UploadPermit
from comfy_mcp.store.protocol import (
    Cooling,
    Frozen,
    JobRow,
    NewJob,
    NewSweep,
    Spend,
    SweepRow,
    Use,
)

__all__ = ["Call", "Granted", "Status", "Upload"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file about to be put into ComfyUI's input folder: its *name* there, its bytes' digest."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call about to happen.

    *tool* is the name it was called by; *identity* the caller's name as the transport gives it,
    *grant* who that is in journal and counters. *args* are the arguments, defaults filled in, None
    while they are not known. *run* and *job* are what a submit would do and make; *target* is the
    job the call is about and *owner* whose it is; *whatever_runs*: an interrupt that named no job;
    *stop_ms* is how long the target may be stopped. *targets* are several jobs of the caller's own
    that may be stopped together. *spend* is a person's yes that lets this very call through.
    *upload* is the file that it would put on the host; *frees*: it would make ComfyUI give memory
    back. *seen* are the arguments as rules look at them, where that is not as they were given: what
    a former run was instead of its id, an inline graph with its parameters in place.
    *reads_output*: it reads what *target*, a job of *owner*, put out, whichever tool it is.
    *variants* are the runs that it makes, each as a call of run_workflow, and *sweep* what they
    become together.
    """

    tool: str
    identity: str
    grant: str
    transport: str = "stdio"
    client: str | None = None
    args: Mapping[str, Any] | None = None
    run: Run | None = None
    job: NewJob | None = None
    target: str | None = None
    owner: str | None = None
    whatever_runs: bool = False
    stop_ms: int | None = None
    targets: tuple[str, ...] = ()
    spend: Spend | None = None
    upload: Upload | None = None
    frees: bool = False
    seen: Mapping[str, Any] | None = None
    reads_output: bool = False
    variants: tuple[Call, ...] = ()
    sweep: NewSweep | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """Leave to do what was asked; the permits are there where the call needs them.

    *call* is what was let through: what a person approved, where one was asked.

    *repeated* is the job, *sweep* the sweep, that an earlier call with the same idempotency key
    made: nothing is to be submitted. *written* is False for a read whose decision could not be
    written down. *variants* has the leave for each of the call's variants, in their order; *noted*
    is for `note`.
    """

    decision_id: str
    call: Call
    submit: SubmitPermit | None = None
    stop: StopPermit | None = None
    upload: UploadPermit | None = None
    free: FreePermit | None = None
    repeated: JobRow | None = None
    written: bool = True
    variants: tuple[Granted, ...] = ()
    sweep: SweepRow | None = None
    noted: dict[int, str] = field(default_factory=dict[int, str])

    def note(self, index: int, outcome: str) -> None:
        """Say how the variant with this index ended, if not as the call: ok or an error's code."""
        self.noted[index] = outcome


@dataclass(frozen=True, slots=True)
class Status:
    """How one caller stands: what the policy says to each tool it sees, and what is used up.

    *limits* has each account once, with how full it is; *slots* the caps on unfinished jobs, which
    are *unfinished*. *standing* refuses everything at the moment; *degraded* says why the newest
    policy file is not in force.
    """

    grant: str
    loaded: Loaded
    decisions: Mapping[str, Decision]
    limits: tuple[tuple[AppliedLimit, Use], ...] = ()
    slots: tuple[Use, ...] = ()
    unfinished: tuple[JobRow, ...] = ()
    standing: Frozen | Cooling | None = None
    degraded: str | None = None
