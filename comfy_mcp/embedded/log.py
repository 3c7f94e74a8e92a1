"""The host's log: the last writes, kept for /internal/logs and nowhere else."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LogRing", "green"]

LINES = 300
LEVELS: Mapping[str, str] = {
    "INFO": "\x1b[32m[INFO]\x1b[0m ",
    "WARNING": "\x1b[1m\x1b[33m[WARNING]\x1b[0m ",
    "ERROR": "\x1b[1m\x1b[31m[ERROR]\x1b[0m ",
}
"""How ComfyUI begins a record, for a terminal."""


def green(text: str) -> str:
    """As ComfyUI marks the end of a job."""
    return f"\x1b[32m{text}\x1b[0m"


class LogRing(logging.Handler):
    """Keeps the newest writes of *logger*, which passes nothing on to other handlers.

    An entry is one write, as in ComfyUI: a whole record of the logger, or any piece that the
    interpreter writes to its error stream. *coloured*: records begin with their level.
    """

    def __init__(self, *, coloured: bool = True) -> None:
        super().__init__()
        self._coloured = coloured
        self.lines: deque[tuple[str, str]] = deque(maxlen=LINES)
        # Not by name: each host keeps its own lines.
        self.logger = logging.Logger("comfy_mcp.embedded")  # noqa: LOG001 - a logger of one host, not of the process
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        level = LEVELS.get(record.levelname, "") if self._coloured else ""
        self.write(f"{level}{self.format(record)}\n", record.created)

    def write(self, text: str, seconds: float | None = None) -> None:
        """Keep one write, of now or of that time."""
        moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
        self.lines.append((moment.replace(tzinfo=None).isoformat(), text))

    def clear(self) -> None:
        """Be the log of another process."""
        self.lines.clear()

    def entries(self) -> list[dict[str, str]]:
        """The writes as /internal/logs/raw tells them."""
        return [{"t": moment, "m": text} for moment, text in self.lines]
