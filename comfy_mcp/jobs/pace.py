"""How often ComfyUI is looked at, and how long things are tried: one value, all of it seconds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks: with a live socket, without one (grows up to *most*), and to be sure.

    *doubt* is the pause before a job that was not found is looked for once more; *search* is how
    long a job whose answer was lost is looked for; *forget* how old a submit must be before a job
    that ComfyUI does not know counts as lost. An adopted job that nobody waits for is looked at as
    seldom as with a live socket; *sweep* is the time between two searches for jobs to adopt. The
    watchdog tries to stop a job for *stop* at a time, and tries again after *again*. After
    *silence* without an event or any change ComfyUI is asked whether it works at all. *order* is
    how long whoever takes a job out of the queue is left to say so itself. While the answer to a
    submit is not there the job is looked for every *patience*.
    """

    live: float = 5.0
    least: float = 0.25
    most: float = 2.0
    doubt: float = 0.3
    search: float = 10.0
    forget: float = 90.0
    sweep: float = 60.0
    stop: float = 30.0
    again: float = 30.0
    silence: float = 15.0
    order: float = 5.0
    patience: float = 2.0
