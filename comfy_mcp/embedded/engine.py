"""What one embedded host is made of: everything that changes, in one place."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.cache import Cache
from comfy_mcp.embedded.run import Signal
from comfy_mcp.embedded.sockets import Sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from comfy_mcp.embedded.faults import Faults
    from comfy_mcp.embedded.log import LogRing
    from comfy_mcp.embedded.nodes.base import Node
    from comfy_mcp.embedded.paths import Folders
    from comfy_mcp.embedded.profiles import Profile
    from comfy_mcp.embedded.queue import JobQueue

__all__ = ["EVERYBODY", "Engine"]


EVERYBODY = "*"
"""The client of every job in Comfy Cloud, where clientIds mean nothing."""


@dataclass(slots=True)
class Engine:
    """The state that routes and worker share; all of it is touched on the event loop only.

    *client_id* and *last_node_id* are those of the job that runs, as ComfyUI keeps them.
    """

    profile: Profile
    faults: Callable[[], Faults]
    catalogue: Mapping[str, Node]
    folders: Folders
    queue: JobQueue
    log: LogRing
    changed: Callable[[], None]
    sockets: Sockets = field(init=False)
    cache: Cache = field(default_factory=Cache)
    signal: Signal = field(default_factory=Signal)
    work: asyncio.Event = field(default_factory=asyncio.Event)
    number: int = 0
    client_id: str | None = None
    last_node_id: str | None = None
    free_memory: bool = False

    def __post_init__(self) -> None:
        self.sockets = Sockets(self.faults, self.changed, shared=self.profile.cloud)

    @property
    def logger(self) -> logging.Logger:
        """Where the host says what happens, for /internal/logs."""
        return self.log.logger

    def take_number(self) -> int:
        """The server's next number."""
        self.number += 1
        return self.number - 1

    def queue_info(self) -> dict[str, Any]:
        """What GET /prompt and `status` messages say."""
        return {"exec_info": {"queue_remaining": self.queue.remaining}}

    def queue_updated(self) -> None:
        """Tell everybody, and the worker."""
        self.sockets.send("status", {"status": self.queue_info()}, None)
        self.work.set()
        self.changed()

    def interrupt(self) -> None:
        """Set the flag that stops whatever runs; starting a job resets it."""
        self.signal.interrupted = True

    def interrupt_if_running(self, prompt_id: object) -> bool:
        """Interrupt that job if it is the one that runs; whether it was."""
        if not self.queue.is_running(prompt_id):
            return False
        self.interrupt()
        return True

    def dequeue(self, prompt_id: object) -> bool:
        """Take the first pending job with that id out of the queue; whether there was one."""
        found = self.queue.delete(prompt_id)
        if found:
            self.queue_updated()
        return found

    def hello(self, sid: str) -> list[tuple[str, dict[str, Any]]]:
        """What a client is told when it connects."""
        messages: list[tuple[str, dict[str, Any]]] = [
            ("status", {"status": self.queue_info(), "sid": sid})
        ]
        if self.client_id in {sid, EVERYBODY} and self.last_node_id is not None:
            messages.append(("executing", {"node": self.last_node_id}))
        return messages

    def forget(self) -> None:
        """Lose what a restart loses."""
        self.signal.abandoned.set()
        self.signal = Signal()
        self.queue.clear()
        self.cache = Cache()
        self.number = 0
        self.client_id = self.last_node_id = None
        self.free_memory = False
        self.work.clear()
        self.log.clear()
        self.sockets.forget()
