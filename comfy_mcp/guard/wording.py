"""Limits and causes in words: what a refused agent and an operator read instead of numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from comfy_mcp.guard.policy import Place
from comfy_mcp.workflow.facts import Unknown

if TYPE_CHECKING:
    from comfy_mcp.guard.policy import GpuSeconds, Limit, Rule

__all__ = [
    "budget_in_words",
    "limit_in_words",
    "name_in_words",
    "node_in_words",
    "number_in_words",
    "shown",
    "undetermined_in_words",
    "window_in_words",
]

_UNIT = 1_000_000
_MOST = 10**15
_WINDOWS = {
    1: "second",
    60: "minute",
    3600: "hour",
    86_400: "day",
    604_800: "week",
}
_PLAIN = re.compile(r"[A-Za-z0-9_.:+-][A-Za-z0-9_.:+ -]{0,63}")
_FACTS = {
    "total_steps": "steps in all",
    "width": "pixels of width",
    "height": "pixels of height",
    "batch": "pictures at once",
    "bytes": "bytes of JSON",
    "models": "models",
    "folders": "folders of models",
    "node_classes": "node classes",
    "unknown_classes": "custom node classes",
    "output_prefixes": "names of outputs",
    "api_nodes": "partner nodes, which spend credits",
    "job_files": "files of other jobs",
    "queue_depth": "length of the queue",
    "estimate": "running time",
}


def limit_in_words(rule: Rule, limit: Limit, called: str) -> str:
    """*limit* of *rule* as a clause: ``run_workflow may be called 10 times per minute``."""
    window = window_in_words(limit.window_ms, calendar=limit.calendar)
    everybody = "" if limit.per_grant else " by all agents together"
    who = _who(rule, called)
    account = f'from "{limit.counter}" per {window}{everybody}'
    if limit.amount_from is not None:
        path = limit.amount_from.text
        return f"{who} may take {_plain(limit.most)} {account} and one call takes its {path}"
    if limit.amount > limit.most:
        return f"{who} may not be called at all{everybody}"
    if limit.amount == _UNIT:
        return f"{who} may be called {_times(limit.most)} per {window}{everybody}"
    return (
        f"{who} may take {_plain(limit.most)} {account} and one call takes {_plain(limit.amount)}"
    )


def budget_in_words(budget: GpuSeconds, called: str) -> str:
    """*budget* as a clause: ``run_workflow may use 1200 s of GPU time per hour``."""
    window = window_in_words(budget.window_ms, calendar=budget.calendar)
    everybody = "" if budget.per_grant else ", shared by all agents"
    return f"{called} may use {_plain(budget.most)} s of GPU time per {window}{everybody}"


def window_in_words(window_ms: int, *, calendar: bool) -> str:
    """``minute``, ``90 seconds``, ``calendar day (UTC)``."""
    seconds = window_ms // 1000
    words = _WINDOWS.get(seconds, f"{seconds} seconds")
    return f"calendar {words} (UTC)" if calendar else words


def shown(text: str) -> str:
    """A text that an agent chose: in quotes, cut, and without what cannot be seen."""
    return repr(text[:80])


def node_in_words(node_id: str, class_type: str, *, first: bool = False) -> str:
    """``node 3 (KSampler)``, ``Node`` where it is *first* in a sentence; odd names are quoted."""
    return f"{'Node' if first else 'node'} {name_in_words(node_id)} ({name_in_words(class_type)})"


def name_in_words(text: str) -> str:
    """A plain name as it is; what is stranger than that is `shown`."""
    return text if _PLAIN.fullmatch(text) else shown(text)


def number_in_words(fact: str, number: float) -> str:
    """``50 steps``, ``2048 pixels of width``."""
    return f"{_number(number)} {_FACTS.get(fact, fact)}"


def undetermined_in_words(fact: str, culprit: Unknown | str) -> str:
    """Why *fact* is not known, and what to do about it: two sentences."""
    what = _FACTS.get(fact, fact)
    if isinstance(culprit, str):
        return f"The {what} of this run cannot be determined: {culprit}."
    node = node_in_words(culprit.node_id, culprit.class_type)
    if not culprit.input_name:
        return (
            f"The {what} of this run cannot be determined: {node} is a custom node, and what it"
            " does is not known here. Use nodes of ComfyUI itself for this."
        )
    return (
        f"The {what} of this run cannot be determined: {name_in_words(culprit.input_name)} of"
        f" {node} cannot be foreseen, {culprit.why}. Write a plain value there."
    )


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


def _number(number: float) -> str:
    """Whole or with at most six decimals, and never in powers of ten."""
    if number > _MOST:
        return f"more than {_MOST}"
    if isinstance(number, int):
        return str(number)
    text = f"{Decimal(repr(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
