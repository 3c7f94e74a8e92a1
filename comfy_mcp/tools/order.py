"""What run_workflow is about to send: as it was asked for, or as a person approved it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from comfy_mcp.guard.question import Prefix
from comfy_mcp.store.protocol import ApprovalRow, NewJob
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.references import files_of
from comfy_mcp.tools.source import Source, source_of
from comfy_mcp.workflow import Filled, Graph, Manifest, digest, fill, parse_graph
from comfy_mcp.workflow.origin import INLINE, base_digest

__all__ = ["MOST_NOTES", "Order", "approved", "filled_from", "ordered", "referred", "thawed"]

MOST_NOTES = 10
MAX_NOTE = 400
"""Sentences about a conversion that an answer has, and characters of each."""


@dataclass(frozen=True, slots=True)
class Order:
    """A workflow with its parameters in place, and where it came from.

    *base* is the graph before its parameters were put in, *prefix* what the policy puts before the
    names of outputs; *params* are those that were given, with those of a former run; *request*
    tells what was asked, "" without a key. *changed* are sentences for the agent about what
    a person changed, *by_hand* if that went beyond parameters; *notes* are other sentences for it.
    *again* is the former run that it repeats, *digest* that of the workflow that has the name.
    """

    filled: Filled
    workflow: str
    base: Graph
    manifest: Manifest | None
    prefix: str | None
    front: bool
    prompt_id: str
    grant: str
    key: str = ""
    request: str = ""
    changed: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()
    again: str | None = None
    by_hand: bool = False
    digest: str = ""

    def job(self, host: str, kind: str = "", sent: str = "", origin: str = "") -> NewJob:
        """The job that it becomes, of shape *kind*; *sent* is the graph's digest."""
        return NewJob(
            prompt_id=self.prompt_id,
            grant=self.grant,
            host=host,
            workflow=self.workflow,
            digest=sent,
            shape=kind,
            key=self.key,
            request=self.request,
            origin=origin,
        )

    def told(self) -> tuple[str, ...]:
        """What the agent has to hear of it: what was drawn, changed, converted, repeated."""
        values = self.filled.told
        drawn = (f"{name} {values[name]} was drawn at random" for name in self.filled.drawn)
        notes = [note if len(note) <= MAX_NOTE else f"{note[:MAX_NOTE]}..." for note in self.notes]
        left = len(notes) - MOST_NOTES
        more = (f"... and {left} more notes about the conversion.",) if left > 0 else ()
        return (*drawn, *self.changed, *notes[:MOST_NOTES], *more)

    def seen(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """*args* as rules have to see them: what runs under which name, with which parameters.

        Of an inline graph they see what is sent, whatever it was made of.
        """
        named = self.workflow != INLINE
        workflow = self.workflow if named else self.filled.graph.to_json()
        return {**args, "workflow": workflow, "params": dict(self.params), "front": self.front}

    def origin(self) -> dict[str, Any]:
        """Where it came from, as far as it is known before it is measured."""
        manifest = self.manifest
        return {
            "workflow": self.workflow,
            "graph": self.filled.graph.to_json(),
            "params": dict(self.params),
            "values": self.filled.told,
            "drawn": list(self.filled.drawn),
            "files": dict(self.filled.files),
            "changed": list(self.changed),
            "by_hand": self.by_hand,
            "again": self.again,
            "base": self.digest,
            "manifest": None
            if manifest is None
            else manifest.model_dump(mode="json", exclude_unset=True),
        }

    def frozen(self) -> dict[str, Any]:
        """It as JSON, from which it can be made again."""
        from comfy_mcp.workflow.frozen import frozen  # noqa: PLC0415 - start-up stays light

        # Of an inline graph a person is to see, and may change, all that the agent wrote into it.
        manifest = None if self.workflow == INLINE else self.manifest
        kept = frozen(
            self.filled,
            workflow=self.workflow,
            base=self.base,
            manifest=manifest,
            prefix=self.prefix,
            front=self.front,
        )
        # What the name means may be something else by the time it is run.
        return {**kept, "digest": self.digest}


async def ordered(
    app: App,
    caller: Caller,
    workflow: str | dict[str, Any] | None,
    params: Mapping[str, Any],
    *,
    front: bool = False,
    key: str = "",
    from_prompt_id: str | None = None,
) -> Order:
    """What a call asks for.

    Raises:
        WorkflowError: it cannot be sent as it is.
        HostError: ComfyUI has to be asked for it, and does not answer.
        StateError: the journal cannot be read.
    """
    source = await source_of(app, caller, workflow, from_prompt_id)
    asked: dict[str, Any] = {"workflow": workflow, "params": params, "front": front}
    if from_prompt_id is not None:
        asked["from_prompt_id"] = from_prompt_id
    order = await filled_from(app, caller, source, params, front=front)
    if not key:
        return order
    return replace(order, key=key, request=await anyio.to_thread.run_sync(digest, asked))


async def filled_from(
    app: App,
    caller: Caller,
    source: Source,
    params: Mapping[str, Any],
    *,
    front: bool = False,
    files: Mapping[str, str] | None = None,
    prefix: Prefix | None = None,
) -> Order:
    """*source* with *params* in place, under an id of its own.

    *files* are what references stand for, if that was looked up already; *prefix* is what another
    tool's rules put before the names of outputs: the longer one holds.

    Raises:
        WorkflowError: they do not fit.
        StateError: the journal cannot be read.
    """
    prefix = longest(prefix, app.gate.prefix(caller.call()))
    given = {**source.values, **params}
    if files is None:
        files = await referred(app, caller, source, given)
    order = Order(
        filled=Filled(source.graph, {}),
        workflow=source.name,
        base=source.graph,
        manifest=source.manifest,
        prefix=None if prefix is None else prefix.text,
        front=front,
        prompt_id=app.new_prompt_id(),
        grant=caller.grant,
        params=given,
        notes=(*source.notes, *source.reused(params)),
        again=source.again,
    )
    async with app.preparing:
        return await anyio.to_thread.run_sync(_filled, app, order, source, files, prefix)


def longest(*prefixes: Prefix | None) -> Prefix | None:
    """The one that may hold the others in it; what does not is refused by its own rule."""
    found = [one for one in prefixes if one is not None]
    return max(found, key=lambda one: len(one.text), default=None)


async def referred(
    app: App, caller: Caller, source: Source, params: Mapping[str, Any]
) -> dict[str, str]:
    """The names of files that references in *source* and *params* stand for.

    Raises:
        WorkflowError: one cannot be used.
        StateError: the journal cannot be read.
    """
    from comfy_mcp.workflow.references import references_in  # noqa: PLC0415 - start-up stays light

    found = await anyio.to_thread.run_sync(references_in, source.graph, params)
    return await files_of(app, caller, await app.jobs(), found) if found else {}


def _filled(
    app: App, order: Order, source: Source, files: Mapping[str, str], prefix: Prefix | None
) -> Order:
    from comfy_mcp.workflow.inline import fill_inline, fill_whole  # noqa: PLC0415 - start-up stays light
    from comfy_mcp.workflow.references import with_files  # noqa: PLC0415 - start-up stays light

    base, params = with_files(source.graph, files), order.params
    if source.manifest is not None and source.whole and not source.open:
        filled = fill(base, source.manifest, params, draw_seed=app.draw_seed, files=files)
        manifest: Manifest | None = source.manifest
    elif source.manifest is not None and source.whole:
        made = fill_whole(base, source.manifest, params, draw_seed=app.draw_seed, files=files)
        filled, base, manifest = made.filled, made.base, made.manifest
    else:
        made = fill_inline(
            base,
            params,
            draw_seed=app.draw_seed,
            files=files,
            schemas=source.schemas,
            known=source.manifest,
            nodes=source.open,
        )
        filled, base, manifest = made.filled, made.base, made.manifest
    if prefix is not None:
        filled = _with_prefix(filled, prefix)
    known = "" if source.name == INLINE else base_digest(source.graph, source.manifest)
    return replace(order, filled=filled, base=base, manifest=manifest, digest=source.base or known)


async def approved(app: App, order: Order, row: ApprovalRow) -> Order:
    """*order* as a person let it through: the frozen graph, maybe with other parameters.

    Raises:
        WorkflowError: what was frozen cannot be read.
    """

    def work() -> Order:
        return thawed(order, row.payload, row)

    async with app.preparing:
        return await anyio.to_thread.run_sync(work)


def thawed(order: Order, payload: Mapping[str, Any], row: ApprovalRow) -> Order:
    """*order* as *payload* has frozen it, with what the person behind *row* said and changed."""
    changes = row.changes
    # What a person has set is left to chance no more; in a graph it goes by other names.
    gone = changes if payload["manifest"] is not None else changes and payload["drawn"]
    drawn = tuple(name for name in payload["drawn"] if name not in gone)
    filled = Filled(
        parse_graph(payload["graph"]),
        dict(payload["values"]),
        drawn,
        files=dict(payload.get("references") or {}),
        placed=dict(payload.get("placed") or {}),
    )
    now = {name: filled.told[name] for name in changes if name in filled.told}
    # Where nobody wrote it down, it is that of nothing: the run is then no workflow's by name.
    known = str(payload.get("digest") or "")
    return replace(
        order,
        filled=filled,
        workflow=payload["workflow"],
        manifest=order.manifest if known == order.digest else None,
        digest=known,
        front=bool(payload["front"]),
        changed=_told(row),
        params={**order.params, **now},
        by_hand=bool(payload["nodes"]),
    )


def _told(row: ApprovalRow) -> tuple[str, ...]:
    """What a person said and changed, if anything."""
    pairs: Mapping[str, Any] = row.changes
    words = [f"{name}: {_short(was)} -> {_short(now)}" for name, (was, now) in pairs.items()]
    said = f' ("{_short(row.reason)}")' if row.reason else ""
    if words:
        return (f"A person approved this with changes{said}: {'; '.join(words[:20])}",)
    return (f"A person approved this{said}.",) if said else ()


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


MAX_SHOWN = 200


def _with_prefix(filled: Filled, prefix: Prefix) -> Filled:
    from comfy_mcp.workflow.saves import with_prefix  # noqa: PLC0415 - start-up stays light

    return replace(filled, graph=with_prefix(filled.graph, prefix.text))
