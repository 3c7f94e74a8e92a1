"""What counting takes: calls that charge three limits, over ledgers of different lengths.

``python -m bench.ledger`` prints the same without a host.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import anyio

from bench.figures import Figure, of_times, table
from comfy_mcp.guard.gate import Call, Gate
from comfy_mcp.guard.source import TICK_NS, PolicySource
from comfy_mcp.store import UNIT, Admission, Admitted, Charge, SqliteStore, Store

__all__ = ["measure"]

WARM_UP = 50
ROUNDS = 1_000
SIZES = (100, 10_000, 100_000)
TYPICAL = 10_000
"""Rows in the window of each account; the one the goal is for."""

GRANT = "bench"
WINDOWS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
MANY = 1_000_000


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Medians of *rounds* admissions, refusals, and guarded calls of a reading tool."""
    figures: list[Figure] = []
    for size in SIZES:
        figures += await _store_alone(folder / f"ledger-{size}", size, rounds)
    policy = folder / "ledger-policy.json"
    _write_policy(policy)
    # A file that was just written is read anew at every call, in case it changes again.
    await anyio.sleep(2 * TICK_NS / 1e9)
    guarded = await _guarded(policy, folder / "ledger-gate", rounds)
    return [
        *figures,
        of_times(f"guard: admit a read, three limits, {TYPICAL} rows", guarded, goal=1.0),
    ]


async def _store_alone(folder: Path, size: int, rounds: int) -> list[Figure]:
    """The clock goes on with every call, so that charges leave the windows all the time."""
    store, now_ms = SqliteStore(folder), _now_ms()
    try:
        await store.record(now_ms, {})
        _fill(folder, size, now_ms)
        goal = 1.0 if size == TYPICAL else None
        fits = [await _admitted(store, now_ms + step) for step in range(WARM_UP + rounds)]
        last_ms = now_ms + WARM_UP + rounds
        asked = await _one_too_many(store, last_ms)
        full = [await _refused(store, asked) for _ in range(WARM_UP + rounds)]
    finally:
        await store.close()
    return [
        of_times(f"ledger: admit, three limits, {size} rows each", fits[WARM_UP:], goal=goal),
        of_times(f"ledger: refuse with its wait, {size} rows each", full[WARM_UP:]),
    ]


async def _guarded(policy: Path, folder: Path, rounds: int) -> list[float]:
    """Seconds of whole calls: judged, charged, and written down twice."""
    store = SqliteStore(folder)
    gate = Gate(
        PolicySource((policy,)),
        store,
        now_ms=_now_ms,
        new_id=lambda: secrets.token_hex(8),
        reconcile=_nothing,
    )
    try:
        await store.record(_now_ms(), {})
        _fill(folder, TYPICAL, _now_ms())
        times = [await _call(gate) for _ in range(WARM_UP + rounds)]
        await _check(store)
    finally:
        await store.close()
    return times[WARM_UP:]


def _fill(folder: Path, size: int, now_ms: int) -> None:
    """Put *size* charges into each window, evenly."""
    rows = [
        ("dec_old", _counter(name), GRANT, now_ms - window_ms + 1 + at * window_ms // size, UNIT)
        for name, window_ms in WINDOWS.items()
        for at in range(size)
    ]
    rows.sort(key=lambda row: row[3])
    with closing(sqlite3.connect(folder / "guard.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO charges (decision_id, counter, holder, at_ms, amount)"
            " VALUES (?, ?, ?, ?, ?)",
            rows,
        )


def _counter(name: str) -> str:
    return f"calls:{name}"


def _admission(now_ms: int) -> Admission:
    charges = tuple(
        Charge(_counter(name), GRANT, UNIT, MANY * UNIT, window_ms, f"/limits/{name}")
        for name, window_ms in WINDOWS.items()
    )
    record = {"tool": "get_job", "decision": "allow", "grant": GRANT}
    return Admission(f"dec_{secrets.token_hex(8)}", now_ms, record, GRANT, charges=charges)


async def _one_too_many(store: Store, now_ms: int) -> Admission:
    """A call for which every limit is just full."""
    asked = _admission(now_ms)
    uses = await store.peek(now_ms, asked.charges)
    full = zip(asked.charges, uses, strict=True)
    return replace(asked, charges=tuple(replace(one, most=use.used) for one, use in full))


async def _admitted(store: Store, now_ms: int) -> float:
    asked = _admission(now_ms)
    started = perf_counter()
    answer = await store.admit(asked)
    took = perf_counter() - started
    if answer != Admitted(now_ms):
        raise AssertionError(f"what should fit does not: {answer}")
    return took


async def _refused(store: Store, asked: Admission) -> float:
    started = perf_counter()
    answer = await store.admit(asked)
    took = perf_counter() - started
    if getattr(answer, "cause", None) not in asked.charges:
        raise AssertionError(f"what should not fit does: {answer}")
    return took


async def _call(gate: Gate) -> float:
    call = Call(
        tool="get_job", identity=GRANT, grant=GRANT, target="0", args={"prompt_id": "0" * 64}
    )
    started = perf_counter()
    async with gate.admit(call):
        pass
    return perf_counter() - started


async def _check(store: Store) -> None:
    """The calls were charged to the accounts that were filled."""
    rows = {account.counter: account.rows for account in await store.accounts()}
    if set(rows) != {_counter(name) for name in WINDOWS} or min(rows.values()) <= TYPICAL:
        raise AssertionError(f"the calls were counted elsewhere: {rows}")


def _write_policy(file: Path) -> None:
    limits = [{"counter": _counter(name), "window": name, "max": MANY} for name in WINDOWS]
    document = {"version": "1", "tools": {"get_job": {"limits": limits}}}
    file.write_text(json.dumps(document), encoding="utf-8")
    file.chmod(0o600)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _nothing(_: str) -> None:
    """There are no jobs to look at."""


def _alone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(table(anyio.run(measure, Path(folder), ROUNDS)))


if __name__ == "__main__":
    _alone()
