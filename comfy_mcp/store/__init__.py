"""What outlives a call and is shared by all server processes: limits, jobs, the audit log."""

from __future__ import annotations

from comfy_mcp.store.protocol import (
    FINAL,
    UNIT,
    Admission,
    Admitted,
    AuditRow,
    Charge,
    Full,
    JobRow,
    NewJob,
    SlotCap,
    Store,
)
from comfy_mcp.store.sqlite import SqliteStore

__all__ = [
    "FINAL",
    "UNIT",
    "Admission",
    "Admitted",
    "AuditRow",
    "Charge",
    "Full",
    "JobRow",
    "NewJob",
    "SlotCap",
    "SqliteStore",
    "Store",
]
