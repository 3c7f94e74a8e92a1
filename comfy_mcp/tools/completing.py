"""Completions of what a person types into a prompt or a resource template.

They give away nothing that a tool would not: each is judged as the tool that lists the same, and
what is refused, hidden or not to be had is an empty list. What was looked up is kept for some
seconds, since clients ask at every key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio
from mcp.types import Completion, PromptReference, ResourceTemplateReference

from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.guard.question import Effect
from comfy_mcp.knowledge.search import Query, search
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.permitted import permitted
from comfy_mcp.tools.prompts import PROMPTS

__all__ = ["Completer"]

MOST = 100
"""Values in one answer; the protocol allows no more."""

LONGEST = 200
"""Characters of what is typed; nothing that is longer has a completion."""

SECONDS = 3.0
"""How long one may take: somebody is typing."""

KEPT = 5.0
"""Seconds that names are kept for."""

OUTPUTS = "comfy://jobs/{prompt_id}/"
"""How templates of resources begin whose first variable is a job."""

Values = Callable[[App, Caller, str, Mapping[str, str]], Awaitable[list[str]]]
"""Looks up what may be meant by the typed text; the call is allowed by then."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where values come from: *tool* lists the same, with *args*; *kept* whatever is typed."""

    tool: str
    args: Mapping[str, object]
    values: Values
    kept: bool = True


class Completer:
    """Completes for the caller named *identity*; *clock*: seconds that only rise."""

    def __init__(
        self, app: App, identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._identity = identity
        self._clock = clock
        self._names: dict[str, tuple[float, list[str]]] = {}

    async def complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        name: str,
        typed: str,
        known: Mapping[str, str],
    ) -> Completion:
        """At most 100 values for argument *name* of *ref*, of which *typed* is there.

        *known* are arguments that were filled in before.
        """
        # First: the policy may have changed.
        await self._app.gate.refresh()
        what = self._what(ref, name)
        source = SOURCES.get(what)
        if source is None or len(typed) > LONGEST:
            return Completion(values=[], total=0, has_more=False)
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._values(what, source, typed, known)
        except (ComfyMCPError, TimeoutError):
            found = []
        fits = found if not source.kept else _fitting(found, typed)
        return Completion(values=fits[:MOST], total=len(fits), has_more=len(fits) > MOST)

    async def _values(
        self, what: str, source: _Source, typed: str, known: Mapping[str, str]
    ) -> list[str]:
        at, names = self._names.get(what, (0.0, None))
        grant = self._app.gate.grant(self._identity)
        caller = Caller(source.tool, self._identity, grant, args=source.args)
        if not _allowed(self._app, caller):
            return []
        if source.kept and names is not None and self._clock() - at < KEPT:
            return names
        async with caller.admitted(self._app, caller.call()):
            found = await source.values(self._app, caller, typed, known)
        if source.kept:
            self._names[what] = (self._clock(), found)
        return found

    def _what(self, ref: PromptReference | ResourceTemplateReference, name: str) -> str:
        """What the values of an argument are; "" where there is nothing to complete."""
        if isinstance(ref, ResourceTemplateReference):
            return _VARIABLES.get(name, "") if ref.uri.startswith(OUTPUTS) else ""
        found = next((one for one in PROMPTS if one.name == ref.name), None)
        listed = self._app.gate.listed
        if found is None or not all(listed(self._identity, tool) for tool in found.needs):
            return ""
        return next((each.of for each in found.arguments if each.name == name), "")


def _allowed(app: App, caller: Caller) -> bool:
    """Nobody is asked about a completion: what a person would have to decide is a no."""
    if app.gate.hidden(caller.identity, caller.tool):
        return False
    return app.gate.decide(caller.call(), final=True).effect is Effect.ALLOW


def _fitting(names: list[str], typed: str) -> list[str]:
    """Those that begin like *typed*, then those that have it somewhere."""
    folded = typed.casefold()
    held = [name for name in names if folded in name.casefold()]
    return sorted(held, key=lambda name: not name.casefold().startswith(folded))


async def _prompt_ids(
    app: App, caller: Caller, _typed: str, _known: Mapping[str, str]
) -> list[str]:
    """The caller's own jobs: those that went wrong first, then the newest."""
    jobs = await app.jobs()
    page = await jobs.listed(caller.grant, statuses=frozenset(), mine=True, limit=MOST, cursor=None)
    wrong = [job.prompt_id for job in page.jobs if job.status in {"failed", "lost"}]
    return list(dict.fromkeys([*wrong, *(job.prompt_id for job in page.jobs)]))


async def _numbers(app: App, caller: Caller, _typed: str, known: Mapping[str, str]) -> list[str]:
    """The outputs of a job of the caller's own."""
    prompt_id = known.get("prompt_id", "")
    jobs = await app.jobs()
    if not prompt_id or await jobs.owner(prompt_id, caller.grant) != "mine":
        return []
    return [str(number) for number in range(len(await jobs.files(prompt_id)))]


async def _workflows(app: App, caller: Caller, _typed: str, _known: Mapping[str, str]) -> list[str]:
    """What can be run by name without asking ComfyUI."""
    return list(await anyio.to_thread.run_sync(app.shelf.names, caller.grant))


async def _nodes(app: App, caller: Caller, typed: str, _known: Mapping[str, str]) -> list[str]:
    """Node classes that the policy would run, best first."""
    host = (await app.jobs()).host
    index = await app.knowledge.index(await host.nodes())
    allowed = permitted(app, caller).node
    found = await anyio.to_thread.run_sync(search, index, Query(typed), allowed)
    return [one.schema.class_type for one in found.entries if allowed(one.schema)]


_VARIABLES = {"prompt_id": "prompt_id", "number": "number"}

_MINE = {"status": None, "mine": True, "limit": MOST, "cursor": None}

SOURCES: Mapping[str, _Source] = {
    "prompt_id": _Source("list_jobs", _MINE, _prompt_ids),
    "number": _Source("list_jobs", _MINE, _numbers, kept=False),
    "workflow": _Source("list_workflows", {"query": "", "limit": MOST}, _workflows),
    "node": _Source("search_nodes", {"query": "", "limit": MOST}, _nodes, kept=False),
}
"""By what the values are."""
