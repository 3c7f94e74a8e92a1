"""A run as a person has to decide it: what it would do, what it reads, what it would cost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.matter import Frozen, Matter
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.measuring import Measured, measured
from comfy_mcp.tools.order import Order, approved
from comfy_mcp.tools.startable import must_be_plain, must_be_there, named
from comfy_mcp.workflow import FACTS, Facts

if TYPE_CHECKING:
    from comfy_mcp.host.fingerprints import Fingerprint
    from comfy_mcp.jobs.manager import Jobs
    from comfy_mcp.workflow.input_files import ReadFile

__all__ = ["MOST_FILES", "RunMatter", "origin_of", "told_input"]

MOST_FILES = 100
"""Files that one yes can be bound to: a person has to be able to look at them."""

VERSION_SECONDS = 2.0
"""ComfyUI tells its version once for each time it is reached; a run does not wait for it long."""


class RunMatter(Matter):
    """One call of run_workflow; *order* becomes what a person approved, where one was asked."""

    def __init__(self, app: App, caller: Caller, jobs: Jobs, order: Order) -> None:
        super().__init__(caller.call())
        self.order = order
        self.asks_client = caller.asks_client
        self._app = app
        self._caller = caller
        self._jobs = jobs
        self._measured: Measured | None = None
        self._read: tuple[ReadFile, ...] = ()
        self._prints: Mapping[str, Fingerprint] = {}

    async def judged(self) -> Call:
        """The call with everything that rules may ask about the run.

        Raises:
            StateError: the journal cannot be read.
        """
        order, jobs = self.order, self._jobs
        graph = order.filled.graph
        found = await measured(self._app, self._caller, jobs, graph, front=order.front)
        self._measured = found
        origin = await origin_of(jobs, order, found.run.facts)
        job = order.job(jobs.label, found.shape, found.digest, origin)
        # On a thread: a graph can have megabytes.
        seen = await anyio.to_thread.run_sync(order.seen, self._caller.args or {})
        self.call = replace(self._caller.call(run=found.run, job=job), seen=seen)
        return self.call

    async def say(self, words: str) -> None:
        """Tell the client that its call waits."""
        await self._caller.say(0.0, words)

    async def bound(self) -> Mapping[str, Any]:
        """Digests of the files that the workflow reads."""
        from comfy_mcp.workflow.input_files import input_files  # noqa: PLC0415 - start-up stays light

        graph = self.order.filled.graph
        self._read = await anyio.to_thread.run_sync(input_files, graph)
        if len(self._read) > MOST_FILES:
            raise WorkflowError(
                f"This workflow names {len(self._read)} files to read, and a person can be asked"
                f" about {MOST_FILES} at most: run it in parts."
            )
        names = frozenset(one.name for one in self._read if not one.loose)
        self._prints = await self._jobs.host.fingerprints(names) if names else {}
        must_be_plain(self._read, self._prints)
        return {name: one.sha256 for name, one in self._prints.items()}

    async def frozen(self) -> Frozen:
        """The graph and what it was made from; facts measured on that graph, and its price.

        Raises:
            HostError: ComfyUI does not answer, or works on nothing any more.
            WorkflowError: it names models or files that ComfyUI does not have.
        """
        from comfy_mcp.workflow.described import described  # noqa: PLC0415 - start-up stays light

        if self._measured is None:
            raise AssertionError("a run is parked unmeasured")
        host = self._jobs.host
        # What cannot run now is not asked about: the agent hears why at once.
        await host.ready()
        whole = await self._whole()
        choices = await host.choices(named(whole.run.facts))
        must_be_there(whole.run.facts, choices, self._read, self._prints)
        payload = self.order.frozen()
        payload["files"] = {name: one.sha256 for name, one in self._prints.items()}
        manifest = self.order.manifest
        estimate_ms = await self._jobs.estimate(self._measured.shape)
        facts = {
            "workflow": self.order.workflow,
            "title": None if manifest is None else manifest.title,
            "values": self.order.filled.told,
            "given": sorted(self.order.params),
            "drawn": list(self.order.filled.drawn),
            "front": self.order.front,
            "graph": described(self.order.filled.graph, whole.run.facts),
            "estimate_s": None if estimate_ms is None else estimate_ms / 1000,
            "queue": await self._queue(),
            "inputs": [told_input(one, self._prints) for one in self._read],
            "place": self._app.place,
        }
        return Frozen(payload, facts)

    async def remade(self, row: ApprovalRow) -> Call:
        """The call for exactly what *row* has, measured anew.

        Raises:
            HostError: ComfyUI does not answer: the yes is kept for later.
        """
        await self._jobs.host.ready()
        self.order = await approved(self._app, self.order, row)
        return await self.judged()

    async def _whole(self) -> Measured:
        """All facts, also those that no rule looks at."""
        order = self.order
        graph = order.filled.graph
        return await measured(
            self._app, self._caller, self._jobs, graph, front=order.front, wanted=FACTS
        )

    async def _queue(self) -> dict[str, int] | None:
        try:
            running, pending = await self._jobs.host.queue_length()
        except HostError:
            return None
        return {"running": running, "pending": pending}


def told_input(file: ReadFile, prints: Mapping[str, Fingerprint]) -> dict[str, Any]:
    """A file that is read, as people are told of it."""
    found = prints.get(file.name)
    if found is None:
        return {"name": file.name, "sha256": None, "why": file.loose}
    return {
        "name": file.name,
        "type": _folder(file.name),
        "sha256": found.sha256,
        "bytes": found.bytes,
        "picture": found.picture,
        "why": found.why,
    }


def _folder(name: str) -> str:
    """Which of ComfyUI's folders a node finds *name* in: input, output or temp."""
    return next((kind for kind in ("output", "temp") if name.endswith(f"[{kind}]")), "input")


async def origin_of(jobs: Jobs, order: Order, facts: Facts) -> str:
    """Where the job of *order* came from, as the journal keeps it."""
    from comfy_mcp.workflow.origin import models_of, origin_text  # noqa: PLC0415 - start-up stays light

    version = await _version(jobs)

    def work() -> str:
        host = {"version": version, "base": jobs.host.address.base}
        return origin_text({**order.origin(), "models": models_of(facts), "host": host})

    return await anyio.to_thread.run_sync(work)


async def _version(jobs: Jobs) -> str:
    """ComfyUI's own word for it; empty where that is not to be had soon."""
    with suppress(HostError, TimeoutError):
        async with asyncio.timeout(VERSION_SECONDS):
            return await jobs.host.version()
    return ""
