"""ComfyUI's ``node_errors`` told so that they can be acted on: what came, and what was wanted.

The shapes were measured on 0.3.64 and 0.33.0. ComfyUI's own texts leave out what matters (the
bounds, the type wanted) or drown it (a list of twenty file names); what is told here is made from
``extra_info``, and from ComfyUI's words where that says nothing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, cast

from comfy_mcp.errors import NodeProblem
from comfy_mcp.host.cleaning import clean, line, private, word
from comfy_mcp.host.wire import NodeErrors, NodeFault

__all__ = ["MAX_PROBLEMS", "NO_CHOICES", "Choices", "choices_in", "problems_of", "unlisted"]

Choices = Mapping[tuple[str, str], Sequence[str]]
"""What may be chosen, by node class and input."""

NO_CHOICES: Choices = MappingProxyType({})

MAX_PROBLEMS = 10
MAX_REASON = 400
MAX_LISTED = 8
MAX_NEAREST = 4
MAX_UNLISTED = 3
MAX_COMPARED = 1_000
"""Choices that are compared with what was sent, which holds up everybody else."""

_LENGTH = re.compile(r"\(list of length (\d{1,9})\)")


@dataclass(frozen=True, slots=True)
class _Case:
    """One fault with what is known of it; *name* is "" where ComfyUI names no input."""

    fault: NodeFault
    name: str
    choices: Sequence[str] | None

    @property
    def hidden(self) -> bool:
        """Whether what was sent must not be told."""
        return private(self.name)

    @property
    def config(self) -> tuple[object, Mapping[str, Any]]:
        """Type (or choices) and options of the input; None and {} where ComfyUI leaves them out."""
        spec = self.fault.extra_info.get("input_config")
        parts = cast("list[object]", spec) if isinstance(spec, list) else []
        options = parts[1] if len(parts) > 1 else None
        return parts[0] if parts else None, _mapping(options)

    @property
    def received(self) -> str:
        """The value that was sent, short."""
        return _value(self.fault.extra_info.get("received_value"))

    def __getitem__(self, key: str) -> object:
        """One entry of ComfyUI's extra_info."""
        return self.fault.extra_info.get(key)


def problems_of(
    errors: Mapping[str, NodeErrors], choices: Choices = NO_CHOICES
) -> tuple[NodeProblem, ...]:
    """One value a reason, at most ten; *choices*: what ComfyUI left out because it was long."""
    found = (
        NodeProblem(
            node_id=word(node_id),
            node_type=word(node.class_type),
            input_name=word(name) if name else None,
            kind=word(fault.type),
            reason=_reason(_Case(fault, name, choices.get((node.class_type, name)))),
        )
        for node_id, node in errors.items()
        for fault in node.errors
        for name in [_input_name(fault)]
    )
    return tuple(islice(found, MAX_PROBLEMS))


def unlisted(errors: Mapping[str, NodeErrors]) -> tuple[tuple[str, str], ...]:
    """Class and input of what was in none of a list too long to be sent; at most three."""
    found = (
        (node.class_type, _input_name(fault))
        for node in errors.values()
        for fault in node.errors
        if fault.type == "value_not_in_list" and fault.extra_info.get("input_config") is None
    )
    return tuple(islice(dict.fromkeys(pair for pair in found if all(pair)), MAX_UNLISTED))


def choices_in(spec: object) -> tuple[str, ...] | None:
    """The choices of an input: ``[[...], {}]`` or ``["COMBO", {"options": [...]}]``."""
    parts = cast("list[object]", spec) if isinstance(spec, list) else []
    listed = parts[0] if parts else None
    if listed == "COMBO" and len(parts) > 1:
        listed = _mapping(parts[1]).get("options")
    if not isinstance(listed, list):
        return None
    return tuple(str(one) for one in cast("list[object]", listed))


def _reason(case: _Case) -> str:
    told = _TOLD.get(case.fault.type, _in_its_words)(case)
    return line(told or case.fault.message, MAX_REASON)


def _in_its_words(case: _Case) -> str:
    message, details = case.fault.message, case.fault.details
    return message if case.hidden or not details else f"{message} ({details})"


def _message(case: _Case) -> str:
    return case.fault.message


def _not_in_list(case: _Case) -> str:
    start = "Value not in list" if case.hidden else f"Value not in list: {case.received}"
    known = choices_in(case["input_config"])
    choices = case.choices if known is None else known
    if choices is None:
        length = _LENGTH.search(case.fault.details)
        return start + (f"; the list has {length[1]}" if length else "")
    if not choices:
        return f"{start}; it has none"
    names = [word(one) for one in choices[:MAX_LISTED]]
    if len(choices) <= MAX_LISTED:
        return f"{start}. It may be: {', '.join(names)}"
    near = [] if case.hidden else _nearest(str(case["received_value"]), choices)
    told = (
        f"the nearest: {', '.join(map(word, near))}" if near else f"such as {', '.join(names[:3])}"
    )
    return f"{start}. Of {len(choices)} values, {told}"


def _nearest(sent: str, choices: Sequence[str]) -> list[str]:
    """Those that were probably meant: by the file's name without folder and suffix."""
    compared = choices[:MAX_COMPARED]
    stem = _stem(sent[:200])
    by_stem: dict[str, list[str]] = {}
    for one in compared:
        by_stem.setdefault(_stem(one[:200]), []).append(one)
    within = [one for one in by_stem if stem and (stem in one or (len(one) > 3 and one in stem))]  # noqa: PLR2004 - a shorter name is in many
    close = difflib.get_close_matches(stem, by_stem, n=MAX_NEAREST, cutoff=0.5)
    found = [one for key in dict.fromkeys([*close, *within]) for one in by_stem[key]]
    return found[:MAX_NEAREST]


def _stem(name: str) -> str:
    """A file's name in small letters, without folder and suffix."""
    base = re.split(r"[/\\]", name.strip().lower())[-1]
    return re.sub(r"\.[a-z]\w{1,11}$", "", base)


def _out_of_bounds(case: _Case) -> str:
    _, options = case.config
    low, high = options.get("min"), options.get("max")
    bounds = f"; it may be {_value(low)} to {_value(high)}" if None not in (low, high) else ""
    if case.hidden:
        return f"Value out of bounds{bounds}"
    return f"{case.fault.message}{bounds}"


def _mismatch(case: _Case) -> str:
    wanted, given = _type(case.config[0]), _type(case["received_type"])
    link = case["linked_node"]
    parts = cast("list[object]", link) if isinstance(link, list) else []
    source = f"output {word(parts[1])} of node {word(parts[0])}" if len(parts) == 2 else "the link"  # noqa: PLR2004 - node and slot
    return f"It wants {wanted}, but {source} is {given}"


def _type(value: object) -> str:
    """A type as ComfyUI names it; a list of choices is a COMBO."""
    return "COMBO" if isinstance(value, list) else word(value)


def _wrong_kind(case: _Case) -> str:
    wanted = _type(case.config[0])
    return f"It wants {wanted}" + ("" if case.hidden else f", but got {case.received}")


def _bad_link(case: _Case) -> str:
    got = "" if case.hidden else f": {case.received}"
    return f"This list is no link{got}"


def _custom(case: _Case) -> str:
    """``<input> - <the node's own words>``, which repeat the value."""
    return "" if case.hidden else case.fault.details.removeprefix(f"{case.name} - ")


def _raised(case: _Case) -> str:
    """An exception of ComfyUI's own code: nearly always a link to what is not there."""
    details, kind = case.fault.details, str(case["exception_type"] or "")
    if kind == "KeyError":
        return f"A link names node {details}, which is not there"
    if kind == "IndexError":
        return "A link names an output slot that its node does not have"
    return f"{case.fault.message}: {word(kind)} ({details})" if kind else _in_its_words(case)


def _cycle(case: _Case) -> str:
    return f"Dependency cycle: {case.fault.details}" if case.fault.details else ""


_TOLD: Mapping[str, Callable[[_Case], str]] = {
    "required_input_missing": _message,
    "value_not_in_list": _not_in_list,
    "value_smaller_than_min": _out_of_bounds,
    "value_bigger_than_max": _out_of_bounds,
    "return_type_mismatch": _mismatch,
    "invalid_input_type": _wrong_kind,
    "bad_linked_input": _bad_link,
    "custom_validation_failed": _custom,
    "exception_during_validation": _raised,
    "exception_during_inner_validation": _raised,
    "dependency_cycle": _cycle,
}
"""How each kind of fault is told; ComfyUI's message where nothing better is known."""


def _value(value: object) -> str:
    """A value as it was sent, short and without secrets."""
    if isinstance(value, str):
        return f"'{clean(word(value))}'"
    if isinstance(value, list | dict):
        return clean(word(json.dumps(value, ensure_ascii=False, default=str)))
    return word(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _input_name(fault: NodeFault) -> str:
    name = fault.extra_info.get("input_name")
    return name if isinstance(name, str) else ""
