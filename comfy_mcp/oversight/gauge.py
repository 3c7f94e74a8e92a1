"""How full a limit is, as people and programs read it."""

from __future__ import annotations

from typing import Any

from comfy_mcp.guard.wording import window_in_words
from comfy_mcp.oversight.standing import Gauge
from comfy_mcp.store.protocol import EVERYBODY, UNIT, Account

__all__ = [
    "HEADINGS",
    "account_cells",
    "again",
    "duration",
    "gauge_cells",
    "gauge_object",
    "number",
    "plain",
    "seconds",
]

HEADINGS = ("counter", "holder", "used", "max", "window", "room again", "rule")

MINUTE, HOUR = 60, 3600


def gauge_cells(gauge: Gauge) -> tuple[str, ...]:
    """A limit of the policy, under `HEADINGS`."""
    limit, use = gauge.limit, gauge.use
    return (
        limit.counter,
        _holder(gauge.holder),
        plain(use.used),
        plain(limit.most),
        window_in_words(limit.window_ms, calendar=limit.calendar),
        again(use.retry_after_ms),
        limit.rule,
    )


def account_cells(account: Account) -> tuple[str, ...]:
    """An account that no limit of the policy looks at, under `HEADINGS`."""
    used = plain(account.amount)
    return (account.counter, _holder(account.holder), used, "", "", "", "no limit of this policy")


def gauge_object(gauge: Gauge) -> dict[str, Any]:
    """A limit of the policy as JSON values."""
    return {
        "counter": gauge.limit.counter,
        "holder": gauge.holder,
        "used": gauge.use.used / UNIT,
        "max": gauge.limit.most / UNIT,
        "window_s": gauge.limit.window_ms / 1000,
        "retry_after_s": seconds(gauge.use.retry_after_ms),
        "rule": gauge.limit.rule,
    }


def again(wait_ms: int | None) -> str:
    """When there is room for one more call like that."""
    if wait_ms is None:
        return "never"
    return f"in {duration(wait_ms)}" if wait_ms else "now"


def duration(milliseconds: int) -> str:
    """``45 s``, ``3 min 5 s``, ``26 h 3 min``: rounded up to seconds."""
    whole = -(-milliseconds // 1000)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def plain(millionths: int) -> str:
    """An amount as a decimal number without needless zeros."""
    whole, rest = divmod(millionths, UNIT)
    return f"{whole}.{rest:06}".rstrip("0") if rest else str(whole)


def number(value: float) -> str:
    """A number without needless zeros, and never in powers of ten."""
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")


def seconds(wait_ms: int | None) -> float | None:
    """Milliseconds as seconds."""
    return None if wait_ms is None else wait_ms / 1000


def _holder(holder: str) -> str:
    return "everybody" if holder == EVERYBODY else holder
