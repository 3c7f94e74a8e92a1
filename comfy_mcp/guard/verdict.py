"""What one step of a decision says: values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from comfy_mcp.guard.question import Asking, Effect

__all__ = ["Verdict", "deny"]


class Verdict(NamedTuple):
    """The word of the step that decides; its fields are those of `Decision`."""

    effect: Effect
    code: str
    rule: str
    reason: str
    hidden_by: str = ""
    fix: Mapping[str, Any] | None = None
    asking: Asking | None = None


def deny(
    code: str, rule: str, reason: str, own: str | None = None, fix: Mapping[str, Any] | None = None
) -> Verdict:
    """A no: *reason* is what happened and what to change, *own* what the policy adds to that."""
    return Verdict(Effect.DENY, code, rule, f"{reason} {own}" if own else reason, fix=fix)
