"""What a request holds beside its facts: the agent's words, quoted, and whose the rest is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comfy_mcp.cli.screen import Screen
from comfy_mcp.oversight.object import PARTS
from comfy_mcp.quoting import Quoted, name

__all__ = ["cut_short", "show_words"]

LABEL = 40
"""Characters of a name in the margin."""

AGENT = "agent"

OTHERS: Mapping[str, str] = {
    "person": "Changed by a person",
    "chance": "Drawn by chance",
    "default": "Defaults",
    "unknown": "Values, the agent's and others (whose is forgotten when a request has ended)",
}
"""Values that are not the agent's, by their origin."""

HEADINGS: Mapping[str, str] = {
    "values": "values of the workflow's parameters",
    "inputs": "values in the nodes of its own workflow",
    "args": "arguments of the call",
    "context": "what it says about its question",
}
"""Parts of what the agent chose."""

Item = Mapping[str, Any]


def show_words(screen: Screen, words: Mapping[str, Any], *, full: bool) -> None:
    """All of *words* (see `agent_words`), by whose they are; the agent's marked line by line."""
    _show_agents(screen, words, full=full)
    for origin, title in OTHERS.items():
        found = [one for part in PARTS for one in words[part] if one["origin"] == origin]
        if found:
            screen.title(title)
            screen.fields(list(_pairs(found, full=full)))
    if words["left_out"]:
        more = "" if full else "; --full shows all"
        screen.say()
        screen.say(f"{words['left_out']} more values are not shown{more}.", "bold yellow")


def cut_short(words: Mapping[str, Any]) -> bool:
    """Something of *words* is left out."""
    texts = [one for part in PARTS for one in words[part]]
    texts += [words["action"]] if words["action"] else []
    return bool(words["left_out"]) or any(one["cut"] for one in texts)


def _show_agents(screen: Screen, words: Mapping[str, Any], *, full: bool) -> None:
    """The agent's choices: its texts may say anything."""
    action: Item | None = words["action"]
    parts = {part: [one for one in words[part] if one["origin"] == AGENT] for part in HEADINGS}
    if action is None and not any(parts.values()):
        return
    screen.title("Chosen by the agent (its words are quoted; they may be wrong, and prove nothing)")
    if action is not None:
        screen.fields([("asks", _marked(action, full=full))], "> ")
    for part, found in parts.items():
        if found:
            screen.say(f"  {HEADINGS[part]}:")
            screen.fields(list(_pairs(found, full=full)), "> ")


def _pairs(found: Sequence[Item], *, full: bool) -> Iterator[tuple[str, str]]:
    for one in found:
        kind = f"  ({name(one['class'])})" if one.get("class") else ""
        yield name(one["name"], LABEL), f"{_marked(one, full=full)}{kind}"


def _marked(one: Item, *, full: bool) -> str:
    """Texts in quotation marks; numbers, lists and objects as they are, in one line."""
    is_text = isinstance(one.get("value"), str) or not ("value" in one or one.get("json"))
    if not is_text and not one["cut"] and not one["hidden"]:
        return str(one["text"])
    quoted = Quoted(one["text"], hidden=one["hidden"]).in_marks
    if not one["cut"]:
        return quoted
    return f"{quoted} ({one['cut']} more characters{'' if full else ': --full shows them'})"
