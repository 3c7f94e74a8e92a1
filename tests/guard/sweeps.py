"""Calls of run_sweep to try on a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_mcp.guard.gate import Call
from comfy_mcp.store.protocol import NewSweep
from tests.guard.gatehouse import HOST, submit

__all__ = ["BOTH", "many", "sweep"]

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
