"""Requests to people in a sentence, made from their facts alone: pure.

What an agent wrote, or may have named, is data: it is cleaned, cut, and in quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast

from comfy_mcp.quoting import compact, quote
from comfy_mcp.store.asked import QUESTION
from comfy_mcp.store.protocol import ApprovalRow

__all__ = ["MOST", "cleaned", "question", "what"]

MOST = 600
"""Characters of a question to a client's user."""

CUT = 80
"""Characters of one text of an agent."""

REASON = 160
"""Characters of why the policy wants a person asked."""

LOOKED_AT = 20
"""So many times as much text is looked at as is shown."""

MANY = 12
"""Values that are told; more would not fit."""

COUNTED = 100
"""Values that are counted; beyond that nobody cares how many."""

SHORT = 8
"""Characters of a prompt_id that tell it from others."""

FEW = 3
"""Names that are told one by one."""

_MARKUP = re.compile(r"""[`*<>\[\]{}#|~\\"]|\b(?:https?://|www\.)""", re.IGNORECASE)
"""What some client would draw as something else than text, and what it would make a link of."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@/:-]*")
"""What cannot be taken for words of ours."""

OWNERS: Mapping[str, str] = {"mine": "of its own", "other agent": "of ANOTHER agent"}


def what(row: ApprovalRow) -> str:
    """What is asked for, in a sentence: ``Run txt2img: 20 steps``."""
    facts = row.facts
    if row.kind == QUESTION:
        return f"Asks: {_quoted(facts.get('action', ''))}."
    if "graph" in facts:
        return f"{_run(facts)}."
    touched = [_target(one) for one in _objects(facts.get("targets"))]
    if not touched:
        return f"{row.tool}."
    left_out = facts.get("targets_left_out")
    beyond = len(touched) - FEW + (left_out if isinstance(left_out, int) else 0)
    more = f" and {beyond} more" if beyond > 0 else ""
    return f"{row.tool}: {', '.join(touched[:FEW])}{more}."


def question(row: ApprovalRow) -> str:
    """What the user of a client is asked about *row*; the same for the same request, always.

    The request's id is in it, so that no answer fits any other request.
    """
    head = f"An AI agent asks for your approval ({row.approval_id}). {what(row)}"
    because = cleaned(next(iter(_mapping(row.facts.get("asks")).values()), ""), REASON)
    head += f" Why you are asked: {because.rstrip('.')}." if because else ""
    head = head[:MOST]
    values = list(islice(_words(row), COUNTED))
    if not values:
        return head
    return head + _as_many_as_fit(values, MOST - len(head))


def _as_many_as_fit(values: list[str], room: int) -> str:
    """The first of *values*, whole ones, and how many there are besides."""
    for count in range(min(len(values), MANY), -1, -1):
        left = len(values) - count
        tail = f" and {left}{'+' if len(values) == COUNTED else ''} more" if left else ""
        said = (
            f" Its values: {', '.join(values[:count])}{tail}."
            if count
            else f" It has {left} values."
        )
        if len(said) <= room:
            return said
    return ""


def cleaned(value: object, most: int) -> str:
    """*value* as one line of at most *most* characters, without what is not seen or is markup."""
    text = value if isinstance(value, str) else compact(value)
    shown = quote(_MARKUP.sub("", quote(text[: most * LOOKED_AT]).text)).text
    whole = len(shown) <= most and len(text) <= most * LOOKED_AT
    return shown if whole else f"{shown[: most - 3]}..."


def _run(facts: Mapping[str, Any]) -> str:
    graph = _mapping(facts.get("graph"))
    name = facts.get("workflow")
    which = "a workflow it wrote itself" if name in {None, "inline"} else _name(name)
    front = " in front of all that wait" if facts.get("front") is True else ""
    runs = facts.get("runs")
    which = f"{_number(runs)} variants of {which}, the largest" if runs is not None else which
    return f"Run {which}{front}: {', '.join(_size(graph, facts))}"


def _size(graph: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_number(graph.get('nodes'))} nodes"
    if graph.get("steps"):
        yield f"{_number(graph['steps'])} steps"
    if graph.get("width") and graph.get("height"):
        yield f"{_number(graph['width'])} x {_number(graph['height'])} pixels"
    for name, word in (("batch", "pictures at once"), ("frames", "frames")):
        if _above_one(graph.get(name)):
            yield f"{_number(graph[name])} {word}"
    yield from _named(graph, facts)
    seconds = facts.get("estimate_s")
    if isinstance(seconds, int | float):
        together = " together" if facts.get("runs") is not None else ""
        yield f"about {seconds:.0f} s of GPU time{together}"


def _named(graph: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    """What it spends, runs, loads and reads, the most dangerous first."""
    models = [name for used in _mapping(graph.get("models")).values() for name in _list(used)]
    files = [one.get("name", "") for one in _objects(facts.get("inputs"))]
    for word, found in (
        ("SPENDS CREDITS by", graph.get("api_nodes")),
        ("custom nodes", graph.get("unknown_classes")),
        ("models", models),
        ("reads", files),
        ("cannot be foreseen:", graph.get("undetermined")),
    ):
        if names := _names(found):
            yield f"{word} {names}"


def _words(row: ApprovalRow) -> Iterator[str]:
    """What the agent chose: parameters of a workflow, texts in its own, or other arguments."""
    facts = row.facts
    key = "values" if "graph" in facts else "args"
    for name, value in _mapping(facts.get(key)).items():
        if value is not None:
            yield f"{_name(name)} {_quoted(value)}"
    if facts.get("workflow") != "inline":
        return
    for node_id, node in _mapping(row.payload.get("graph")).items():
        for name, value in _mapping(_mapping(node).get("inputs")).items():
            if isinstance(value, str):
                yield f"{_name(f'{node_id}.{name}')} {_quoted(value)}"


def _target(target: Mapping[str, Any]) -> str:
    whose = OWNERS.get(str(target.get("owner")), "of a PERSON")
    named = f" ({_name(target['grant'])})" if target.get("owner") == "other agent" else ""
    return f"job {_name(str(target.get('prompt_id', ''))[:SHORT])} {whose}{named}"


def _quoted(value: object) -> str:
    """A text in quotation marks; numbers as they are."""
    plain = value is None or isinstance(value, int | float)
    return cleaned(value, CUT) if plain else f'"{cleaned(value, CUT)}"'


def _name(value: object) -> str:
    """A name as it is if it looks like one, else in quotation marks."""
    text = cleaned(value, CUT)
    return text if _NAME.fullmatch(text) else f'"{text}"'


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _names(value: object) -> str:
    names = [_name(one) for one in _list(value)]
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "an unknown number of"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _above_one(value: object) -> bool:
    return isinstance(value, int | float) and value > 1


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", one) for one in found if isinstance(one, Mapping)]
