"""The weather: what can be made to go wrong on an embedded host, while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["ANSWERS", "SOCKETS", "BadAnswer", "Faults"]

ANSWERS = ("html", "truncated", "wrong_types", "huge", "reset", "slow", "mute")
"""What `BadAnswer.what` can be, beside a status."""

SOCKETS = ("fine", "refused", "silent", "stalled", "dropped", "garbage", "flood")
"""What `Faults.socket` can be."""


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """A wrong answer to requests of *method* (``*``: any) whose path matches the glob *path*.

    The path is without /api. *what*: a status such as "502" (a proxy's page of HTML), "500" (with
    aiohttp's own text), "html" (200), "truncated" (the body breaks off), "wrong_types" (JSON of
    another shape), "huge" (a right answer of *size* bytes and more), "reset" (the connection is
    dropped), "slow" (a right answer after *delay_ms*) or "mute" (none while the host runs).
    *after*: the request is carried out first. *times*: only so many requests (None: all).

    "429 QUEUE_LIMIT" is that status with that error type, in JSON: Comfy Cloud's way. A GET, and
    what is answered "huge", is carried out in any case; "slow" waits before or, with *after*,
    after that. A websocket's handshake is never carried out first.

    Raises:
        ValueError: *what* is none of these.
    """

    what: str
    method: str = "*"
    path: str = "*"
    after: bool = False
    times: int | None = None
    delay_ms: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        if self.what not in ANSWERS:
            HTTPStatus(int(self.what.partition(" ")[0]))


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, and how much; all times in milliseconds, all off by default.

    *lost_cancel_ms*: time between a job leaving the queue and the reset of the interrupt flag; a
    cancel in it is answered and lost, and it ends when this is cleared. *deaf_ms*: every node takes
    at least that long and hears no interrupt. *success_before_history_ms*: time between
    execution_success and the history entry. *lose_answer*: "before" or "after": the connection of
    POST /prompt is dropped before or after the job was accepted. *answer_delay_ms*: delay of that
    answer, after the job was accepted. *socket*: "fine", "refused" (the handshake is answered 500),
    "silent" (accepted, never sends), "stalled" (the same, and no ping is answered), "dropped"
    (closed one message after execution_start), "garbage" (frames that mean nothing, between the
    others) or "flood" (thousands of them). *dead_worker*: the next job to start kills the worker
    and stays in queue_running for ever. *node_ms*: every node takes at least that long and hears an
    interrupt only at its end; it and *deaf_ms* may be cleared while the node runs, which then ends.
    *step_ms*: extra time per progress step. *http*: wrong answers; the first that matches counts.
    *takeover_fixed*: a second socket with the same clientId keeps its place when the first closes.
    *blocked_publisher*: a client that does not read holds up everybody's messages (ComfyUI's way).
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
    http: tuple[BadAnswer, ...] = ()
    takeover_fixed: bool = False
    blocked_publisher: bool = True
