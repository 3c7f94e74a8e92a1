"""States as servers leave them, for commands to look at."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from comfy_mcp.store.protocol import UNIT, Admission, Charge, NewJob
from comfy_mcp.store.sqlite import SqliteStore

NOW = 1_700_000_000_000
HOST = "http://127.0.0.1:8188"


def decision(tool: str = "run_workflow", grant: str = "alice", **more: Any) -> dict[str, Any]:
    """The audit record of an allowed call; *more* changes it."""
    return {
        "kind": "decision",
        "decision_id": "dec_1",
        "grant": grant,
        "client": "test",
        "tool": tool,
        "decision": "allow",
        "code": "allowed",
        "rule": f"/tools/{tool}",
        **more,
    }


def denial(tool: str = "cancel_job", grant: str = "bob") -> dict[str, Any]:
    """The audit record of a refused call."""
    return decision(tool, grant, decision="deny", code="not_owner", rule="/gpu/ownership")


def written(folder: Path, *records: Mapping[str, Any], at_ms: int = NOW) -> Path:
    """A state in *folder* whose audit log has *records*."""

    async def write() -> None:
        store = SqliteStore(folder)
        for number, record in enumerate(records):
            await store.record(at_ms + number, record)
        await store.close()

    asyncio.run(write())
    return folder


def counted(
    folder: Path,
    *,
    counter: str = "runs",
    holder: str = "alice",
    amount: int = 1,
    at_ms: int = NOW,
    job: NewJob | None = None,
) -> Path:
    """A state in which a call took *amount* from one account, and maybe made a job."""
    charge = Charge(counter, holder, amount * UNIT, 1_000 * UNIT, 60_000, "/limits/0")

    async def admit() -> None:
        store = SqliteStore(folder)
        taken = Admission("dec_1", at_ms, decision(), grant=holder, charges=(charge,), job=job)
        await store.admit(taken)
        await store.close()

    asyncio.run(admit())
    return folder


def edited(folder: Path, statement: str) -> None:
    """Somebody changes the state behind our back."""
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.execute(statement)


def records(folder: Path) -> list[dict[str, Any]]:
    """Every audit record, oldest first."""

    async def read() -> list[dict[str, Any]]:
        store = SqliteStore(folder)
        rows = await store.tail(1_000)
        await store.close()
        return [dict(row.record) for row in rows]

    return asyncio.run(read())
