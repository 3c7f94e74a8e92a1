"""search_nodes, describe_node and list_models: what this ComfyUI can do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import NotComfyUI, WorkflowError
from comfy_mcp.guard.in_force import model_folder
from comfy_mcp.knowledge.index import Entry, Index
from comfy_mcp.knowledge.kinds import VALUE_KINDS, path
from comfy_mcp.knowledge.nodes import NodeInfo, NodeRow, fitted, row
from comfy_mcp.knowledge.options import ranked
from comfy_mcp.knowledge.paging import page, read_cursor
from comfy_mcp.knowledge.search import Found, Query, search
from comfy_mcp.knowledge.words import near, squashed
from comfy_mcp.quoting import name as quoted
from comfy_mcp.quoting import quote
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.permitted import Permitted, permitted

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost
    from comfy_mcp.workflow.schema import NodeSchema

__all__ = ["ModelPage", "NodePage", "Nodes", "describe_node", "list_models", "search_nodes"]

MOST_CATEGORIES = 15
MOST_NEAR = 3
MOST_SHOWN = 5
"""Classes that are described in one answer."""

NAME = 200

Cursor = Annotated[str | None, Field(max_length=20, description="next_cursor of the page before")]
ClassType = Annotated[str, Field(min_length=1, max_length=NAME)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class NodePage(_Shown):
    """Node classes, best first."""

    nodes: list[NodeRow]
    total: int
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None
    categories: Annotated[
        dict[str, int] | None, Field(description="Where they are, to narrow it down")
    ] = None
    path: Annotated[list[str] | None, Field(description="Several nodes that lead there")] = None
    note: str | None = None


class Nodes(_Shown):
    """Node classes in detail."""

    nodes: list[NodeInfo]
    unknown: Annotated[
        dict[str, list[str]] | None, Field(description="Not there; and what is near")
    ] = None


class ModelPage(_Shown):
    """Model files by folder, as nodes name them; without a folder or query how many there are."""

    folders: dict[str, int] | None = None
    models: dict[str, list[str]] | None = None
    denied: Annotated[list[str] | None, Field(description="Not to be run, by the policy")] = None
    total: int
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None
    note: str | None = None


async def search_nodes(
    app: App,
    caller: Caller,
    *,
    query: Annotated[str, Field(max_length=NAME, description="Name or words")] = "",
    category: Annotated[str, Field(max_length=NAME, description="And all below it")] = "",
    input_type: Annotated[str, Field(max_length=NAME, description="It takes, as LATENT")] = "",
    output_type: Annotated[str, Field(max_length=NAME, description="It gives")] = "",
    limit: Annotated[int, Field(ge=1, le=50)] = 15,
    cursor: Cursor = None,
) -> NodePage:
    """Find node classes of this ComfyUI, best first; with both types also a path between them."""
    begin = read_cursor(cursor)
    asked = Query(query, category.strip(), input_type.strip(), output_type.strip())
    async with caller.admitted(app, caller.call()):
        host = (await app.jobs()).host
        index = await app.knowledge.index(await host.nodes())
        allowed = permitted(app, caller)
        return await anyio.to_thread.run_sync(_found, index, asked, allowed, begin, limit)


async def describe_node(
    app: App,
    caller: Caller,
    *,
    class_type: ClassType | Annotated[list[ClassType], Field(min_length=1, max_length=MOST_SHOWN)],
    detail: Annotated[Literal["brief", "full"], Field(description="full: with tooltips")] = "brief",
    query: Annotated[str, Field(max_length=NAME, description="Words to filter long choices")] = "",
) -> Nodes:
    """What node classes take and give, by the names a graph uses, with an example each."""
    names = [class_type] if isinstance(class_type, str) else list(dict.fromkeys(class_type))
    async with caller.admitted(app, caller.call()):
        host = (await app.jobs()).host
        known = await host.schemas(names)
        missing = [name for name in names if name not in known]
        unknown: dict[str, list[str]] = {}
        if missing:
            index = await app.knowledge.index(await host.nodes())
            meant = {name: _meant(index, name) for name in missing}
            known |= await host.schemas([name for name in meant.values() if name])
            names = [meant.get(name) or name for name in names]
            missing = [name for name in names if name not in known]
            unknown = await anyio.to_thread.run_sync(_near_classes, index, missing)
        found = [known[name] for name in dict.fromkeys(names) if name in known]
        if not found:
            raise WorkflowError(_no_class(unknown))
        allowed = permitted(app, caller).node
        describing = partial(fitted, found, full=detail == "full", query=query, allowed=allowed)
        nodes = await anyio.to_thread.run_sync(describing)
        return Nodes(nodes=nodes, unknown=unknown or None)


async def list_models(
    app: App,
    caller: Caller,
    *,
    folder: Annotated[str, Field(max_length=NAME, description="As checkpoints")] = "",
    query: Annotated[str, Field(max_length=NAME, description="Parts of the file's name")] = "",
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> ModelPage:
    """Model files that ComfyUI has, as nodes name them; without arguments its folders."""
    begin = read_cursor(cursor)
    async with caller.admitted(app, caller.call()):
        host = (await app.jobs()).host
        folders = await host.model_folders()
        wanted = (_folder(folder, folders),) if folder else folders
        lists, broken = await _lists(host, wanted)
        if not folder and not query.strip():
            counts = {_name(each): len(files) for each, files in lists.items()}
            return ModelPage(folders=counts, total=sum(counts.values()), note=_unread(broken))
        found = [(each, name) for each in lists for name in ranked(lists[each], query)]
        models, following = page(found, begin, limit, lambda one: len(one[1]) + 6)
        return _models(models, following, len(found), permitted(app, caller), broken)


def _found(index: Index, asked: Query, allowed: Permitted, begin: int, limit: int) -> NodePage:
    found = search(index, asked, allowed.node)
    rows = [
        row(entry.schema, allowed=allowed.node(entry.schema))
        for entry in found.entries[begin : begin + limit]
    ]
    shown, _ = page(rows, 0, limit, lambda one: len(one.model_dump_json(exclude_none=True)) + 1)
    end, total = begin + len(shown), len(found.entries)
    first = begin == 0
    return NodePage(
        nodes=shown,
        total=total,
        next_cursor=str(end) if end < total else None,
        categories=_categories(found, asked.category) if first and end < total else None,
        path=_path(index, asked, allowed) if first else None,
        note=_note(index, asked, found) if first else None,
    )


def _categories(found: Found, category: str) -> dict[str, int]:
    """How many are in each category one level below *category*, the largest first."""
    depth = 1 + len([part for part in category.split("/") if part.strip()])
    count = Counter(_name("/".join(entry.category[:depth])) for entry in found.entries)
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
    return [f"{step.before} -> {_name(step.class_type)} -> {step.after}" for step in steps]


def _note(index: Index, asked: Query, found: Found) -> str | None:
    """What was taken for something else, or why nothing was found."""
    if found.entries:
        words = ", ".join(f"{quoted(word)} as {quoted(as_)}" for word, as_ in found.meant.items())
        return f"Taken {words}." if words else None
    hints = [
        f"no type {quoted(kind)} here{_perhaps(near(kind, index.kinds))}"
        for kind in (asked.takes, asked.gives)
        if kind and kind.casefold() not in {each.casefold() for each in index.kinds}
    ]
    if asked.category and not search(index, Query(category=asked.category), _any).entries:
        near_ones = near(asked.category, index.categories)
        hints.append(f"no category {quoted(asked.category)}{_perhaps(near_ones)}")
    return f"Nothing found: {'; '.join(hints) or 'try fewer or other words'}."


def _any(_: NodeSchema) -> bool:
    return True


def _perhaps(names: Sequence[str]) -> str:
    return f" (near: {', '.join(quoted(each) for each in names)})" if names else ""


def _meant(index: Index, name: str) -> str | None:
    """The one class that is called *name* but for blanks, signs and case, or whose title it is."""
    wanted = squashed(name)
    found = [entry for entry in index.entries if wanted in entry.names]
    return found[0].schema.class_type if len(found) == 1 else None


def _near_classes(index: Index, names: Iterable[str]) -> dict[str, list[str]]:
    return {_name(name): _near_class(index, name) for name in names}


def _near_class(index: Index, name: str) -> list[str]:
    entries: Iterable[Entry] = search(index, Query(name), _any).entries[:MOST_NEAR]
    alike = near(name, index.by_name, MOST_NEAR)
    searched = (entry.schema.class_type for entry in entries)
    return [_name(each) for each in dict.fromkeys((*alike, *searched))][: MOST_NEAR + 1]


def _no_class(unknown: dict[str, list[str]]) -> str:
    words = "; ".join(f"{quoted(name)}{_perhaps(names)}" for name, names in unknown.items())
    return f"This ComfyUI has no node class {words}. search_nodes finds others."


def _folder(asked: str, folders: Sequence[str]) -> str:
    """The folder that *asked* means: some have an older name, too.

    Raises:
        WorkflowError: there is none.
    """
    wanted = asked.strip().strip("/")
    for name in (wanted, model_folder(wanted), wanted.casefold()):
        if name in folders:
            return name
    near_ones = near(wanted, folders) or folders[:MOST_CATEGORIES]
    raise WorkflowError(f"This ComfyUI has no model folder {quoted(wanted)}{_perhaps(near_ones)}.")


async def _lists(
    host: ComfyHost, folders: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The files of each folder, and the folders that ComfyUI could not list."""

    async def files(folder: str) -> tuple[str, ...] | None:
        try:
            return await host.model_files(folder)
        except NotComfyUI:
            if len(folders) == 1:
                raise
            return None

    found = dict(zip(folders, await asyncio.gather(*map(files, folders)), strict=True))
    lists = {folder: names for folder, names in found.items() if names is not None}
    return lists, [folder for folder in folders if folder not in lists]


def _models(
    models: Sequence[tuple[str, str]],
    following: str | None,
    total: int,
    allowed: Permitted,
    broken: Sequence[str],
) -> ModelPage:
    shown: dict[str, list[str]] = {}
    for folder, name in models:
        shown.setdefault(_name(folder), []).append(_name(name))
    denied = [_name(name) for folder, name in models if not allowed.model(folder, name)]
    note = _unread(broken) or (None if total else "No such model is there.")
    return ModelPage(
        models=shown, denied=denied or None, total=total, next_cursor=following, note=note
    )


def _unread(folders: Sequence[str]) -> str | None:
    if not folders:
        return None
    return f"ComfyUI could not list {', '.join(quoted(each) for each in folders)}: see its log."


def _name(text: str) -> str:
    """A name exactly as it is, less what nobody would see."""
    return quote(text, NAME, exact=True).text
