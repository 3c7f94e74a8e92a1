"""The live view of one job: what events and looks have said so far, and who waits for more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from comfy_mcp.errors import HostError
from comfy_mcp.host import (
    Closed,
    Ended,
    Event,
    NodeProgress,
    NodesState,
    Pending,
    QueueChanged,
    Running,
    Sighting,
    Started,
)
from comfy_mcp.store.protocol import JobRow

__all__ = ["Live", "Watch", "after_event", "after_look"]


@dataclass(frozen=True, slots=True)
class Live:
    """What is known of an unfinished job: *done* of *total* nodes, the one at work, its steps."""

    status: str = "pending"
    position: int | None = None
    total: int = 0
    done: int = 0
    node_id: str | None = None
    value: float = 0.0
    most: float = 0.0

    @property
    def counted(self) -> bool:
        """Whether the node at work counts its steps."""
        return self.most > 1

    @property
    def percent(self) -> float:
        """0 to 100 over all nodes; the running node counts by its steps."""
        if not self.total:
            return 0.0
        part = self.value / self.most if self.most > 0 else 0.0
        return round(min(100.0, 100.0 * (self.done + min(part, 1.0)) / self.total), 1)


def after_look(live: Live, seen: Sighting) -> Live:
    """*live* after ComfyUI was asked; the end of a job is not its business."""
    match seen:
        case Pending(position):
            return replace(live, status="pending", position=position)
        case Running() | Ended():
            return replace(live, status="in_progress", position=None)
        case _:
            return live


def after_event(live: Live, event: Event) -> Live:
    """*live* after an event of this job."""
    match event:
        case Started(node_id=node_id, cached=cached):
            running = replace(live, status="in_progress", position=None)
            if node_id is None:
                return replace(running, done=max(live.done, len(cached)))
            return running if node_id == live.node_id else _at(running, node_id, 0.0, 0.0)
        case NodeProgress(node_id=node_id, value=value, most=most):
            return _at(replace(live, status="in_progress"), node_id, value, most)
        case NodesState(done=done, node_id=node_id, value=value, most=most):
            counted = replace(live, status="in_progress", done=max(live.done, done))
            return _at(counted, node_id, value, most)
        case QueueChanged() | Closed():
            return live


def _at(live: Live, node_id: str | None, value: float, most: float) -> Live:
    return replace(live, node_id=node_id, value=value, most=most)


class Watch:
    """One job that somebody follows: *changed* wakes waiters, *poke* makes the follower look.

    *adopted* jobs were submitted by somebody else and are followed at leisure. *trouble* is why the
    last look failed, *failures* how often the journal did. *wake_at* is when the follower has to
    look whatever its pace; *since* is when the watch was set up; *ran_from* (when it began to run,
    as far as is known), *being_stopped* and *spare_until* (no attempt before) are the watchdog's;
    *noted_at* is when its progress was last written down; all by the event loop's clock. *dead*:
    ComfyUI works on nothing any more; *silence_s* is how long nothing was heard of the job, if that
    is long.
    """

    def __init__(
        self,
        prompt_id: str,
        *,
        grant: str | None = None,
        client_id: str | None = None,
        total: int = 0,
        adopted: bool = False,
    ) -> None:
        self.prompt_id = prompt_id
        self.grant = grant
        self.client_id = client_id
        self.live = Live(total=total)
        self.final = False
        self.ended: JobRow | None = None
        self.waiting = 0
        self.version = 0
        self.trouble: Exception | None = None
        self.failures = 0
        self.adopted = adopted
        self.followed = False
        self.wake_at: float | None = None
        self.ran_from: float | None = None
        self.being_stopped = False
        self.spare_until = 0.0
        self.noted_at: float | None = None
        self.dead = False
        self.silence_s: float | None = None
        self.since = self._sign = asyncio.get_running_loop().time()
        self._changed = asyncio.Event()
        self._poke = asyncio.Event()

    def take_on(self, grant: str, client_id: str, total: int) -> None:
        """The job, of *total* nodes, is about to be submitted by this process."""
        self.grant, self.client_id, self.adopted = grant, client_id, False
        self.live = replace(self.live, total=total)

    def live_for(self, grant: str) -> Live:
        """What *grant* may see of it: of others' jobs only how they stand."""
        if grant == self.grant:
            return self.live
        return Live(status=self.live.status, position=self.live.position)

    @property
    def silent_s(self) -> float:
        """Seconds since something was heard of the job, or something about it changed."""
        return asyncio.get_running_loop().time() - self._sign

    def tell_life(self, *, dead: bool, silence_s: float | None) -> None:
        """Note whether the job can go on; whoever waits hears when that changes."""
        changed = (dead, silence_s is None) != (self.dead, self.silence_s is None)
        self.dead, self.silence_s = dead, silence_s
        if changed:
            self.announce()

    def fail(self, trouble: Exception) -> None:
        """Note that a look failed.

        Whoever waits hears of it if it was the journal; a ComfyUI that is away may come back.
        """
        self.trouble = trouble
        if not isinstance(trouble, HostError):
            self.failures += 1
            self.announce()

    def hear(self, event: Event) -> None:
        """Take in an event of this job."""
        self._sign = asyncio.get_running_loop().time()
        waited = self.live.status == "pending"
        self.update(after_event(self.live, event))
        if isinstance(event, Closed):
            self.poke(0.0 if event.settled else 0.15)
        elif waited and self.live.status == "in_progress":
            # Its time is counted from the first look that sees it run.
            self.poke(0.05)

    def update(self, live: Live) -> None:
        """Show *live* to whoever waits."""
        if live != self.live:
            self._sign = asyncio.get_running_loop().time()
            self.live = live
            self.announce()

    def announce(self) -> None:
        """Wake all waiters."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def poke(self, delay: float = 0.0) -> None:
        """Have the follower look, soon."""
        if delay:
            asyncio.get_running_loop().call_later(delay, self._poke.set)
        else:
            self._poke.set()

    async def change(self, since: int) -> None:
        """Wait until *version* is no longer *since*."""
        while self.version == since:
            await self._changed.wait()

    async def poked(self, seconds: float) -> None:
        """Wait until a look is wanted, at most *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            pass
        self._poke.clear()
