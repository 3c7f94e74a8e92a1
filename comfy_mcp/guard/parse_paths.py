"""Paths of a policy file: which value of a call, of its graph or of its caller is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from comfy_mcp.guard.fields import FIELDS, SPACES, Type, type_at
from comfy_mcp.guard.node import clip, nearest
from comfy_mcp.guard.policy import Path

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["amount_path", "path"]

_LONGEST_PATH = 200
_SPACE = re.compile(r"[A-Za-z0-9_]*")
_PATH = re.compile(r"[a-z]+\.[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+|\[[0-9]+\]|\[\*\])*")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[([0-9]+|\*)\]")


def path(node: Node) -> Path | None:
    """A path to something that can be there; None, and a fault, if this is none."""
    text = node.text(_LONGEST_PATH)
    if text is None:
        return None
    space = cast("re.Match[str]", _SPACE.match(text)).group()
    if space not in SPACES:
        node.fault(f'"{clip(text)}" begins with none of the spaces.', _nearest_space(space))
        return None
    if _PATH.fullmatch(text) is None:
        node.fault(
            f'"{clip(text)}" is no path.',
            'Write a space, a name and what is below it: "args.prompt", "args.tags[*]",'
            ' "graph.steps".',
        )
        return None
    found = Path(text, "graph" if space == "gpu" else space, _steps(text))
    return found if _leads_somewhere(node, found) else None


def amount_path(node: Node) -> Path | None:
    """A path to one number that a call takes from a limit; None, and a fault, if this is none."""
    found = path(node)
    if found is None:
        return None
    field = type_at(found)
    if found.space not in {"args", "graph"} or (field and field.type is not Type.NUMBER):
        node.fault(
            f"{found.text} is no number that a call could take.",
            'Name a number of the graph, as "graph.steps", or an argument.',
        )
    elif None in found.steps:
        node.fault(f"{found.text} can be many numbers.", "Name one, without [*].")
    else:
        return found
    return None


def _steps(text: str) -> tuple[str | int | None, ...]:
    steps: list[str | int | None] = []
    for step in _STEP.finditer(text):
        name, index = step.groups()
        steps.append(name if index is None else None if index == "*" else int(index))
    return tuple(steps)


def _leads_somewhere(node: Node, found: Path) -> bool:
    """The field is there and has something below it where the path goes on; a fault if not."""
    fields = FIELDS.get(found.space)
    name = str(found.steps[0])
    if fields is not None and name not in fields:
        node.fault(
            f"there is no {found.space}.{clip(name)}.",
            nearest(f"{found.space}.{name}", [f"{found.space}.{field}" for field in fields]),
        )
        return False
    try:
        type_at(found)
    except LookupError:
        node.fault(
            f"there is nothing at {clip(found.text)}: {found.space}.{name} is"
            f" {FIELDS[found.space][name].type}.",
            f'Write "{found.space}.{name}".',
        )
        return False
    return True


def _nearest_space(word: str) -> str:
    near = nearest(word, SPACES)
    fields = [f"{space}.{word}" for space, fields in FIELDS.items() if word in fields]
    return f'Did you mean "{fields[0]}"?' if fields else near
