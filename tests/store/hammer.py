"""A server process in small: waits for a line, then writes to a shared state as it is told.

Arguments: folder, what to do (``admit``, ``record``, ``for-ever`` or ``fill``), name, how often.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from comfy_mcp.errors import StateError
from comfy_mcp.store import UNIT, Admission, Admitted, Charge, NewJob, SqliteStore

NOW = 1_700_000_000_000
MOST = 20


def asking(name: str, number: int, most: int) -> Admission:
    charge = Charge("calls", "*", UNIT, most * UNIT, 60_000, "/limits/0")
    job = NewJob(f"{name}-{number}", "ann", "host", "txt2img", "sha256:1")
    record = {"by": name, "number": number, "padding": "x" * 300}
    return Admission(f"dec_{number}", NOW + number, record, charges=(charge,), job=job)


def tell(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def admit(store: SqliteStore, name: str, count: int) -> None:
    answers = [await store.admit(asking(name, number, MOST)) for number in range(count)]
    tell(sum(isinstance(answer, Admitted) for answer in answers))


async def record(store: SqliteStore, name: str, count: int) -> None:
    for number in range(count):
        await store.record(NOW + number, {"by": name, "number": number})
    tell(count)


async def for_ever(store: SqliteStore, name: str, count: int) -> None:
    while True:
        await store.admit(asking(name, count, 10**9))
        count += 1
        tell(count)


async def fill(store: SqliteStore, name: str, count: int) -> None:
    """Admit until the disk is full, which is at *count* bytes of any file."""
    import resource  # noqa: PLC0415 - POSIX only

    await store.verify()
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, count))
    admitted = 0
    try:
        while True:
            await store.admit(asking(name, admitted, 10**9))
            admitted += 1
    except StateError as exc:
        tell(admitted)
        tell(exc)


async def main(folder: str, what: str, name: str, count: str) -> None:
    work = {"admit": admit, "record": record, "for-ever": for_ever, "fill": fill}[what]
    store = SqliteStore(Path(folder))
    tell("ready")
    sys.stdin.readline()
    await work(store, name, int(count))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
