"""One job on its way through its nodes: what is sent, what is kept, how it ends."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.cache import Cached, signatures
from comfy_mcp.embedded.engine import EVERYBODY
from comfy_mcp.embedded.nodes.base import Context, Interrupted
from comfy_mcp.embedded.order import Order
from comfy_mcp.embedded.progress import Progress, Throttle
from comfy_mcp.embedded.run import Call, Failed, failure, gathered, meta_of
from comfy_mcp.embedded.sockets import preview_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from PIL.Image import Image

    from comfy_mcp.embedded.engine import Engine
    from comfy_mcp.embedded.queue import Item

__all__ = ["Job"]

LETTERS = "abcdefghijklmnopqrstupvxyz"


@dataclass(slots=True)
class Job:
    """One job; what becomes of it is in *messages*, *shown* (by node) and *success*."""

    engine: Engine
    item: Item
    threads: Executor | None
    success: bool = True
    node_id: str = ""
    messages: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )
    shown: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    signatures: dict[str, str] = field(default_factory=dict[str, str])
    results: dict[str, Cached] = field(default_factory=dict[str, Cached])
    executed: list[str] = field(default_factory=list[str])
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.item.prompt_id)

    def entry(self) -> dict[str, Any]:
        """What the history keeps of it, beside the prompt."""
        return {
            "outputs": {node_id: shown["output"] for node_id, shown in self.shown.items()},
            "status": {
                "status_str": "success" if self.success else "error",
                "completed": self.success,
                "messages": [list(each) for each in self.messages],
            },
            "meta": {node_id: shown["meta"] for node_id, shown in self.shown.items()},
        }

    def announce(self) -> None:
        """Say that it starts; from here on an interrupt means this job."""
        engine = self.engine
        engine.signal.interrupted = False
        engine.client_id = self.item.extra_data.get("client_id")
        if engine.profile.cloud:
            engine.client_id = EVERYBODY
            notice = {"prompt_id": self.item.prompt_id, "value": "Executing workflow..."}
            engine.sockets.send("notification", notice, None)
        engine.last_node_id = None
        self._say("execution_start", {})
        engine.changed()

    async def run(self) -> None:
        """Run its nodes and say how it ended; heard before the history has it."""
        engine, prompt = self.engine, self.item.prompt
        self.announce()
        self.signatures = signatures(prompt, engine.catalogue, engine.folders)
        if engine.profile.forgets_others:
            engine.cache.keep_only(set(self.signatures.values()))
        cached = [node_id for node_id in prompt if self._cached(node_id)]
        self._say("execution_cached", {"nodes": cached})
        try:
            await self._nodes()
        except Interrupted:
            self._stopped()
        except Failed as failed:
            self._failed(failed)
        else:
            self._say("execution_success", {})
        engine.last_node_id = None
        gap = engine.faults().success_before_history_ms
        if gap:
            await asyncio.sleep(gap / 1000)

    async def _nodes(self) -> None:
        order = Order(self.item.prompt, self.engine.catalogue)
        order.add(self.item.outputs, self._cached)
        while (node_id := order.next()) is not None:
            self.node_id = node_id
            if self._cached(node_id):
                self._repeat(node_id)
            else:
                await self._execute(node_id)
                self.executed.append(node_id)
            order.done(node_id)

    def _cached(self, node_id: str) -> bool:
        found = self.engine.cache.get(self.signatures[node_id])
        if found is not None:
            self.results[node_id] = found
        return found is not None

    def _repeat(self, node_id: str) -> None:
        """Show again what a cached node showed: the old names, and no new file."""
        shown = self.results[node_id].shown
        if shown is not None:
            self.shown[node_id] = shown
        self._tell_output(node_id, shown)
        self.progress.finish(node_id)
        self._tell_progress()

    async def _execute(self, node_id: str) -> None:
        self.progress.start(node_id)
        self._tell_progress()
        if self.engine.client_id is not None:
            self.engine.last_node_id = node_id
            data = {"node": node_id, "display_node": node_id, "prompt_id": self.item.prompt_id}
            self.engine.sockets.send("executing", data, self.engine.client_id)
        self.engine.changed()
        result = await self._call(node_id)
        self.results[node_id] = result
        self.engine.cache.put(self.signatures[node_id], result)
        if result.shown is not None:
            self.shown[node_id] = result.shown
            self._tell_output(node_id, result.shown)
        self.progress.finish(node_id)
        self._tell_progress()

    async def _call(self, node_id: str) -> Cached:
        spec = self.item.prompt[node_id]
        node = self.engine.catalogue[spec["class_type"]]
        inputs = gathered(spec["inputs"], node, self.results.get)
        call = Call(
            node,
            lambda progress, check: self._context(node_id, progress, check),
            inputs,
            self.engine.signal,
            self.engine.faults,
            self._reporter(node_id),
        )
        call.before()
        try:
            raw = await asyncio.get_running_loop().run_in_executor(self.threads, call.work)
        except Interrupted:
            raise
        except Exception as exception:  # whatever a node raises is the job's failure, not ours
            raise failure(node_id, exception, inputs) from exception
        shown = None if raw.shown is None else {"meta": meta_of(node_id), "output": raw.shown}
        return Cached(raw.values, shown)

    def _context(
        self,
        node_id: str,
        progress: Callable[[int, int, Image | None], None],
        check: Callable[[], None],
    ) -> Context:
        tag = "".join(secrets.choice(LETTERS) for _ in range(5))
        extra = self.item.extra_data.get("extra_pnginfo")
        return Context(node_id, self.item.prompt, extra, self.engine.folders, tag, progress, check)

    def _reporter(self, node_id: str) -> Callable[[int, int, Image | None], None]:
        """What the thread calls at each step; messages are made here, and sent by the loop."""
        loop = asyncio.get_running_loop()
        throttle = Throttle(enabled=self.engine.profile.throttles_progress)
        extra = self.item.extra_data
        sid, wanted = extra.get("client_id"), extra.get("preview_method") != "none"
        modern = self.engine.sockets.supports(sid, "supports_preview_metadata")
        metadata = {
            "prompt_id": self.item.prompt_id,
            "display_node_id": node_id,
            **meta_of(node_id),
        }
        del metadata["display_node"], metadata["parent_node"]
        metadata["parent_node_id"] = None

        def report(done: int, total: int, preview: Image | None) -> None:
            due = throttle.passes(done, total, time.monotonic_ns() // 1_000_000)
            shown = preview if wanted else None
            if not due and shown is None:
                return
            told = metadata if modern else None
            frame = None if shown is None else preview_frame(shown, told)
            loop.call_soon_threadsafe(self._step, node_id, done, total, frame)

        return report

    def _step(self, node_id: str, done: int, total: int, frame: bytes | None) -> None:
        if self.engine.signal.abandoned.is_set():
            return
        self.progress.step(node_id, done, total)
        self._tell_progress()
        data = {"value": done, "max": total, "prompt_id": self.item.prompt_id, "node": node_id}
        self.engine.sockets.send("progress", data, self.engine.client_id)
        if frame is not None:
            self.engine.sockets.send("preview", frame, self.engine.client_id)

    def _stopped(self) -> None:
        self.success = False
        self.engine.logger.info("Processing interrupted")
        self._say("execution_interrupted", self._where(), everybody=True)

    def _failed(self, failed: Failed) -> None:
        self.success = False
        message, kind = str(failed).strip(), failed.told["exception_type"]
        self.engine.logger.error("!!! Exception during processing !!! %s", message)
        trace = "Traceback (most recent call last):\n" + "".join(failed.told["traceback"])
        self.engine.logger.error("%s%s: %s\n", trace, kind, message)
        told = {**self._where(), **failed.told, "current_outputs": list(self.results)}
        self._say("execution_error", told)

    def _where(self) -> dict[str, Any]:
        node_type = self.item.prompt[self.node_id]["class_type"]
        return {"node_id": self.node_id, "node_type": node_type, "executed": list(self.executed)}

    def _say(self, event: str, data: dict[str, Any], *, everybody: bool = False) -> None:
        """Note a message for the history, and send it to the job's client if it has one."""
        stamp = {"timestamp": time.time_ns() // 1_000_000}
        order = (
            {**data, "prompt_id": self.item.prompt_id}
            if "nodes" in data
            else {"prompt_id": self.item.prompt_id, **data}
        )
        self.messages.append((event, {**order, **stamp}))
        if self.engine.client_id is not None or everybody:
            self.engine.sockets.send(event, {**order, **stamp}, self.engine.client_id)

    def _tell_output(self, node_id: str, shown: dict[str, Any] | None) -> None:
        if self.engine.client_id is None:
            return
        data = {
            "node": node_id,
            "display_node": node_id,
            "output": None if shown is None else shown["output"],
            "prompt_id": self.item.prompt_id,
        }
        self.engine.sockets.send("executed", data, self.engine.client_id)

    def _tell_progress(self) -> None:
        if self.engine.profile.feature_flags:
            message = self.progress.message()
            self.engine.sockets.send("progress_state", message, self.engine.client_id)
