"""Of the promise that every state backend keeps, what is about calls that make many jobs."""

from __future__ import annotations

from typing import Protocol

from comfy_mcp.store.swept import (
    AdmittedTogether,
    NewSweep,
    RepeatedSweep,
    SweepRow,
    TogetherRefused,
)
from comfy_mcp.store.values import Admission, JobRow

__all__ = ["Together"]


class Together(Protocol):
    """Letting in together, sweeps, and where jobs came from."""

    async def admit_together(
        self, admissions: tuple[Admission, ...], sweep: NewSweep | None = None
    ) -> AdmittedTogether | RepeatedSweep | TogetherRefused:
        """Take and write all of *admissions* in their order, each as `admit` would; or do nothing.

        What is taken is what they would take one after the other: charges and jobs of earlier ones
        count for later ones. Their jobs become those of *sweep*, in this order. A freeze or
        a cool-down is looked at first, then the key of *sweep*, then all else. All are at the time
        of the first; at most one spends an approval, which has to be of the host of *sweep*.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def would_fit(self, admissions: tuple[Admission, ...]) -> TogetherRefused | None:
        """How many of *admissions* fit together, and what leaves no room; None if all do.

        As `admit_together` would find charges and slots; takes nothing, and looks at nothing else.
        """
        ...

    async def sweep(self, sweep_id: str, *, grant: str | None = None) -> SweepRow | None:
        """One sweep; with *grant*, only one of this grant."""
        ...

    async def sweep_jobs(self, sweep_id: str) -> tuple[JobRow, ...]:
        """The jobs of a sweep, in the order in which they were asked for."""
        ...

    async def sweeps(
        self, host: str, grant: str, *, before: int | None = None, count: int
    ) -> tuple[SweepRow, ...]:
        """At most *count* sweeps of *grant* on *host*, newest first, *before* the row's number.

        Each comes without its data ("").
        """
        ...

    async def keyed_sweep(self, host: str, grant: str, key: str) -> SweepRow | None:
        """The sweep that *grant* made on *host* with this idempotency key.

        One of which ComfyUI took no job at all (all are ``refused``) has given its key back.
        """
        ...

    async def origin(self, prompt_id: str) -> str | None:
        """The origin that a job was submitted with; None if it had none, or it was forgotten.

        The newest are kept: so many, and so much of them, as the backend says.
        """
        ...
