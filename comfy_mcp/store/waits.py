"""Waits as the caller has to wait, whose clock may be behind the last time that the state saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from comfy_mcp.store.protocol import (
    Cooling,
    Crowded,
    Frozen,
    Full,
    TogetherRefused,
    Use,
)

__all__ = ["for_caller"]

_Answer = TypeVar("_Answer", bound=Full | Frozen | Cooling | Crowded | Use | TogetherRefused | None)


def for_caller(answer: _Answer, ahead_ms: int) -> _Answer:
    """*answer* with a wait that is exact for the caller, whose clock may be behind *ahead_ms*."""
    if isinstance(answer, TogetherRefused) and isinstance(answer.answer, Full):
        return replace(answer, answer=for_caller(answer.answer, ahead_ms))
    if isinstance(answer, Full | Cooling | Crowded | Use) and answer.retry_after_ms:
        return replace(answer, retry_after_ms=answer.retry_after_ms + ahead_ms)
    return answer
