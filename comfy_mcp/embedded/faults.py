"""The weather: what can be made to go wrong on an embedded host, while it runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Faults"]


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how much; all times in milliseconds, all off by default.

    *lost_cancel_ms*: time between a job leaving the queue and the reset of the interrupt flag; a
    cancel in it is answered and lost. *deaf_ms*: every node takes at least that long and hears no
    interrupt. *success_before_history_ms*: time between execution_success and the history entry.
    *lose_answer*: "before" or "after": the connection of POST /prompt is dropped before or after
    the job was accepted. *answer_delay_ms*: delay of that answer, after the job was accepted.
    *socket*: "fine", "refused" (the handshake is answered 500), "silent" (accepted, never sends)
    or "dropped" (closed one message after execution_start). *dead_worker*: the next job to start
    stays in queue_running for ever. *node_ms*: every node takes at least that long and hears an
    interrupt only at its end. *step_ms*: extra time per progress step.
    """

    lost_cancel_ms: int = 0
    deaf_ms: int = 0
    success_before_history_ms: int = 0
    lose_answer: str | None = None
    answer_delay_ms: int = 0
    socket: str = "fine"
    dead_worker: bool = False
    node_ms: int = 0
    step_ms: int = 0
