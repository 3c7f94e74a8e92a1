"""A sweep as a person has to decide it: all of its runs, as one request."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.matter import Frozen, Matter
from comfy_mcp.store.protocol import ApprovalRow, NewSweep
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.measuring import Measured, measured_together
from comfy_mcp.tools.order import Order, thawed
from comfy_mcp.tools.run_matter import MOST_FILES, origin_of, told_input
from comfy_mcp.tools.startable import must_be_plain, must_be_there, named
from comfy_mcp.workflow import FACTS
from comfy_mcp.workflow.origin import INLINE

if TYPE_CHECKING:
    from comfy_mcp.host.fingerprints import Fingerprint
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.workflow.input_files import ReadFile

__all__ = ["RUN", "SweepMatter"]

RUN = "run_workflow"
"""The tool that each variant is judged as."""

EACH = " (each run)"
"""Behind the name of a parameter whose values are told run by run."""

MOST_KEPT = 200
"""Characters of a text that tells runs apart."""

AS_ONE_RUN: Mapping[str, Any] = {
    "from_prompt_id": None,
    "wait_seconds": 0.0,
    "front": False,
    "idempotency_key": None,
    "on_cancel": "keep",
    "approval_id": None,
}
"""What a variant would say besides, were it a call of its own."""


class SweepMatter(Matter):
    """One call of run_sweep; *orders* become what a person approved, where one was asked.

    *names* are those of what each of them changes.
    """

    def __init__(
        self,
        app: App,
        caller: Caller,
        jobs: Jobs,
        *,
        orders: Sequence[Order],
        sweep: NewSweep,
        names: Sequence[Collection[str]],
    ) -> None:
        super().__init__(caller.call())
        self.orders = tuple(orders)
        self.asks_client = caller.asks_client
        self._app = app
        self._caller = caller
        self._runner = replace(caller, tool=RUN)
        self._jobs = jobs
        self._sweep = sweep
        self._names = names
        self._read: tuple[ReadFile, ...] = ()
        self._prints: Mapping[str, Fingerprint] = {}

    async def judged(self) -> Call:
        """The call with everything that rules may ask about its runs.

        Raises:
            StateError: the journal cannot be read.
        """
        gate = self._app.gate
        wanted = gate.wanted(self._caller.call()) | gate.wanted(self._runner.call())
        found = await self._measure(wanted)
        pairs = zip(self.orders, found, strict=True)
        variants = [await self._variant(order, one) for order, one in pairs]
        args = self._caller.args or {}
        seen = {**args, "workflow": (variants[0].seen or {}).get("workflow")}
        sweep = replace(self._sweep, data=_data(self.orders, self._names))
        self.call = replace(self._caller.call(), variants=tuple(variants), sweep=sweep, seen=seen)
        return self.call

    async def say(self, words: str) -> None:
        """Tell the client that its call waits."""
        await self._caller.say(0.0, words)

    async def bound(self) -> Mapping[str, Any]:
        """Digests of the files that any of the runs reads."""
        self._read = await anyio.to_thread.run_sync(_reads, self.orders)
        if len(self._read) > MOST_FILES:
            raise WorkflowError(
                f"These runs name {len(self._read)} files to read, and a person can be asked about"
                f" {MOST_FILES} at most: run them in parts."
            )
        names = frozenset(one.name for one in self._read if not one.loose)
        self._prints = await self._jobs.host.fingerprints(names) if names else {}
        must_be_plain(self._read, self._prints)
        return {name: one.sha256 for name, one in self._prints.items()}

    async def frozen(self) -> Frozen:
        """All graphs; facts measured on the one that costs most, and the price of all.

        Raises:
            HostError: ComfyUI does not answer, or works on nothing any more.
            WorkflowError: one names models or files that ComfyUI does not have.
        """
        from comfy_mcp.workflow.described import described  # noqa: PLC0415 - start-up stays light

        host = self._jobs.host
        # What cannot run now is not asked about: the agent hears why at once.
        await host.ready()
        whole = await self._measure(FACTS)
        for one in whole:
            of_one = one.run.facts
            must_be_there(of_one, await host.choices(named(of_one)), self._read, self._prints)
        costly = max(range(len(whole)), key=lambda at: _cost(whole[at]))
        estimates = [await self._jobs.estimate(one.shape) for one in whole]
        known = [one for one in estimates if one is not None]
        first = self.orders[0]
        files = {name: one.sha256 for name, one in self._prints.items()}
        values = _values(self.orders)
        facts = {
            "workflow": first.workflow,
            "title": None if first.manifest is None else first.manifest.title,
            "runs": len(self.orders),
            "values": values,
            "given": _labels(values, (name for one in self.orders for name in one.params)),
            "drawn": _labels(values, (name for one in self.orders for name in one.filled.drawn)),
            "front": False,
            "graph": described(self.orders[costly].filled.graph, whole[costly].run.facts),
            "estimate_s": sum(known) / 1000 if len(known) == len(estimates) else None,
            "queue": await self._queue(),
            "inputs": [told_input(one, self._prints) for one in self._read],
            "place": self._app.place,
        }
        return Frozen({**_payload(self.orders), "files": files}, facts)

    async def remade(self, row: ApprovalRow) -> Call:
        """The call for exactly what *row* has, measured anew.

        Raises:
            HostError: ComfyUI does not answer: the yes is kept for later.
        """
        await self._jobs.host.ready()
        runs = row.payload["runs"]
        pairs = tuple(zip(self.orders, runs, strict=True))

        def work() -> tuple[Order, ...]:
            return tuple(thawed(order, payload, row) for order, payload in pairs)

        async with self._app.preparing:
            self.orders = await anyio.to_thread.run_sync(work)
        return await self.judged()

    async def _measure(self, wanted: frozenset[str]) -> list[Measured]:
        graphs = [order.filled.graph for order in self.orders]
        return await measured_together(self._app, self._caller, self._jobs, graphs, wanted)

    async def _variant(self, order: Order, found: Measured) -> Call:
        jobs = self._jobs
        args = {**AS_ONE_RUN, "workflow": order.workflow, "params": dict(order.params)}
        origin = await origin_of(jobs, order, found.run.facts)
        job = order.job(jobs.label, found.shape, found.digest, origin)
        runner = replace(self._runner, args=args)
        # On a thread: a graph can have megabytes.
        seen = await anyio.to_thread.run_sync(order.seen, args)
        return replace(runner.call(run=found.run, job=job), seen=seen)

    async def _queue(self) -> dict[str, int] | None:
        try:
            running, pending = await self._jobs.host.queue_length()
        except HostError:
            return None
        return {"running": running, "pending": pending}


def _data(orders: Sequence[Order], names: Sequence[Collection[str]]) -> str:
    """What each run changes, and what was drawn for it, as the journal keeps it: short texts."""
    runs: list[dict[str, Any]] = []
    for order, own in zip(orders, names, strict=True):
        told = order.filled.told
        kept = dict.fromkeys((*own, *order.filled.drawn))
        runs.append({name: _short(told[name]) for name in kept if name in told})
    return json.dumps({"runs": runs}, ensure_ascii=False, separators=(",", ":"))


def _short(value: object) -> object:
    return value[:MOST_KEPT] if isinstance(value, str) else value


def _reads(orders: Sequence[Order]) -> tuple[ReadFile, ...]:
    from comfy_mcp.workflow.input_files import input_files  # noqa: PLC0415 - start-up stays light

    reads = (one for order in orders for one in input_files(order.filled.graph))
    return tuple({(one.name, one.loose): one for one in reads}.values())


def _payload(orders: Sequence[Order]) -> dict[str, Any]:
    """What a yes lets through: each graph, and of how it was made what its job is told with."""
    runs: list[dict[str, Any]] = []
    for order in orders:
        frozen = order.frozen()
        frozen.pop("base")
        # Nothing can be changed in it, so that it need not be made anew from its workflow.
        frozen["manifest"] = None if frozen["manifest"] is None else {}
        runs.append(frozen)
    first = orders[0]
    graph = first.filled.graph.to_json() if first.workflow == INLINE else None
    manifest: dict[str, Any] | None = {} if first.workflow != INLINE else None
    return {
        "kind": "sweep",
        "workflow": first.workflow,
        "runs": runs,
        "graph": graph,
        "manifest": manifest,
    }


def _values(orders: Sequence[Order]) -> dict[str, Any]:
    """By name: the value of all runs; and by another name, the values of those that differ.

    The own name of what differs may stand in a graph that is shown beside it, as it is in one run.
    """
    told = [order.filled.told for order in orders]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in told for name in one):
        values = [one.get(name) for one in told]
        alike = all(type(one) is type(values[0]) and one == values[0] for one in values)
        found.update({name: values[0]} if alike else {name + EACH: values})
    return found


def _labels(values: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """*names*, as *values* has them."""
    return sorted({one for name in names for one in (name, name + EACH) if one in values})


def _cost(one: Measured) -> tuple[float, float, int]:
    facts = one.run.facts
    return (facts.total_steps * max(facts.megapixels, 0.001), facts.megapixels, facts.nodes)
