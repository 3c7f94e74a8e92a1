"""What history costs: admitting a call when the accounts of its limits hold many charges already.

``python -m bench.ledger`` prints the same without a host.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from time import perf_counter

import anyio

from bench.figures import Figure, of_times, table
from comfy_mcp.store import UNIT, Admission, Admitted, Charge, SqliteStore

__all__ = ["measure"]

ROWS = 10_000
ROUNDS = 1_000
HOUR = 3_600_000
WINDOWS = {"hour": HOUR, "day": 24 * HOUR, "week": 7 * 24 * HOUR}


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Medians of *rounds* admissions with three rolling limits, on a new state in *folder*.

    Of an empty ledger, and of one where each account holds 10,000 charges that all count; at last
    of such that are refused, so that their wait has to be found.
    """
    store = SqliteStore(folder)
    try:
        start_ms = time.time_ns() // 1_000_000
        empty = [await _asked(store, start_ms, number) for number in range(rounds)]
        for number in range(rounds, ROWS):
            await _asked(store, start_ms, number)
        full = [await _asked(store, start_ms, ROWS + number) for number in range(rounds)]
        refused = [
            await _asked(store, start_ms, ROWS + rounds + number, most=ROWS + rounds)
            for number in range(rounds)
        ]
    finally:
        await store.close()
    return [
        of_times("ledger: admit, 3 rolling limits, new state", empty),
        of_times("ledger: the same, 10,000 charges in each", full, goal=1.0, strict=True),
        of_times("ledger: the same, refused with its wait", refused, goal=1.0, strict=True),
    ]


async def _asked(store: SqliteStore, start_ms: int, number: int, most: int | None = None) -> float:
    """Seconds for one admission, 100 ms after the one before; refused if *most* is given."""
    charges = tuple(
        Charge(name, "bench", UNIT, (most or 10**6) * UNIT, window_ms, f"/limits/{name}")
        for name, window_ms in WINDOWS.items()
    )
    record = {"decision_id": f"dec_{number}", "tool": "run_workflow", "decision": "allow"}
    asking = Admission(f"dec_{number}", start_ms + number * 100, record, charges=charges)
    started = perf_counter()
    answer = await store.admit(asking)
    took = perf_counter() - started
    if isinstance(answer, Admitted) is not (most is None):
        raise AssertionError(f"the ledger answered {answer}")
    return took


async def _alone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(table(await measure(Path(folder) / "state", ROUNDS)))


if __name__ == "__main__":
    anyio.run(_alone)
