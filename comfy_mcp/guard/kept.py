"""What is worked out once for each policy: kept with the policy, gone with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from comfy_mcp.guard.policy import Policy

__all__ = ["kept"]

T = TypeVar("T")


def kept(policy: Policy, key: Hashable, make: Callable[[], T]) -> T:
    """What *make* made of *policy* the first time that *key* was asked for.

    Keys must not be chosen by callers of tools: nothing is ever thrown away.
    """
    made: dict[Hashable, object] = vars(policy).setdefault("_kept", {})
    if key not in made:
        made[key] = make()
    return cast("T", made[key])
