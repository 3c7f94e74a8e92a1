"""What tests of sweeps share."""

from __future__ import annotations

from typing import Any

from tests.tools.desk import EVERYTHING

__all__ = ["SWEEPS", "policy"]

SWEEPS: dict[str, Any] = {
    **EVERYTHING,
    "tools": {**EVERYTHING["tools"], "run_sweep": {}, "get_sweep": {}},
}


def policy(**tools: Any) -> dict[str, Any]:
    """Everything is allowed, as *tools* say."""
    return {**SWEEPS, "tools": {**SWEEPS["tools"], **tools}}
