"""A request in plain words, written from its facts: one line for a list, labelled lines to decide.

No free text of an agent is in here: `object.agent_words` has it, and terminal and page show it
apart, in quotation marks. The one exception is a question that an agent made up: its action is all
there is to tell, so it stands in the summary, quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from comfy_mcp.oversight.gauge import duration, number
from comfy_mcp.oversight.trail import moment
from comfy_mcp.oversight.words import plain, quote
from comfy_mcp.store.asked import APPROVED, DENIED, EXPIRED, PENDING, QUESTION, ApprovalRow

__all__ = ["decided_by", "lines", "summary", "target_in_words"]

SHORT = 8
"""Characters of a prompt_id or digest that tell it from others."""

HEAD = 12
"""Characters of a file's digest."""

MANY = 12
"""Names that are told one by one; of more only how many they are."""

GLANCE = 80
"""Characters of an agent's words in one line of a list."""

Line = tuple[str, str]


def summary(row: ApprovalRow) -> str:
    """What is asked in one line: ``run txt2img: 50 steps, 4.2 megapixels x 2, about 38 s ...``."""
    facts = row.facts
    if row.kind == QUESTION:
        return f"the agent asks: {quote(facts.get('action', ''), GLANCE).in_marks}"
    if "graph" in facts or "workflow" in facts:
        return f"run {_workflow(facts)}: {', '.join(_size(facts))}"
    touched = [target_in_words(one) for one in _objects(facts.get("targets"))]
    if touched:
        more = f" and {len(touched) - 1} more" if len(touched) > 1 else ""
        return f"{plain(row.tool)}: {touched[0]}{more}"
    return plain(row.tool)


def lines(row: ApprovalRow, now_ms: int) -> tuple[Line, ...]:
    """Everything that a person needs, as label and text; a label may come more than once."""
    return tuple(line for tell in _TELLERS for line in tell(row, now_ms))


def decided_by(row: ApprovalRow) -> str:
    """Who decided, as a clause: ``by ada on the terminal``; empty if nobody did."""
    channel, user = row.by.get("channel"), row.by.get("user")
    who = f"by {plain(user, GLANCE)}" if user else ""
    where = f"({plain(channel, GLANCE)})" if channel else ""
    return " ".join(word for word in (who, where) if word)


def target_in_words(target: Mapping[str, Any]) -> str:
    """A job that would be touched, and whose it is."""
    job = f"job {plain(str(target.get('prompt_id', '?'))[:SHORT])}"
    grant = target.get("grant")
    whose = _OWNERS.get(str(target.get("owner")), "of somebody")
    named = f" ({plain(grant, GLANCE)})" if grant else ""
    what = [plain(target[key], GLANCE) for key in ("workflow", "status") if target.get(key)]
    return f"{job} {whose}{named}{': ' if what else ''}{', '.join(what)}"


_OWNERS: Mapping[str, str] = {
    "mine": "of the agent itself",
    "other agent": "of ANOTHER agent",
    "human": "of a PERSON, not of an agent",
}


def _request(row: ApprovalRow, now_ms: int) -> Iterator[Line]:
    age = duration(max(0, now_ms - row.created_ms))
    client = f', which calls itself "{plain(row.client, GLANCE)}"' if row.client else ""
    yield "request", f"{plain(row.approval_id)}, asked {age} ago"
    yield "asked by", f"{plain(row.grant)}{client}"


def _status(row: ApprovalRow, now_ms: int) -> Iterator[Line]:
    left = row.expires_ms - now_ms
    if row.status in {PENDING, APPROVED}:
        until = f"until {moment(row.expires_ms)} ({duration(left)} left)"
        yield "status", f"{row.status}, {until}"
    elif row.status == EXPIRED:
        yield "status", f"expired {duration(max(0, -left))} ago: nobody decided in time"
    else:
        yield "status", row.status
    if row.decided_ms is not None and (who := decided_by(row)):
        yield "decided", f"{who} at {moment(row.decided_ms)}"
    if row.by.get("assurance") == "client":
        yield "note", "The agent's own client gave this answer: nobody can tell who did."
    if row.reason:
        yield "reason", plain(row.reason, 500)
    for name, pair in row.changes.items():
        was, now = pair
        yield "changed", f"{plain(name)}: {quote(was, GLANCE).in_marks} -> {_new(now)}"
    if row.prompt_id:
        yield "used for", f"job {plain(row.prompt_id)}"


def _rules(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    for rule, words in _mapping(row.facts.get("asks")).items():
        yield "because of", f"{plain(rule)}: {plain(words, 500)}"


def _what(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    facts = row.facts
    kind = f" ({plain(facts['class'], GLANCE)})" if "class" in facts else ""
    if row.kind == QUESTION:
        yield "wants", "an answer to a question of its own; no call is let through by it"
        if "urgency" in facts:
            yield "urgency", f"{plain(facts['urgency'], GLANCE)}, as the agent sees it"
        return
    yield "tool", f"{plain(row.tool)}{kind}"
    yield "on", plain(facts.get("place") or row.host)
    if "workflow" in facts:
        title = f" ({plain(facts['title'], GLANCE)})" if facts.get("title") else ""
        yield "workflow", f"{_workflow(facts)}{title}"


def _graph(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    graph = _mapping(row.facts.get("graph"))
    if not graph:
        return
    classes = _mapping(graph.get("classes"))
    counted = [f"{plain(name)} x {n}" if n != 1 else plain(name) for name, n in classes.items()]
    yield "nodes", f"{graph.get('nodes', len(classes))}: {_few(counted)}"
    for folder, names in _mapping(graph.get("models")).items():
        yield "models", f"{plain(folder)}: {_few([plain(one) for one in _list(names)])}"
    steps, total = graph.get("steps"), graph.get("total_steps")
    if steps:
        yield "steps", f"{_n(steps)} for each picture, {_n(total)} in all" if total else _n(steps)
    if graph.get("width"):
        yield (
            "size",
            f"{_n(graph.get('width'))} x {_n(graph.get('height'))} pixels,"
            f" {_n(graph.get('megapixels'))} megapixels",
        )
    if graph.get("batch"):
        yield "batch", f"{_n(graph['batch'])} at once"
    if _above_one(graph.get("frames")):
        yield "frames", _n(graph["frames"])


def _doubts(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    graph = _mapping(row.facts.get("graph"))
    table = (
        ("api_nodes", "CREDITS", "partner nodes that spend credits: {}"),
        ("unknown_classes", "UNKNOWN", "nodes that are not ComfyUI's own: {}"),
        ("undetermined", "NOT KNOWN", "cannot be foreseen, may be larger: {}"),
    )
    for key, label, text in table:
        if names := [plain(one) for one in _list(graph.get(key))]:
            yield label, text.format(_few(names))


def _cost(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    facts = row.facts
    if "estimate_s" in facts or "graph" in facts:
        yield "time", _time(facts)
    queue = _mapping(facts.get("queue"))
    if queue:
        yield (
            "queue",
            f"{_n(queue.get('running'))} running, {_n(queue.get('pending'))} waiting when it asked",
        )
    if facts.get("front") is True:
        yield "FRONT", "it would be put before everything that waits"


def _files(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    for one in _objects(row.facts.get("inputs")):
        digest = plain(str(one.get("sha256", ""))[:HEAD])
        size = one.get("bytes")
        parts = [plain(one.get("type", "input")), f"sha256 {digest}..." if digest else ""]
        parts.append(f"{size:,} bytes" if isinstance(size, int) else "")
        yield "reads", f"{plain(one.get('name', '?'))} ({', '.join(p for p in parts if p)})"


def _targets(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    for one in _objects(row.facts.get("targets")):
        yield "TOUCHES", target_in_words(one)


def _yes(row: ApprovalRow, _now_ms: int) -> Iterator[Line]:
    if row.status not in {PENDING, APPROVED}:
        return
    until = moment(row.expires_ms)
    if row.kind == QUESTION:
        yield "a yes", "is only told to the agent: it lets no call through"
    elif "graph" in row.facts:
        yield "a yes", f"lets exactly this run through, once, until {until}, if the policy stays"
    else:
        yield "a yes", f"lets exactly this call through, once, until {until}, if the policy stays"


_TELLERS: tuple[Callable[[ApprovalRow, int], Iterator[Line]], ...] = (
    *(_request, _status, _rules, _what, _graph, _cost, _files, _targets, _doubts, _yes),
)
"""In the order of the lines."""


def _workflow(facts: Mapping[str, Any]) -> str:
    name = facts.get("workflow")
    return "a workflow that the agent wrote" if name in {None, "inline"} else plain(name)


def _size(facts: Mapping[str, Any]) -> list[str]:
    graph = _mapping(facts.get("graph"))
    found = [f"{_n(graph['steps'])} steps"] if graph.get("steps") else []
    if graph.get("megapixels"):
        batch = f" x {_n(graph['batch'])}" if _above_one(graph.get("batch")) else ""
        found.append(f"{_n(graph['megapixels'])} megapixels{batch}")
    if _above_one(graph.get("frames")):
        found.append(f"{_n(graph['frames'])} frames")
    if not found:
        found.append(f"{_n(graph.get('nodes'))} nodes")
    return [*found, _time(facts)]


def _time(facts: Mapping[str, Any]) -> str:
    seconds = facts.get("estimate_s")
    if isinstance(seconds, int | float) and seconds >= 0:
        return f"about {duration(round(seconds * 1000))} of GPU time, as such jobs took before"
    return "GPU time not known: none like it was run before"


def _new(value: object) -> str:
    return quote(value, GLANCE).in_marks


def _few(names: list[str]) -> str:
    if len(names) <= MANY:
        return ", ".join(names)
    return f"{', '.join(names[:MANY])} and {len(names) - MANY} more"


def _n(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "an unknown number of"
    return number(round(value, 2))


def _above_one(value: object) -> bool:
    return isinstance(value, int | float) and value > 1


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [cast("Mapping[str, Any]", one) for one in _list(value) if isinstance(one, Mapping)]


_ = DENIED
