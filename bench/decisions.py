"""What the guard itself takes: judging alone, and a call let through with its reservation."""

from __future__ import annotations

import secrets
import time
from time import perf_counter

from bench.figures import Figure, of_times
from bench.places import Place
from comfy_mcp.guard.decide import Question, decide
from comfy_mcp.guard.gate import Call, Gate
from comfy_mcp.guard.loading import load
from comfy_mcp.store.sqlite import SqliteStore

__all__ = ["measure"]

WARM_UP = 50


async def measure(place: Place, rounds: int) -> list[Figure]:
    """Medians of *rounds* each of a pure decision, and of one admitted call of a reading tool."""
    loaded = load((place.policy,))
    question = Question("get_job", "bench")
    pure: list[float] = []
    for _ in range(rounds):
        started = perf_counter()
        decide(loaded.policy, question)
        pure.append(perf_counter() - started)
    store = SqliteStore(place.folder / "gate")
    gate = Gate(
        loaded,
        store,
        now_ms=lambda: time.time_ns() // 1_000_000,
        new_id=lambda: secrets.token_hex(8),
        reconcile=_nothing,
    )
    try:
        guarded = [await _admitted(gate) for _ in range(WARM_UP + rounds)][WARM_UP:]
    finally:
        await store.close()
    return [
        of_times("guard: decide alone, pure", pure),
        of_times("guard: admit a read, two audit rows", guarded, goal=1.0, strict=True),
    ]


async def _admitted(gate: Gate) -> float:
    call = Call(tool="get_job", grant="bench", target="0", args={"prompt_id": "0" * 64})
    started = perf_counter()
    async with gate.admit(call):
        pass
    return perf_counter() - started


async def _nothing(_: str) -> None:
    """There are no jobs to look at."""
