"""Calls of run_sweep to try on a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.errors import Denial, Refused
from comfy_mcp.guard.gate import Call, Granted
from comfy_mcp.store.protocol import REFUSALS, UNIT, NewSweep
from tests.guard.gatehouse import HOST, Bench, submit

__all__ = ["BOTH", "admitted", "denied", "held", "many", "sweep"]

BOTH: dict[str, Any] = {"run_workflow": {}, "run_sweep": {}}


def sweep(
    *runs: Mapping[str, Any],
    key: str = "",
    request: str = "",
    number: int = 1,
    grant: str = "local",
) -> Call:
    """A call of run_sweep: one run for each of *runs*, which say what is special about it."""
    variants = tuple(
        replace(
            submit(100 * number + at, grant, **{k: v for k, v in run.items() if k != "params"}),
            args={"workflow": "card", "params": run.get("params", {"seed": at})},
        )
        for at, run in enumerate(runs, 1)
    )
    made = NewSweep(f"swp_{number}", "local", HOST, "card", "{}", key, request)
    args = {"workflow": "card", "axes": {"seed": list(range(len(runs)))}}
    return Call("run_sweep", "local", "local", args=args, variants=variants, sweep=made)


def many(count: int, **kw: Any) -> Call:
    """As `sweep`, of so many runs that differ in their seed."""
    return sweep(*[{}] * count, **kw)


async def admitted(bench: Bench, call: Call) -> Granted:
    """What the gate hands out for *call*."""
    async with bench.gate.admit_many(call) as granted:
        return granted


async def held(bench: Bench) -> dict[str, int]:
    """What was taken of each counter, but for refusals."""
    accounts = await bench.store.accounts()
    return {one.counter: one.amount // UNIT for one in accounts if one.counter != REFUSALS}


async def denied(bench: Bench, call: Call) -> Denial:
    """Why all of it was refused; nothing may be left of it but one row."""
    before = await held(bench), await bench.store.unfinished(host=HOST)
    rows = len(await bench.rows())
    with pytest.raises(Refused) as caught:
        await admitted(bench, call)
    assert (await held(bench), await bench.store.unfinished(host=HOST)) == before
    assert call.sweep is not None
    assert await bench.store.sweep(call.sweep.sweep_id) is None
    (row,) = (await bench.rows())[rows:]
    denial = caught.value.denial
    assert (row["tool"], row["decision"], row["code"]) == ("run_sweep", "deny", denial.code)
    assert row["decision_id"] == denial.decision_id
    assert (row["sweep"], row["variants"]) == (call.sweep.sweep_id, len(call.variants))
    return denial
