"""A server process in small: waits for a line, then writes to a shared state as it is told.

Arguments: folder, what to do (a key of ``WORK``), name, how often.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from comfy_mcp.errors import StateError
from comfy_mcp.store import (
    UNIT,
    Admission,
    Admitted,
    AdmittedTogether,
    Charge,
    NewApproval,
    NewJob,
    NewSweep,
    Refund,
    Ruling,
    SlotCap,
    Spend,
    SqliteStore,
)
from comfy_mcp.store.asked import APPROVED, CALL, OPERATOR

NOW = 1_700_000_000_000
MOST = 20
BUDGET_S, JOB_S = 60, 3
FEW = SlotCap("ann", "host", 3, "/gpu/max_in_flight")


def asking(name: str, number: int, most: int) -> Admission:
    charge = Charge("calls", "*", UNIT, most * UNIT, 60_000, "/limits/0")
    job = NewJob(f"{name}-{number}", "ann", "host", "txt2img", "sha256:1")
    record = {"by": name, "number": number, "padding": "x" * 300}
    return Admission(f"dec_{number}", NOW + number, record, charges=(charge,), job=job)


def a_run(name: str, number: int, *charges: Charge, slots: tuple[SlotCap, ...] = ()) -> Admission:
    """A job under a decision of its own."""
    job = NewJob(f"{name}-{number}", "ann", "host", "txt2img", "sha256:1")
    decision = f"dec_{name}_{number}"
    return Admission(decision, NOW, {}, grant="ann", charges=charges, slots=slots, job=job)


def gpu_seconds(amount: int, most: int) -> Charge:
    """GPU time that is reserved for a job."""
    return Charge(
        "gpu", "*", amount * UNIT, most * UNIT, 3_600_000, "/gpu_seconds", refund=Refund.SETTLED
    )


def tell(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def admit(store: SqliteStore, name: str, count: int) -> None:
    answers = [await store.admit(asking(name, number, MOST)) for number in range(count)]
    tell(sum(isinstance(answer, Admitted) for answer in answers))


async def churn(store: SqliteStore, name: str, count: int) -> None:
    """Run jobs one by one, and tell how many there ever were beside, this one included."""
    seen = 0
    for number in range(count):
        call = a_run(name, number, gpu_seconds(JOB_S, BUDGET_S), slots=(FEW,))
        if isinstance(await store.admit(call), Admitted):
            (use,) = await store.peek(NOW, (), (FEW,))
            seen = max(seen, use.used)
            await store.move_job(f"{name}-{number}", "completed", NOW, gpu_ms=0)
    tell(seen)


async def flood(store: SqliteStore, name: str, count: int) -> None:
    """Fill the disk of the state, make room again, and tell what is left; *count* spare bytes."""
    ballast = Path(sys.argv[1], "ballast")
    await store.verify()
    await asyncio.to_thread(ballast.write_bytes, b"x" * count)
    admitted = 0
    try:
        while True:
            await store.admit(asking(name, admitted, 10**9))
            admitted += 1
    except StateError as exc:
        tell(exc)
    await asyncio.to_thread(ballast.unlink)
    rows, fault = await store.verify()
    (account,) = await store.accounts()
    tell((admitted, rows, fault, account.rows, len(await store.unfinished(host="host"))))
    tell(await store.admit(asking(name, admitted, 10**9)))


def a_sweep(name: str, number: int, most: int, size: int = 4) -> tuple[NewSweep, list[Admission]]:
    """So many runs that are let in together, of *most* calls that there may be."""
    charge = Charge("calls", "*", UNIT, most * UNIT, 60_000, "/limits/0")
    runs = [a_run(f"{name}-{number}", one, charge) for one in range(size)]
    return NewSweep(f"swp_{name}_{number}", "ann", "host", "txt2img", "{}"), runs


async def together(store: SqliteStore, name: str, count: int) -> None:
    """Make one sweep after another; tell how many were let in."""
    done = 0
    for number in range(count):
        sweep, runs = a_sweep(name, number, MOST)
        answer = await store.admit_together(tuple(runs), sweep)
        done += isinstance(answer, AdmittedTogether)
    tell(done)


async def together_for_ever(store: SqliteStore, name: str, count: int) -> None:
    while True:
        sweep, runs = a_sweep(name, count, 10**9)
        assert isinstance(await store.admit_together(tuple(runs), sweep), AdmittedTogether)
        count += 1
        tell(sweep.sweep_id)


async def record(store: SqliteStore, name: str, count: int) -> None:
    for number in range(count):
        await store.record(NOW + number, {"by": name, "number": number})
    tell(count)


async def for_ever(store: SqliteStore, name: str, count: int) -> None:
    while True:
        await store.admit(asking(name, count, 10**9))
        count += 1
        tell(count)


async def ask_for_ever(store: SqliteStore, name: str, count: int) -> None:
    """Ask for one run after another, say yes and spend it; tell of each step that was done.

    Each is asked by somebody else, so that nobody asks too often.
    """
    by = {"channel": "terminal", "user": name, "assurance": OPERATOR}
    spend = Spend("", "e", "p")
    while True:
        which = f"{name}-{count}"
        new = NewApproval(
            which, CALL, which, "host", "run_workflow", which, spend.effect, spend.policy, {}, {}
        )
        await store.park(NOW, new, {"asked": which}, most=99)
        tell(f"asked {which}")
        await store.rule(NOW, which, Ruling(APPROVED, by), {"approved": which})
        tell(f"approved {which}")
        call = a_run(name, count, gpu_seconds(0, BUDGET_S))
        await store.admit(replace(call, grant=which, spend=replace(spend, approval_id=which)))
        tell(f"spent {which}")
        count += 1


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
    store = SqliteStore(Path(folder), patience_ms=30_000)
    tell("ready")
    sys.stdin.readline()
    await WORK[what](store, name, int(count))
    await store.close()


WORK = {
    "admit": admit,
    "ask-for-ever": ask_for_ever,
    "churn": churn,
    "fill": fill,
    "flood": flood,
    "for-ever": for_ever,
    "record": record,
    "together": together,
    "together-for-ever": together_for_ever,
}

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
