"""What run_workflow is about to send: as it was asked for, or as a person approved it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import anyio

from comfy_mcp.guard.question import Prefix
from comfy_mcp.store.protocol import ApprovalRow, NewJob
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.workflow import Filled, Graph, Manifest, digest, fill, parse_graph

__all__ = ["Order", "approved", "ordered"]


@dataclass(frozen=True, slots=True)
class Order:
    """A workflow with its parameters in place, and where it came from.

    *base* is the graph before its parameters were put in, *prefix* what the policy puts before the
    names of outputs; *request* tells what was asked, "" without a key. *changed* are sentences for
    the agent about what a person changed.
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

    def job(self, host: str, kind: str = "", sent: str = "") -> NewJob:
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
        )

    def frozen(self) -> dict[str, Any]:
        """It as JSON, from which it can be made again."""
        from comfy_mcp.workflow.frozen import frozen  # noqa: PLC0415 - start-up stays light

        return frozen(
            self.filled,
            workflow=self.workflow,
            base=self.base,
            manifest=self.manifest,
            prefix=self.prefix,
            front=self.front,
        )


async def ordered(
    app: App,
    caller: Caller,
    workflow: str | dict[str, Any],
    params: dict[str, Any],
    *,
    front: bool,
    key: str,
) -> Order:
    """What a call asks for.

    Raises:
        WorkflowError: it cannot be sent as it is.
    """
    prefix = app.gate.prefix(caller.call())
    prompt_id = app.new_prompt_id()

    def work() -> Order:
        asked = {"workflow": workflow, "params": params, "front": front}
        base, manifest = _known(app, workflow)
        filled = fill(base, manifest, params, draw_seed=app.draw_seed)
        return Order(
            filled=filled if prefix is None else _with_prefix(filled, prefix),
            workflow=workflow if isinstance(workflow, str) else "inline",
            base=base,
            manifest=manifest,
            prefix=None if prefix is None else prefix.text,
            front=front,
            prompt_id=prompt_id,
            grant=caller.grant,
            key=key,
            request=digest(asked) if key else "",
        )

    async with app.preparing:
        return await anyio.to_thread.run_sync(work)


async def approved(app: App, order: Order, row: ApprovalRow) -> Order:
    """*order* as a person let it through: the frozen graph, maybe with other parameters.

    Raises:
        WorkflowError: what was frozen cannot be read.
    """

    def work() -> Order:
        payload = row.payload
        # What a person has set is left to chance no more.
        drawn = tuple(name for name in payload["drawn"] if name not in row.changes)
        filled = Filled(parse_graph(payload["graph"]), dict(payload["values"]), drawn)
        return replace(order, filled=filled, front=bool(payload["front"]), changed=_told(row))

    async with app.preparing:
        return await anyio.to_thread.run_sync(work)


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


def _known(app: App, workflow: str | dict[str, Any]) -> tuple[Graph, Manifest | None]:
    if isinstance(workflow, str):
        known = app.library.load(workflow)
        return known.graph, known.manifest
    return parse_graph(cast("object", workflow)), None


def _with_prefix(filled: Filled, prefix: Prefix) -> Filled:
    from comfy_mcp.workflow.saves import with_prefix  # noqa: PLC0415 - start-up stays light

    return replace(filled, graph=with_prefix(filled.graph, prefix.text))
