"""A server process in small, for races: waits for a line, then takes what it is told to.

Arguments: folder, what (``limit``, ``budget``, ``cap``, ``work``, ``reserve``, ``keys``, ``park``,
``rule``, ``spend`` or ``read-only``), name, how often.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from comfy_mcp.errors import StateError
from comfy_mcp.store import (
    UNIT,
    Admission,
    Admitted,
    Charge,
    Crowded,
    NewApproval,
    NewJob,
    Refund,
    Repeated,
    Ruling,
    SlotCap,
    Spend,
    SqliteStore,
)
from comfy_mcp.store.asked import APPROVED, CALL, DENIED, OPERATOR

NOW = 1_700_000_000_000
HOUR = 3_600_000
MOST = 24
GPU_S = 5
WAITING = 3
"""Requests of ann that may wait at a time."""
NOBODY = 65_534


def limit() -> Charge:
    """At most `MOST` calls an hour, for everybody together."""
    return Charge("calls", "*", UNIT, MOST * UNIT, HOUR, "/limits/0")


def budget() -> Charge:
    """GPU time for `MOST` jobs an hour, for everybody together."""
    most = MOST * GPU_S * UNIT
    return Charge("gpu", "*", GPU_S * UNIT, most, HOUR, "/gpu", refund=Refund.SETTLED)


def cap() -> SlotCap:
    """At most `MOST` jobs of ann at a time."""
    return SlotCap("ann", "host", MOST, "/gpu/max_in_flight")


TAKES: dict[str, tuple[tuple[Charge, ...], tuple[SlotCap, ...]]] = {
    "limit": ((limit(),), ()),
    "budget": ((budget(),), ()),
    "cap": ((), (cap(),)),
    "work": ((budget(),), (cap(),)),
    "reserve": ((limit(), budget()), (cap(),)),
}


def asking(what: str, name: str, number: int) -> Admission:
    prompt_id = f"{name}-{number}"
    charges, slots = TAKES[what]
    job = NewJob(prompt_id, "ann", "host", "txt2img", "sha256:1")
    record = {"decision_id": f"dec_{prompt_id}"}
    return Admission(
        f"dec_{prompt_id}", NOW, record, grant="ann", charges=charges, slots=slots, job=job
    )


def request(number: int, approval_id: str, policy: str = "p") -> NewApproval:
    """What ann asks a person about, the same whoever of her processes does it."""
    what = {"tool": "run_workflow", "match": f"match {number}", "effect": "e", "policy": policy}
    return NewApproval(
        approval_id, CALL, "ann", "host", **what, payload={}, facts={}, lives_ms=HOUR
    )


def tell(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def race(store: SqliteStore, what: str, name: str, count: int) -> None:
    """Take what there is, and tell how often that went well."""
    answers = [await store.admit(asking(what, name, number)) for number in range(count)]
    tell(sum(isinstance(answer, Admitted) for answer in answers))


async def work(store: SqliteStore, name: str, count: int) -> None:
    """Run jobs that take no GPU time: each makes room for the next, whoever it is."""
    ended = 0
    for number in range(count):
        if isinstance(await store.admit(asking("work", name, number)), Admitted):
            ended += await store.move_job(f"{name}-{number}", "completed", NOW, gpu_ms=0)
    tell(ended)


async def keys(store: SqliteStore, name: str, count: int) -> None:
    """Ask for a job under each of the same keys as everybody else; tell the jobs of the keys."""
    found: list[str] = []
    for number in range(count):
        asked = asking("limit", name, number)
        assert asked.job is not None
        answer = await store.admit(replace(asked, job=replace(asked.job, key=f"key-{number}")))
        if isinstance(answer, Admitted):
            found.append(f"+{name}-{number}")
        elif isinstance(answer, Repeated):
            found.append(f"={answer.job.prompt_id}")
    tell(" ".join(found))


async def park(store: SqliteStore, name: str, count: int) -> None:
    """Ask for each of the same as everybody else, until nobody may ask more; tell what stood."""
    found: list[str] = []
    for number in range(count):
        asked = request(number, f"{name}-{number}")
        answer = await store.park(NOW, asked, {"asked": asked.approval_id}, most=WAITING)
        if isinstance(answer, Crowded):
            assert answer.pending == WAITING
        else:
            found.append(f"{'=+'[answer.is_new]}{answer.row.approval_id}")
    tell(" ".join(found))


async def rule(store: SqliteStore, name: str, count: int) -> None:
    """Decide each request, half of the processes with yes; tell which moved."""
    by = {"channel": "terminal", "user": name, "assurance": OPERATOR}
    ruling = Ruling(APPROVED if name in "aceg" else DENIED, by)
    moved: list[str] = []
    for number in range(count):
        record = {"number": number, "to": ruling.status}
        is_moved, row = await store.rule(NOW, f"apr-{number}", ruling, record)
        assert row is not None
        if is_moved:
            moved.append(f"{number}:{row.status}")
    tell(" ".join(moved))


async def spend(store: SqliteStore, name: str, count: int) -> None:
    """Use up each yes; tell which this one got."""
    got: list[str] = []
    for number in range(count):
        spends = Spend(f"apr-{number}", "e", "p")
        answer = await store.admit(replace(asking("limit", name, number), spend=spends))
        if isinstance(answer, Admitted):
            got.append(str(number))
    tell(" ".join(got))


async def reserve(store: SqliteStore, name: str) -> None:
    """Take all that a job takes, and never get to submitting it."""
    tell(type(await store.admit(asking("reserve", name, 0))).__name__)
    sys.stdin.read()


async def read_only(store: SqliteStore) -> None:
    """Try to write what only may be read."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    try:
        await store.admit(asking("limit", "r", 0))
    except StateError as exc:
        tell(exc)


async def main(folder: str, what: str, name: str, count: str) -> None:
    store = SqliteStore(Path(folder), patience_ms=30_000)
    tell("ready")
    sys.stdin.readline()
    if what in OFTEN:
        await OFTEN[what](store, name, int(count))
    elif what == "reserve":
        await reserve(store, name)
    elif what == "read-only":
        await read_only(store)
    else:
        await race(store, what, name, int(count))
    await store.close()


OFTEN = {"keys": keys, "park": park, "rule": rule, "spend": spend, "work": work}

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
