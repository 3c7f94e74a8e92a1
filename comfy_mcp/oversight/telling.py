"""Everything that a person needs to decide, as labelled lines written from the facts.

No free text of an agent is in here: `object.agent_words` has it, and terminal and page show it
apart, in quotation marks. Labels in capitals are warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from comfy_mcp.oversight.errands import errand
from comfy_mcp.oversight.gauge import duration
from comfy_mcp.oversight.glance import (
    GLANCE,
    MANY,
    SUPERSEDED,
    amount,
    decided_by,
    few,
    gpu_time,
    is_above_one,
    is_superseded,
    many,
    megapixels,
    runs_of,
    target_in_words,
    workflow_in_words,
)
from comfy_mcp.oversight.trail import moment
from comfy_mcp.oversight.values import items, mapping, objects
from comfy_mcp.quoting import MOST_LABEL, MOST_WHOLE, name, plain, quote, value
from comfy_mcp.store.asked import APPROVED, EXPIRED, PENDING, QUESTION, SPENT, ApprovalRow

__all__ = ["lines"]

FULL_NAMES = 1_000_000
"""Names in one line where somebody wants to see everything."""

HEAD = 16
"""Characters of a file's digest that tell it from others."""

SENTENCE = 500
"""Characters of a reason."""

Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """When somebody looks, and how much of it there is room for."""

    now_ms: int
    sentence: int = SENTENCE
    side: int = MOST_LABEL
    names: int = MANY


def lines(row: ApprovalRow, now_ms: int, *, full: bool = False) -> tuple[Line, ...]:
    """Label and text; a label may come more than once, or not at all if nothing is known.

    *full*: as many lines, with everything that is cut short else.
    """
    look = Look(now_ms, MOST_WHOLE, MOST_WHOLE, FULL_NAMES) if full else Look(now_ms)
    return tuple(line for tell in _TELLERS for line in tell(row, look))


def _request(row: ApprovalRow, look: Look) -> Iterator[Line]:
    age = duration(max(0, look.now_ms - row.created_ms))
    client = f", which calls itself {quote(row.client, GLANCE).in_marks}" if row.client else ""
    yield "request", f"{plain(row.approval_id)}, asked {age} ago"
    yield "asked by", f"{plain(row.grant)}{client}"


def _status(row: ApprovalRow, look: Look) -> Iterator[Line]:
    left = row.expires_ms - look.now_ms
    if row.status in {PENDING, APPROVED}:
        until = f"until {moment(row.expires_ms)} ({duration(max(0, left))} left)"
        yield "status", f"{row.status}, {until}"
    elif row.status == EXPIRED:
        yield "status", f"expired {duration(max(0, -left))} ago"
    elif is_superseded(row):
        yield "status", f"{row.status}: {SUPERSEDED}; the agent's next call asks anew"
    else:
        yield "status", "approved, used" if row.status == SPENT else row.status


def _answer(row: ApprovalRow, look: Look) -> Iterator[Line]:
    who = "by the server" if is_superseded(row) else decided_by(row)
    if row.decided_ms is not None and who:
        yield "decided", f"{who} at {moment(row.decided_ms)}"
    if row.by.get("assurance") == "client":
        yield "NOTE", "the agent's own client gave this answer; whether a person did is not known"
    if row.reason and not is_superseded(row):
        yield "reason", plain(row.reason, look.sentence)
    for key, pair in row.changes.items():
        was, now = (value(one, look.side) for one in pair)
        yield "changed", f"{name(key)}: {was} -> {now}"
    if row.prompt_id:
        yield "used for", f"job {plain(row.prompt_id)}"


def _rules(row: ApprovalRow, look: Look) -> Iterator[Line]:
    for rule, words in mapping(row.facts.get("asks")).items():
        yield "because of", f"{plain(rule)}: {plain(words, look.sentence)}"


def _what(row: ApprovalRow, _look: Look) -> Iterator[Line]:
    facts = row.facts
    if row.kind == QUESTION:
        yield "wants", "an answer to a question of its own"
        if "urgency" in facts:
            yield "urgency", f"{plain(facts['urgency'], GLANCE)}, as the agent sees it"
        return
    kind = f" ({plain(facts['class'], GLANCE)})" if "class" in facts else ""
    yield "tool", f"{plain(row.tool)}{kind}"
    yield "on", plain(facts.get("place") or row.host)
    if "workflow" in facts:
        title = f" ({quote(facts['title'], GLANCE).in_marks})" if facts.get("title") else ""
        yield "workflow", f"{workflow_in_words(facts)}{title}"
    if runs := runs_of(facts):
        yield "RUNS", f"{runs}: one yes lets all through; nodes, steps and size are of the largest"
    if (plainly := errand(row)) is not None:
        yield plainly.act.lower(), f"{plainly.what}: {plainly.words}"


def _graph(row: ApprovalRow, look: Look) -> Iterator[Line]:
    graph = mapping(row.facts.get("graph"))
    if not graph:
        return
    classes = mapping(graph.get("classes"))
    counted = [f"{name(one)}{f' x {amount(n)}' if n != 1 else ''}" for one, n in classes.items()]
    yield "nodes", f"{amount(graph.get('nodes', len(classes)))}: {few(counted, look.names)}"
    for folder, names in mapping(graph.get("models")).items():
        yield "models", f"{name(folder)}: {few([name(one) for one in items(names)], look.names)}"
    if graph.get("steps"):
        total = f", {amount(graph['total_steps'])} in all" if graph.get("total_steps") else ""
        yield "steps", f"{amount(graph['steps'])}{total}"
    if graph.get("width"):
        sides = f"{amount(graph.get('width'))} x {amount(graph.get('height'))} pixels"
        yield "size", f"{sides}, {megapixels(graph.get('megapixels'))}"
    if graph.get("batch"):
        yield "batch", f"{amount(graph['batch'])} at once"
    if is_above_one(graph.get("frames")):
        yield "frames", amount(graph["frames"])


def _cost(row: ApprovalRow, _look: Look) -> Iterator[Line]:
    facts = row.facts
    if "graph" in facts:
        known = facts.get("estimate_s") is not None
        why = ", as such jobs took before" if known else ": nothing like it was run before"
        changed = not known and bool(row.changes)
        yield "time", gpu_time(facts) + (": not asked after the changes" if changed else why)
    queue = mapping(facts.get("queue"))
    if queue:
        runs, waits = amount(queue.get("running")), amount(queue.get("pending"))
        yield "queue", f"{runs} running and {waits} waiting when it asked"
    if facts.get("front") is True:
        yield "FRONT", "it would be put before everything that waits"


def _files(row: ApprovalRow, look: Look) -> Iterator[Line]:
    for one in objects(row.facts.get("inputs")):
        digest, size = one.get("sha256"), one.get("bytes")
        parts = [
            plain(one["type"], GLANCE) if one.get("type") else "",
            f"sha256 {plain(str(digest)[:HEAD])}..." if digest else "not bound to its content",
            f"{size:,} bytes" if isinstance(size, int) else "",
            plain(one["why"], look.sentence) if one.get("why") else "",
        ]
        yield "reads", f"{name(one.get('name', '?'))} ({', '.join(p for p in parts if p)})"


def _targets(row: ApprovalRow, _look: Look) -> Iterator[Line]:
    for one in objects(row.facts.get("targets")):
        yield "TOUCHES", target_in_words(one)
    more = row.facts.get("targets_left_out")
    if isinstance(more, int) and more > 0:
        yield "TOUCHES", f"and {many(more, 'more job')}"


def _doubts(row: ApprovalRow, look: Look) -> Iterator[Line]:
    graph = mapping(row.facts.get("graph"))
    table = (
        ("api_nodes", "CREDITS", "partner nodes, which spend credits"),
        ("unknown_classes", "UNKNOWN", "nodes that are not ComfyUI's own"),
        ("undetermined", "NOT KNOWN", "cannot be foreseen and may be larger"),
    )
    for key, label, text in table:
        if names := [name(one) for one in items(graph.get(key))]:
            yield label, f"{text}: {few(names, look.names)}"


def _yes(row: ApprovalRow, _look: Look) -> Iterator[Line]:
    if row.status not in {PENDING, APPROVED}:
        return
    if row.kind == QUESTION:
        yield "a yes", "is told to the agent, and lets no call through"
        return
    what = "this run" if "graph" in row.facts else "this call"
    if runs := runs_of(row.facts):
        what = f"these {many(runs, 'run')}"
    until = moment(row.expires_ms)
    yield "a yes", f"lets exactly {what} through, once, until {until}, under the same policy"


_TELLERS: tuple[Callable[[ApprovalRow, Look], Iterator[Line]], ...] = (
    *(_request, _status, _answer, _rules, _what, _graph, _cost, _files, _targets, _doubts, _yes),
)
"""In the order of the lines."""
