"""The one worker of a host: takes jobs from the queue and runs them, one after the other."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_mcp.embedded.cache import Cache
from comfy_mcp.embedded.death import Death, pieces
from comfy_mcp.embedded.job import Job
from comfy_mcp.embedded.log import green
from comfy_mcp.embedded.run import LINGER_SECONDS

if TYPE_CHECKING:
    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.queue import Item

__all__ = ["Worker"]


@dataclass(slots=True)
class Worker:
    """Runs jobs until it is cancelled, or dies as ComfyUI's worker does."""

    engine: Engine
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="embedded-worker")
    )
    job: Job | None = None

    @property
    def node(self) -> str | None:
        """The node that runs."""
        return self.job.node_id or None if self.job is not None else None

    async def work(self) -> None:
        """Run what is queued, for ever."""
        while True:
            await self.engine.work.wait()
            if not self.engine.queue.pending:
                self._free()
                self.engine.work.clear()
                continue
            if not await self._next():
                return

    async def _next(self) -> bool:
        """Run one job; False when it killed the worker."""
        engine = self.engine
        item = engine.queue.pop()
        engine.queue_updated()
        death = _death(engine, item)
        if death is not None:
            for piece in pieces(death):
                engine.log.write(piece)
            return False
        await _gap(engine)
        self.job = job = Job(engine, item, self.threads)
        started = time.monotonic()
        await job.run()
        self.job = None
        engine.queue.finish(item.prompt_id, job.entry())
        engine.queue_updated()
        if engine.client_id is not None:
            data = {"node": None, "prompt_id": item.prompt_id}
            engine.sockets.send("executing", data, engine.client_id)
        seconds = f"Prompt executed in {time.monotonic() - started:.2f} seconds"
        engine.logger.info(green(seconds) if engine.profile.coloured_log else seconds)
        self._free()
        return True

    def _free(self) -> None:
        if self.engine.free_memory:
            self.engine.cache, self.engine.free_memory = Cache(), False


async def _gap(engine: Engine) -> None:
    """The time in which a cancel is lost; over at once when the weather clears."""
    ends = time.monotonic() + engine.faults().lost_cancel_ms / 1000
    while engine.faults().lost_cancel_ms and (left := ends - time.monotonic()) > 0:  # noqa: ASYNC110 - nobody tells of new weather
        await asyncio.sleep(min(left, LINGER_SECONDS))


def _death(engine: Engine, item: Item) -> Death | None:
    """How this job kills the worker, None if it does not."""
    if item.extra_data is None:
        return Death("TypeError", "argument of type 'NoneType' is not iterable")
    if engine.faults().dead_worker or any("inputs" not in node for node in item.prompt.values()):
        # The job is announced first: ComfyUI's worker dies while it looks for cached nodes.
        Job(engine, item, None).announce()
        return Death("KeyError", "'inputs'", deep=True)
    return None
