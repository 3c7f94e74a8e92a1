"""How a ComfyUI stands: what it has queued, whether it works, what it is; frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Capabilities",
    "Device",
    "FinishedJob",
    "HostStatus",
    "QueueView",
    "Queued",
    "Submitted",
    "Worker",
]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that ComfyUI took: *dropped* are outputs it left out, in words.

    *known_as* is the id that ComfyUI gave it, None if it kept ours; *number* its place in the
    order of runs, which begins at 0 when ComfyUI starts.
    """

    dropped: tuple[str, ...] = ()
    known_as: str | None = None
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """A job that runs or waits; *created_ms* only where ComfyUI tells it."""

    prompt_id: str
    number: float
    created_ms: int | None = None


@dataclass(frozen=True, slots=True)
class QueueView:
    """All that runs and all that waits, in the order in which it will run."""

    running: tuple[Queued, ...]
    pending: tuple[Queued, ...]


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A job that ComfyUI remembers; *outcome* is completed, failed or cancelled."""

    prompt_id: str
    outcome: str
    created_ms: int | None = None


class Worker(StrEnum):
    """Whether ComfyUI works on its queue."""

    ALIVE = "alive"
    """Its log has no sign of the worker's death (it may be busy for long with one thing)."""
    DEAD = "dead"
    """Its log says that the worker thread ended with an exception: only a restart helps."""
    UNKNOWN = "unknown"
    """Its log cannot be read, as behind most proxies."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU (or the CPU); bytes, None where ComfyUI does not say."""

    name: str
    type: str
    vram_total: int | None = None
    vram_free: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this ComfyUI was found to be able to do.

    *chosen_ids*: it keeps our prompt_id; *jobs*: it has /api/jobs; *atomic_cancel*: one route
    cancels whatever state a job is in; *targeted_interrupt*: an interrupt can name its job.
    """

    chosen_ids: bool
    jobs: bool
    atomic_cancel: bool
    targeted_interrupt: bool


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A look at the whole host; *version* None for a fork's own name; bytes of main memory."""

    version: str
    capabilities: Capabilities
    devices: tuple[Device, ...]
    ram_total: int | None
    ram_free: int | None
    worker: Worker
