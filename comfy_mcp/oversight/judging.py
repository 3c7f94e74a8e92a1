"""What a policy says to a changed run, before the person's yes is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.loading import BUILT_IN, load
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Effect, Question, Run, in_this_zone
from comfy_mcp.oversight.values import items, mapping
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.workflow.facts import Facts

__all__ = ["Judge", "Judged", "Trial", "judge_by", "named_policies"]


@dataclass(frozen=True, slots=True)
class Trial:
    """The call that a request is for, as it would be: *args*, and of a run its *facts*."""

    row: ApprovalRow
    args: Mapping[str, Any]
    facts: Facts | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Judged:
    """*revision* of the policy that was asked, its *code*, *rule* and *reason*.

    *refused*: it denies the call.
    """

    revision: str
    code: str = "allowed"
    rule: str = ""
    reason: str = ""
    refused: bool = False


Judge = Callable[[Trial], Judged]
"""Reads policy files: call it on a thread. Raises ConfigError if they cannot be used."""


def judge_by(paths: tuple[Path, ...] = ()) -> Judge:
    """A judge that asks the policy of *paths*; without any, that which the request was under."""

    def judge(trial: Trial) -> Judged:
        loaded = load(paths or named_policies(trial.row), now_ms=trial.at_ms)
        decision = decide(loaded.policy, _question(loaded.policy, trial))
        return Judged(
            revision=loaded.revision,
            code=decision.code,
            rule=decision.rule,
            reason=decision.reason,
            refused=decision.effect is Effect.DENY,
        )

    return judge


def named_policies(row: ApprovalRow) -> tuple[Path, ...]:
    """The files that the server named when it asked; none for the built-in policy alone.

    Raises:
        ConfigError: it named nothing.
    """
    files = row.facts.get("policy_files")
    if files is None:
        raise ConfigError("The request does not say which policy it is under: name it (--policy).")
    named = (str(name) for name in items(files))
    return tuple(Path(name) for name in named if name not in {BUILT_IN, "built-in"})


def _question(policy: Policy, trial: Trial) -> Question:
    row, facts = trial.row, trial.facts
    names = {grant.id: grant.stdio for grant in policy.grants}
    run = None
    if facts is not None:
        depth = _depth(row.facts.get("queue"))
        run = Run(facts, queue_depth=depth, front=row.facts.get("front") is True)
    return Question(
        tool=row.tool,
        identity=names.get(row.grant, row.grant),
        args=trial.args,
        final=True,
        run=run,
        at_ms=trial.at_ms,
        at=in_this_zone(trial.at_ms),
    )


def _depth(queue: object) -> int | None:
    counts = [count for count in mapping(queue).values() if isinstance(count, int)]
    return sum(counts) if counts else None
