"""search_nodes, describe_node and list_models: what this ComfyUI can do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import HostError, NotComfyUI, WorkflowError
from comfy_mcp.guard.in_force import model_folder
from comfy_mcp.knowledge.answers import NodeInfo
from comfy_mcp.knowledge.index import Entry, Index
from comfy_mcp.knowledge.nodes import fitted
from comfy_mcp.knowledge.options import loaders, ranked
from comfy_mcp.knowledge.paging import page, read_cursor
from comfy_mcp.knowledge.search import Query, search
from comfy_mcp.knowledge.spelling import NAME, name_as_it_is
from comfy_mcp.knowledge.words import near, squashed
from comfy_mcp.quoting import name as quoted
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.node_pages import NodePage, anything, found_nodes, perhaps
from comfy_mcp.tools.permitted import Permitted, permitted

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost

__all__ = ["ModelPage", "NodePage", "Nodes", "describe_node", "list_models", "search_nodes"]

MOST_CATEGORIES = 15
MOST_NEAR = 3
MOST_SHOWN = 5
"""Classes that are described in one answer."""

Cursor = Annotated[str | None, Field(max_length=20, description="next_cursor of the page before")]
ClassType = Annotated[str, Field(min_length=1, max_length=NAME)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


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
    loaders: Annotated[list[str] | None, Field(description="Inputs that choose from them")] = None
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
        return await anyio.to_thread.run_sync(found_nodes, index, asked, allowed, begin, limit)


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
            counts = {name_as_it_is(each): len(files) for each, files in lists.items()}
            return ModelPage(folders=counts, total=sum(counts.values()), note=_unread(broken))
        found = [(each, name) for each in lists for name in ranked(lists[each], query)]
        models, following = page(found, begin, limit, lambda one: len(one[1]) + 6)
        shown = _models(models, following, len(found), permitted(app, caller), broken)
        if not folder or begin:
            return shown
        return shown.model_copy(update={"loaders": await _loaders(host, lists[wanted[0]])})


def _meant(index: Index, name: str) -> str | None:
    """The one class that is called *name* but for blanks, signs and case, or whose title it is."""
    wanted = squashed(name)
    found = [entry for entry in index.entries if wanted in entry.names]
    return found[0].schema.class_type if len(found) == 1 else None


def _near_classes(index: Index, names: Iterable[str]) -> dict[str, list[str]]:
    return {name_as_it_is(name): _near_class(index, name) for name in names}


def _near_class(index: Index, name: str) -> list[str]:
    entries: Iterable[Entry] = search(index, Query(name), anything).entries[:MOST_NEAR]
    alike = near(name, index.by_name, MOST_NEAR)
    searched = (entry.schema.class_type for entry in entries)
    return [name_as_it_is(each) for each in dict.fromkeys((*alike, *searched))][: MOST_NEAR + 1]


def _no_class(unknown: dict[str, list[str]]) -> str:
    words = "; ".join(f"{quoted(name)}{perhaps(names)}" for name, names in unknown.items())
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
    raise WorkflowError(f"This ComfyUI has no model folder {quoted(wanted)}{perhaps(near_ones)}.")


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


async def _loaders(host: ComfyHost, files: Sequence[str]) -> list[str] | None:
    """The inputs of nodes that choose from *files*, as far as ComfyUI tells."""
    try:
        nodes = await host.nodes()
    except HostError:
        # The files themselves are what was asked for.
        return None
    found = await anyio.to_thread.run_sync(loaders, nodes, files)
    return [name_as_it_is(each) for each in found] or None


def _models(
    models: Sequence[tuple[str, str]],
    following: str | None,
    total: int,
    allowed: Permitted,
    broken: Sequence[str],
) -> ModelPage:
    shown: dict[str, list[str]] = {}
    for folder, name in models:
        shown.setdefault(name_as_it_is(folder), []).append(name_as_it_is(name))
    denied = [name_as_it_is(name) for folder, name in models if not allowed.model(folder, name)]
    note = _unread(broken) or (None if total else "No such model is there.")
    return ModelPage(
        models=shown, denied=denied or None, total=total, next_cursor=following, note=note
    )


def _unread(folders: Sequence[str]) -> str | None:
    if not folders:
        return None
    return f"ComfyUI could not list {', '.join(quoted(each) for each in folders)}: see its log."
