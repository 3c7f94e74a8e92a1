"""The shelf: finds, loads and keeps workflows, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.library import Done, Draft, Library, SavedWorkflows, Source, read_draft, source_of
from comfy_mcp.shelf.found import Found, found_in
from comfy_mcp.shelf.listing import Entry
from comfy_mcp.workflow import listed, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfy_mcp.host.client import ComfyHost
    from comfy_mcp.host.saved import HostWorkflow

__all__ = ["Shelf"]

MOST_TITLE = 200
"""Characters, as in every manifest."""

NO_TEMPLATES = "This ComfyUI serves no workflow templates."


class Shelf:
    """The workflows of *library*, those in *saved*, and those of a ComfyUI."""

    def __init__(self, library: Library, saved: SavedWorkflows) -> None:
        self._library = library
        self._saved = saved

    async def load(self, name: str, host: ComfyHost, *, grant: str | None = None) -> Found:
        """The workflow *name*, by its whole name; of saved ones only those of *grant*.

        A plain name is never that of a saved one: see `known_as`.

        Raises:
            WorkflowError: there is none of that name, or it cannot be used.
            HostError: ComfyUI keeps it, or has to tell about its nodes, and does not answer.
            StateError: the folder of saved workflows cannot be used.
        """
        return await found_in(name, await self.draft(name, host, grant=grant), host)

    async def draft(self, name: str, host: ComfyHost, *, grant: str | None = None) -> Draft:
        """The workflow *name* as its file has it.

        Raises:
            WorkflowError: there is none of that name, or it cannot be used.
            HostError: ComfyUI keeps it, and does not answer.
            StateError: the folder of saved workflows cannot be used.
        """
        split = source_of(name)
        if split is None:
            raise WorkflowError(_no_name(name))
        source, rest = split
        if source is Source.LIBRARY:
            return await anyio.to_thread.run_sync(self._of_name, name, grant)
        if source is Source.SAVED:
            if grant is None:
                raise WorkflowError(f'There is no workflow "{shown(name)}".')
            saved = await anyio.to_thread.run_sync(self._saved.load, rest, grant)
            return saved.draft
        return await _of_host(source, rest, host)

    async def known_as(self, name: str, grant: str) -> str:
        """*name* as policies and journal know it: a plain one may be what *grant* saved.

        Only where the library has none of that name; what cannot be looked up stays as it is.

        Raises:
            WorkflowError: a folder of the library cannot be read.
            StateError: the folder of saved workflows cannot be used.
        """
        split = source_of(name)
        if split is None or split[0] is not Source.LIBRARY:
            return name

        def work() -> str:
            if self._library.has(name) or not self._saved.has(name, grant):
                return name
            return f"{Source.SAVED}/{name}"

        return await anyio.to_thread.run_sync(work)

    async def entries(
        self, host: ComfyHost, grant: str, *, source: Source | None = None
    ) -> tuple[list[Entry], list[str]]:
        """All that *grant* can run by name, and what could not be looked at, in words.

        Raises:
            StateError: the folder of saved workflows cannot be used.
        """

        def on_disk() -> tuple[list[Entry], list[str]]:
            found, told = self._of_library() if source in {None, Source.LIBRARY} else ([], [])
            saved = self._of_saved(grant) if source in {None, Source.SAVED} else []
            return [*found, *saved], told

        found, told = await anyio.to_thread.run_sync(on_disk)
        try:
            if source in {None, Source.HOST}:
                found += _entries(Source.HOST, (await host.workflows.saved()).values())
            if source in {None, Source.TEMPLATE}:
                templates = await host.workflows.templates()
                found += _entries(Source.TEMPLATE, templates.values())
                if source is Source.TEMPLATE and not templates:
                    told.append(NO_TEMPLATES)
        except HostError as error:
            told.append(f"ComfyUI's own workflows are not listed: {error}")
        return found, told

    def save(self, name: str, grant: str, parts: dict[str, Any], *, overwrite: bool) -> Done:
        """Keep *parts* as *name* of *grant*. Reads and writes files.

        Raises:
            WorkflowError: the name is the library's or another's, or it would be too much.
            StateError: the folder cannot be used.
        """
        if self._library.has(name):
            raise WorkflowError(
                f"{shown(name)} is a workflow of the library, which cannot be replaced. Choose"
                " another name."
            )
        return self._saved.save(name, grant, parts, overwrite=overwrite)

    def delete(self, name: str, grant: str) -> None:
        """Take away what *grant* saved as *name*. Writes files.

        Raises:
            WorkflowError: it saved nothing under that name.
            StateError: the folder cannot be used.
        """
        self._saved.delete(name, grant)

    def names(self, grant: str) -> tuple[str, ...]:
        """What *grant* can run by name without asking ComfyUI. Reads files.

        Raises:
            WorkflowError: a folder of the library cannot be read.
            StateError: the folder of saved workflows cannot be used.
        """
        own = (f"{Source.SAVED}/{name}" for name in self._saved.names(grant))
        return (*self._library.names(), *own)

    def _of_name(self, name: str, grant: str | None) -> Draft:
        """The library's workflow *name*; if there is none, the error names what *grant* saved."""
        try:
            return self._library.draft(name)
        except WorkflowError as error:
            own = () if grant is None or self._library.has(name) else self._saved.names(grant)
            if not own:
                raise
            close = nearest(name, own)
            whole = [f"{Source.SAVED}/{one}" for one in ([close] if close else own)]
            hint = f'Did you mean "{whole[0]}"?' if close else f"You saved: {listed(whole)}."
            raise WorkflowError(f"{error} {hint}") from error

    def _of_library(self) -> tuple[list[Entry], list[str]]:
        try:
            names = self._library.names()
        except WorkflowError as error:
            return [], [str(error)]
        return [self._library_entry(name) for name in names], []

    def _library_entry(self, name: str) -> Entry:
        try:
            draft = self._library.draft(name)
        except WorkflowError as error:
            return Entry(name, Source.LIBRARY, description=f"Broken: {error}")
        return _of_draft(name, Source.LIBRARY, draft)

    def _of_saved(self, grant: str) -> list[Entry]:
        return [
            Entry(
                f"{Source.SAVED}/{one.name}",
                Source.SAVED,
                one.title,
                one.description,
                parameters=one.parameters,
            )
            for one in self._saved.entries(grant)
        ]


async def _of_host(source: Source, rest: str, host: ComfyHost) -> Draft:
    """What ComfyUI lists as *rest*, under exactly that name."""
    kept = host.workflows
    listing = kept.saved if source is Source.HOST else kept.templates
    listed = await listing()
    if rest not in listed:
        # It may have been saved this moment.
        listed = await listing(fresh=True)
    if rest not in listed:
        raise WorkflowError(_not_there(f"{source}/{rest}", [f"{source}/{one}" for one in listed]))
    raw = await (kept.read_saved(rest) if source is Source.HOST else kept.read_template(rest))

    def work() -> Draft:
        try:
            return read_draft(listed[rest].title or rest[-MOST_TITLE:], raw)
        except WorkflowError as exc:
            raise WorkflowError(
                f"{shown(f'{source}/{rest}')}: {exc}",
                node_id=exc.node_id,
                input_name=exc.input_name,
            ) from exc

    return await anyio.to_thread.run_sync(work)


def _entries(source: Source, listed: Iterable[HostWorkflow]) -> list[Entry]:
    return [
        Entry(f"{source}/{one.name}", source, one.title, one.description, one.tags, place=place)
        for place, one in enumerate(listed)
        if source_of(f"{source}/{one.name}") is not None
    ]


def _of_draft(name: str, source: Source, draft: Draft) -> Entry:
    known = None if draft.graph is None and not draft.told else draft.manifest.names
    return Entry(name, source, draft.manifest.title, draft.manifest.description, parameters=known)


def _no_name(name: str) -> str:
    return (
        f'"{shown(name)}" is no workflow\'s name: list_workflows gives names as they have to be'
        " written."
    )


def _not_there(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    hint = f' Did you mean "{close}"?' if close else " list_workflows names what there is."
    return f'There is no workflow "{shown(name)}".{hint}'
