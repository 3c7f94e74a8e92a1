"""A page of node classes as search_nodes answers it: rows, categories, a way, and a word why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.knowledge.answers import NodeRow
from comfy_mcp.knowledge.index import Index
from comfy_mcp.knowledge.kinds import VALUE_KINDS, path
from comfy_mcp.knowledge.nodes import row
from comfy_mcp.knowledge.paging import page
from comfy_mcp.knowledge.search import Found, Query, search
from comfy_mcp.knowledge.spelling import name_as_it_is
from comfy_mcp.knowledge.words import near
from comfy_mcp.quoting import name as quoted
from comfy_mcp.tools.permitted import Permitted

if TYPE_CHECKING:
    from comfy_mcp.workflow.schema import NodeSchema

__all__ = ["NodePage", "anything", "found_nodes", "perhaps"]

MOST_CATEGORIES = 15
ALL_DENIED = "The policy denies all of these."


class NodePage(BaseModel):
    """Node classes, best first."""

    model_config = ConfigDict(frozen=True)

    nodes: list[NodeRow]
    total: int
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None
    categories: Annotated[
        dict[str, int] | None, Field(description="Where they are, to narrow it down")
    ] = None
    path: Annotated[list[str] | None, Field(description="Several nodes that lead there")] = None
    note: str | None = None


def found_nodes(index: Index, asked: Query, allowed: Permitted, begin: int, limit: int) -> NodePage:
    """At most *limit* classes from number *begin* on; what is about all only with the first."""
    found = search(index, asked, allowed.node)
    rows = [
        row(entry.schema, allowed=allowed.node(entry.schema), kind=asked.takes)
        for entry in found.entries[begin : begin + limit]
    ]
    shown, _ = page(rows, 0, limit, lambda one: len(one.model_dump_json(exclude_none=True)) + 1)
    end, total = begin + len(shown), len(found.entries)
    first = begin == 0
    way = _path(index, asked, allowed) if first else None
    return NodePage(
        nodes=shown,
        total=total,
        next_cursor=str(end) if end < total else None,
        categories=_categories(found, asked.category) if first and end < total else None,
        path=way,
        note=_note(index, asked, found, way, allowed) if first else None,
    )


def _categories(found: Found, category: str) -> dict[str, int]:
    """How many are in each category one level below *category*, the largest first."""
    depth = 1 + len([part for part in category.split("/") if part.strip()])
    count = Counter(name_as_it_is("/".join(entry.category[:depth])) for entry in found.entries)
    count.pop("", None)
    largest = sorted(count.items(), key=lambda one: (-one[1], one[0]))
    return dict(largest[:MOST_CATEGORIES])


def _path(index: Index, asked: Query, allowed: Permitted) -> list[str] | None:
    """How to get from one type to the other over several nodes, where none does it alone."""
    spelt = {kind.casefold(): kind for kind in sorted(index.kinds)}
    start, end = (spelt.get(kind.casefold(), "") for kind in (asked.takes, asked.gives))
    if not start or not end or start == end or VALUE_KINDS & {start, end}:
        return None

    def usable(schema: NodeSchema) -> bool:
        return not schema.deprecated and allowed.node(schema)

    steps = path(index.entries, start, end, usable)
    if len(steps) < 2:  # noqa: PLR2004 - one node is among those that were found
        return None
    return [f"{step.before} -> {name_as_it_is(step.class_type)} -> {step.after}" for step in steps]


def _note(
    index: Index, asked: Query, found: Found, way: list[str] | None, allowed: Permitted
) -> str | None:
    """What was taken for something else, or why nothing was found."""
    if found.entries:
        words = ", ".join(f"{quoted(word)} as {quoted(as_)}" for word, as_ in found.meant.items())
        denied = not any(allowed.node(entry.schema) for entry in found.entries)
        told = (f"Taken {words}." if words else "", ALL_DENIED if denied else "")
        return " ".join(filter(None, told)) or None
    if way:
        return "No single node does it: path does."
    hints = [
        f"no type {quoted(kind)} here{perhaps(near(kind, index.kinds))}"
        for kind in (asked.takes, asked.gives)
        if kind and kind.casefold() not in {each.casefold() for each in index.kinds}
    ]
    if asked.category and not search(index, Query(category=asked.category), anything).entries:
        near_ones = near(asked.category, index.categories)
        hints.append(f"no category {quoted(asked.category)}{perhaps(near_ones)}")
    return f"Nothing found: {'; '.join(hints) or 'try fewer or other words'}."


def anything(_: NodeSchema) -> bool:
    """Every class will do."""
    return True


def perhaps(names: Sequence[str]) -> str:
    """What may have been meant, to be added to a sentence."""
    return f" (near: {', '.join(quoted(each) for each in names)})" if names else ""
