"""A request in one line, and the words that the longer account shares with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_mcp.oversight.errands import errand
from comfy_mcp.oversight.gauge import duration, number
from comfy_mcp.oversight.values import mapping, objects
from comfy_mcp.quoting import name, plain, quote
from comfy_mcp.store.asked import CANCELLED, QUESTION, ApprovalRow

__all__ = [
    "GLANCE",
    "MANY",
    "SUPERSEDED",
    "UNREADABLE",
    "amount",
    "decided_by",
    "few",
    "gpu_time",
    "heading",
    "is_above_one",
    "is_superseded",
    "many",
    "megapixels",
    "runs_of",
    "summary",
    "target_in_words",
    "workflow_in_words",
]

GLANCE = 80
"""Characters of an agent's words in a line of a list."""

MANY = 12
"""Names that are told one by one; of more only how many they are."""

TINY = 0.01
"""Megapixels below which a picture is only said to be small."""

SUPERSEDED = "ended by an edit of the policy"
"""What became of a request that the server itself took back."""

UNREADABLE = "cannot be read any more: somebody edited it in the state"

SHORT = 8
"""Characters of a prompt_id that tell it from others."""

_OWNERS: Mapping[str, str] = {
    "mine": "of the agent itself",
    "other agent": "of ANOTHER agent",
    "human": "of a PERSON, not of an agent",
}


def summary(row: ApprovalRow) -> str:
    """What is asked: ``run txt2img: 50 steps, 4.2 megapixels x 2, about 38 s of GPU time``.

    It has no free text of an agent, but for a question that an agent made up: its action is all
    there is to tell, so that stands in quotation marks.
    """
    facts = row.facts
    if facts.get("unreadable") is True:
        return UNREADABLE
    if row.kind == QUESTION:
        return f"the agent asks: {quote(facts.get('action', ''), GLANCE).in_marks}"
    if "graph" in facts or "workflow" in facts:
        size = ", ".join([*_size(mapping(facts.get("graph"))), gpu_time(facts)])
        times = f", {runs} times, the largest of them" if (runs := runs_of(facts)) else ""
        return f"run {workflow_in_words(facts)}{times}: {size}"
    touched = [target_in_words(one) for one in objects(facts.get("targets"))]
    if touched and errand(row) is None:
        left = facts.get("targets_left_out")
        count = len(touched) + (left if isinstance(left, int) and left > 0 else 0)
        if count > 1:
            return f"{plain(row.tool)}: {count} jobs: {touched[0]} and {count - 1} more"
        return f"{plain(row.tool)}: {touched[0]}"
    plainly = errand(row)
    return f"{plain(row.tool)}: {plainly.what}" if plainly else plain(row.tool)


def heading(row: ApprovalRow) -> str:
    """As `summary`, but never with a free text of an agent."""
    return "The agent asks a question of its own." if row.kind == QUESTION else summary(row)


def decided_by(row: ApprovalRow) -> str:
    """Who decided, as a clause: ``by ada (terminal)``; empty if nobody did."""
    channel, user = row.by.get("channel"), row.by.get("user")
    who = f"by {plain(user, GLANCE)}" if user else ""
    where = f"({plain(channel, GLANCE)})" if channel else ""
    return " ".join(word for word in (who, where) if word)


def is_superseded(row: ApprovalRow) -> bool:
    """The server took *row* back, since it was under a policy that is not in force any more."""
    return row.status == CANCELLED and row.by.get("channel") == "guard"


def target_in_words(target: Mapping[str, Any]) -> str:
    """A job that would be touched, whose it is, and what became of it since (see `targets`)."""
    job = f"job {name(str(target.get('prompt_id', '?'))[:SHORT])}"
    grant = target.get("grant")
    whose = _OWNERS.get(str(target.get("owner")), "of somebody")
    named = f" ({name(grant)})" if grant else ""
    what = [name(target[key]) for key in ("workflow", "status") if target.get(key)]
    since = f" when asked, {name(target['now'])} now" if target.get("now") else ""
    return f"{job} {whose}{named}{': ' if what else ''}{', '.join(what)}{since}"


def workflow_in_words(facts: Mapping[str, Any]) -> str:
    """Its name in the library, or that it comes from the agent."""
    called = facts.get("workflow")
    own = called is None or called == "inline"
    return "a workflow that the agent wrote" if own else name(called)


def runs_of(facts: Mapping[str, Any]) -> int:
    """How many runs one yes lets through, if it is a sweep; else 0."""
    runs = facts.get("runs")
    return runs if isinstance(runs, int) and not isinstance(runs, bool) and runs > 0 else 0


def gpu_time(facts: Mapping[str, Any]) -> str:
    """How long such a job takes, by those before it."""
    seconds = facts.get("estimate_s")
    if isinstance(seconds, int | float) and seconds >= 0:
        together = " for all of them" if runs_of(facts) else ""
        return f"about {duration(round(seconds * 1000))} of GPU time{together}"
    return "GPU time not known"


def amount(value: object) -> str:
    """A number as people write it; what is none is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "?"
    return number(round(value, 2))


def is_above_one(value: object) -> bool:
    """*value* is a number that is worth telling where one is the usual thing."""
    return isinstance(value, int | float) and value > 1


def many(value: object, word: str) -> str:
    """A number and its *word*, in the plural but for 1."""
    return f"{amount(value)} {word}{'' if amount(value) == '1' else 's'}"


def megapixels(value: object) -> str:
    """The size of a picture; a tiny one is not none."""
    tiny = isinstance(value, int | float) and 0 < value < TINY
    return f"under {TINY} megapixels" if tiny else f"{amount(value)} megapixels"


def few(names: list[str], most: int = MANY) -> str:
    """*names*; if they are more than *most* the first ones, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _size(graph: Mapping[str, Any]) -> list[str]:
    found = [many(graph["steps"], "step")] if graph.get("steps") else []
    if graph.get("megapixels"):
        batch = f" x {amount(graph['batch'])}" if is_above_one(graph.get("batch")) else ""
        found.append(f"{megapixels(graph['megapixels'])}{batch}")
    if is_above_one(graph.get("frames")):
        found.append(f"{amount(graph['frames'])} frames")
    return found or [many(graph.get("nodes"), "node")]
