"""What the policy in force says to a call; whatever it stumbles over, the word is no."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from comfy_mcp.guard.call import Call
from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.question import Decision, Question, in_this_zone
from comfy_mcp.guard.second_look import refusal_of
from comfy_mcp.guard.source import PolicySource

__all__ = ["Hearing", "Judged"]

log = logging.getLogger(__name__)

BROKEN = "The guard could not judge this call, so it was refused; this is a fault of the program."
CLOSED = "The newest policy file cannot be used, and until it can everything is refused."


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision and the policy it was made under."""

    decision: Decision
    loaded: Loaded


class Hearing:
    """Asks the policy of *source*; *zone* is for ``time.*`` (None: this machine's)."""

    def __init__(
        self, source: PolicySource, now_ms: Callable[[], int], zone: tzinfo | None
    ) -> None:
        self._source = source
        self._now_ms = now_ms
        self._zone = zone

    def judge(self, call: Call, *, final: bool) -> Judged:
        """The policy's word on *call*; *final*: nothing more will be known about it."""
        loaded = self._source.current
        if self._source.closed is not None:
            return Judged(refusal_of("policy_unavailable", CLOSED), loaded)
        try:
            return Judged(decide(loaded.policy, self._question(call, final=final)), loaded)
        except Exception:
            log.exception("A call of %.128r could not be judged.", call.tool)
            return Judged(refusal_of("policy_unavailable", BROKEN), loaded)

    def _question(self, call: Call, *, final: bool) -> Question:
        now_ms = self._now_ms()
        return Question(
            tool=call.tool,
            identity=call.identity,
            transport=call.transport,
            args=call.args if call.seen is None else call.seen,
            final=final,
            owner=call.owner,
            whatever_runs=call.whatever_runs,
            reads_output=call.reads_output,
            run=call.run,
            at_ms=now_ms,
            at=in_this_zone(now_ms, self._zone),
        )
