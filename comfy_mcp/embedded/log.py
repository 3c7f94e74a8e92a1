"""The host's log: the last lines, kept for /internal/logs and nowhere else."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime

__all__ = ["LogRing"]

LINES = 300


class LogRing(logging.Handler):
    """Keeps the newest lines of *logger*, which passes nothing on to other handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[tuple[str, str]] = deque(maxlen=LINES)
        # Not by name: each host keeps its own lines.
        self.logger = logging.Logger("comfy_mcp.embedded")  # noqa: LOG001 - a logger of one host, not of the process
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        self.lines.append((moment.isoformat(), self.format(record) + "\n"))

    def entries(self) -> list[dict[str, str]]:
        """The lines as /internal/logs/raw tells them."""
        return [{"t": moment, "m": line} for moment, line in self.lines]
