"""Limits in words: what a refused agent and an operator read instead of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.guard.policy import Place

if TYPE_CHECKING:
    from comfy_mcp.guard.policy import Limit, Rule

__all__ = ["limit_in_words", "window_in_words"]

_UNIT = 1_000_000
_WINDOWS = {
    1: "second",
    60: "minute",
    3600: "hour",
    86_400: "day",
    604_800: "week",
}


def limit_in_words(rule: Rule, limit: Limit, called: str) -> str:
    """*limit* of *rule* as a clause: ``run_workflow may be called 10 times per minute``."""
    window = window_in_words(limit.window_ms, calendar=limit.calendar)
    everybody = "" if limit.per_grant else " by all agents together"
    who = _who(rule, called)
    if limit.amount > limit.most:
        return f"{who} may not be called at all{everybody}"
    if limit.amount == _UNIT:
        return f"{who} may be called {_times(limit.most)} per {window}{everybody}"
    return (
        f'{who} may take {_plain(limit.most)} from "{limit.counter}" per {window}{everybody}'
        f" and one call takes {_plain(limit.amount)}"
    )


def window_in_words(window_ms: int, *, calendar: bool) -> str:
    """``minute``, ``90 seconds``, ``calendar day (UTC)``."""
    seconds = window_ms // 1000
    words = _WINDOWS.get(seconds, f"{seconds} seconds")
    return f"calendar {words} (UTC)" if calendar else words


def _who(rule: Rule, called: str) -> str:
    if rule.place is Place.ALL:
        return "all tools together"
    if rule.place is Place.CLASS:
        return f"all {rule.match} tools together"
    if "*" in rule.match or "?" in rule.match:
        return f"all tools named {rule.match} together"
    return called


def _times(most: int) -> str:
    whole = most // _UNIT
    return "once" if whole == 1 else f"{whole} times"


def _plain(amount: int) -> str:
    """Millionths as a decimal number without needless zeros."""
    whole, rest = divmod(amount, _UNIT)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".") if rest else str(whole)
