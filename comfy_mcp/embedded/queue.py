"""The queue and the history of a ComfyUI: plain values, no clock, no waiting."""

from __future__ import annotations

import copy
import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Item", "JobQueue", "number_of"]


class Item(NamedTuple):
    """A queued job; compared like ComfyUI's tuples, so equal number and id cannot be ordered."""

    number: float
    prompt_id: str
    prompt: dict[str, Any]
    extra_data: Any
    outputs: list[str]
    secrets: dict[str, Any]

    def shown(self) -> list[Any]:
        """What /queue and /history show of it."""
        return list(self[:5])


@dataclass(slots=True)
class JobQueue:
    """Pending jobs (a heap), the running one, and the finished ones by id in order of finishing."""

    max_history: int
    pending: list[Item] = field(default_factory=list[Item])
    running: list[Item] = field(default_factory=list[Item])
    history: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def put(self, item: Item) -> None:
        """Queue a job.

        Raises:
            TypeError: a job with the same number and id waits already, as in ComfyUI.
        """
        heapq.heappush(self.pending, item)

    def pop(self) -> Item:
        """Move the next job to the running list; the caller has seen that there is one."""
        item = heapq.heappop(self.pending)
        self.running.append(copy.deepcopy(item))
        return item

    def finish(self, prompt_id: str, entry: Mapping[str, Any]) -> None:
        """Move the running job to the history, with outputs, meta and status from *entry*."""
        item = self.running.pop()
        if len(self.history) > self.max_history:
            self.history.pop(next(iter(self.history)))
        self.history[prompt_id] = {"prompt": item.shown(), **entry}

    def delete(self, prompt_id: object) -> bool:
        """Remove the first pending job with that id; whether there was one."""
        for index, item in enumerate(self.pending):
            if item.prompt_id == prompt_id:
                self.pending.pop(index)
                heapq.heapify(self.pending)
                return True
        return False

    def is_running(self, prompt_id: object) -> bool:
        """Whether that job runs now."""
        return any(item.prompt_id == prompt_id for item in self.running)

    @property
    def remaining(self) -> int:
        """Jobs that are not finished."""
        return len(self.pending) + len(self.running)

    def in_order(self) -> tuple[str, ...]:
        """Ids of the pending jobs, next first."""
        return tuple(item.prompt_id for item in sorted(self.pending, key=lambda it: it[:2]))

    def entries(self, max_items: int | None, offset: int) -> dict[str, dict[str, Any]]:
        """A slice of the history: the last *max_items*, or those from the *offset*-th oldest."""
        if offset < 0 and max_items is not None:
            offset = len(self.history) - max_items
        return dict(_window(self.history, max(offset, 0), max_items))

    def clear(self) -> None:
        """Forget everything, as a restart does."""
        self.pending.clear()
        self.running.clear()
        self.history.clear()


def number_of(data: Mapping[str, Any], take: Callable[[], int]) -> float:
    """The place in the queue that a POST /prompt asks for; *take* gives the server's next one."""
    if "number" in data:
        return float(data["number"])
    number = take()
    return -number if data.get("front") else number


def _window(
    history: dict[str, dict[str, Any]], start: int, most: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    if most is not None and most <= 0:
        return
    for index, (prompt_id, entry) in enumerate(history.items()):
        if index >= start and (most is None or index < start + most):
            yield prompt_id, entry
