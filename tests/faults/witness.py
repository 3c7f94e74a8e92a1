"""An embedded host with a witness: which jobs ran, how often, and how each ended."""

from __future__ import annotations

from collections import Counter
from typing import Any

from comfy_mcp.embedded import EmbeddedHost

__all__ = ["WitnessedHost"]


class WitnessedHost(EmbeddedHost):
    """Remembers across restarts what a ComfyUI forgets.

    *starts* counts how often each job was taken from the queue; *ends* is how it ended: success,
    error or interrupted.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.starts: Counter[str] = Counter()
        self.ends: dict[str, str] = {}
        self._marks: dict[str, str] = {}
        self._ran: str | None = None

    def changed(self) -> None:
        """Note what has changed; the host tells of every job that comes, starts and ends."""
        running = self.running
        if running is not None and running != self._ran:
            self.starts[running] += 1
            if self.profile.prompt_ids == "ignored":
                self._note_mark(self.queue.running[0].extra_data, running)
        self._ran = running
        for prompt_id, entry in self.queue.history.items():
            if prompt_id not in self.ends:
                self.ends[prompt_id] = _ended(entry)
        super().changed()

    def name_of(self, ours: str) -> str:
        """By what id this host knows a job that was sent with our id: older ones give their own."""
        return self._marks.get(ours, ours)

    def _note_mark(self, extra: Any, theirs: str) -> None:
        mark = extra.get("comfy_mcp_guard") if isinstance(extra, dict) else None
        if mark is not None:
            self._marks[mark["prompt_id"]] = theirs

    def posts(self, prompt_id: str) -> int:
        """How often a submit with this id came in, answered or not."""
        return sum(
            seen.method == "POST"
            and seen.path == "/prompt"
            and isinstance(seen.body, dict)
            and seen.body.get("prompt_id") == prompt_id
            for seen in self.seen
        )

    @property
    def unsent(self) -> int:
        """Messages to websockets that are held up."""
        return self._server._engine.sockets.outbox.qsize() if self._server else 0

    def has(self, prompt_id: str) -> bool:
        """Whether the job runs, waits or is in the history; a host that was stopped has nothing."""
        return self._server is not None and prompt_id in {
            self.running,
            *self.pending,
            *self.finished,
        }


def _ended(entry: dict[str, Any]) -> str:
    status = entry["status"]
    if any(event == "execution_interrupted" for event, _ in status["messages"]):
        return "interrupted"
    return str(status["status_str"])
