"""get_policy_status: what the policy leaves the caller, to be known before a refusal says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.guard.call import Status
from comfy_mcp.guard.callers import Caller as Known
from comfy_mcp.guard.callers import grants_of
from comfy_mcp.guard.compiling import in_force
from comfy_mcp.guard.in_force import InForce, Models
from comfy_mcp.guard.predicates_in_words import asked_in_words
from comfy_mcp.guard.question import AppliedLimit, Effect, Prefix
from comfy_mcp.guard.vocabulary import GPU_MAXIMA
from comfy_mcp.store.protocol import UNIT, Frozen, Use
from comfy_mcp.tools.app import App, Caller

__all__ = ["MOST", "PolicyStatus", "get_policy_status"]

MOST = 4_000
"""Characters of JSON: this is read by models, again and again."""

FEW = (12, 6, 3, 1)
"""How many entries a list may have; the first that makes the whole short enough is taken."""

WORDS = 160
"""Characters of one text that somebody else wrote."""

JOBS = 5
"""Unfinished jobs that are named."""

RUN = "run_workflow"
MAXIMA = {fact: key for key, fact in GPU_MAXIMA.items()}
DEGRADED = "The owner's newest policy cannot be used; the last good one counts."


class LimitUse(BaseModel):
    """How full a limit is."""

    model_config = ConfigDict(frozen=True)

    limit: str
    used: float
    max: float
    window_s: float
    shared: Annotated[bool | None, Field(description="All agents together")] = None
    retry_after_s: Annotated[
        float | None, Field(description="0: there is room; missing: waiting does not help")
    ] = None


class GpuSeconds(BaseModel):
    """How much GPU time is used; running jobs count with what is reserved for them."""

    model_config = ConfigDict(frozen=True)

    used_s: float
    max_s: float
    window_s: float
    shared: bool | None = None
    retry_after_s: float | None = None


class InFlight(BaseModel):
    """Unfinished jobs of the caller."""

    model_config = ConfigDict(frozen=True)

    used: int
    max: int | None = None
    jobs: Annotated[list[str] | None, Field(description="Some prompt_ids")] = None


class Stopped(BaseModel):
    """Why calls that change something are refused at the moment."""

    model_config = ConfigDict(frozen=True)

    why: str
    reason: str | None = None
    retry_after_s: float | None = None


class Names(BaseModel):
    """Which names a workflow may use."""

    model_config = ConfigDict(frozen=True)

    restricted: bool = True
    allowed: Annotated[list[str] | None, Field(description="Some of the globs")] = None
    more: int | None = None


class GpuCaps(BaseModel):
    """What a workflow has to fit into."""

    model_config = ConfigDict(frozen=True)

    most: dict[str, int | float] | None = None
    node_classes: Names | None = None
    models: Annotated[dict[str, Names] | None, Field(description="By folder")] = None
    output_prefix: str | None = None
    api_nodes: str | None = None
    queue_jump: str | None = None
    asks_a_person_if: list[str] | None = None


class PolicyStatus(BaseModel):
    """What the caller may do, and how much of it is left."""

    model_config = ConfigDict(frozen=True)

    grant: Annotated[str, Field(description="Who you are to the policy")]
    may_call: list[str]
    needs_a_person: list[str] | None = None
    refused: Annotated[dict[str, str] | None, Field(description="Tools, and why")] = None
    stopped: Stopped | None = None
    limits: Annotated[list[LimitUse] | None, Field(description="The fullest first")] = None
    gpu_seconds: list[GpuSeconds] | None = None
    in_flight: InFlight | None = None
    gpu: GpuCaps | None = None
    left_out: Annotated[int | None, Field(description="Limits not shown")] = None
    degraded: str | None = None
    revision: Annotated[str, Field(description="Changes when the policy does")]


async def get_policy_status(app: App, caller: Caller) -> PolicyStatus:
    """What the policy lets you do now: tools, limits left, jobs in flight, caps on workflows."""
    async with caller.admitted(app, caller.call()):
        jobs = await app.jobs()
        status = await app.gate.status(caller.call(), jobs.label)
        if any(use.used >= use.cause.most for use in status.slots):
            # Jobs that ended unnoticed hold no slot, as when a call needs one.
            await jobs.judge.reconcile(caller.grant)
            status = await app.gate.status(caller.call(), jobs.label)
        prefix = app.gate.prefix(replace(caller.call(), tool=RUN))
    return told(status, _in_force(status, caller.identity), prefix)


def told(status: Status, rules: InForce | None, prefix: Prefix | None) -> PolicyStatus:
    """*status* in at most `MOST` characters of JSON; pure. *rules* None: it may run nothing."""
    found = _told(status, rules, prefix, FEW[0])
    for few in FEW[1:]:
        if len(found.model_dump_json(exclude_none=True)) <= MOST:
            break
        found = _told(status, rules, prefix, few)
    return found


def _in_force(status: Status, identity: str) -> InForce | None:
    """What is in force for runs; the caller's grants count, or this call would not be here."""
    if RUN not in status.decisions:
        return None
    policy = status.loaded.policy
    return in_force(policy, RUN, Known(status.grant, grants_of(policy, identity)))


def _told(status: Status, rules: InForce | None, prefix: Prefix | None, few: int) -> PolicyStatus:
    counted = [pair for pair in status.limits if pair[0].refund != "settled"]
    budgets = [pair for pair in status.limits if pair[0].refund == "settled"]
    shown = sorted(counted, key=_fullest)[:few], sorted(budgets, key=_fullest)[:few]
    effects = {tool: decision.effect for tool, decision in status.decisions.items()}
    refused = {
        tool: _cut(status.decisions[tool].reason)
        for tool, effect in effects.items()
        if effect is Effect.DENY
    }
    return PolicyStatus(
        grant=status.grant,
        may_call=[tool for tool, effect in effects.items() if effect is Effect.ALLOW],
        needs_a_person=[t for t, effect in effects.items() if effect is Effect.APPROVAL] or None,
        refused=refused or None,
        stopped=_stopped(status),
        limits=[_limit(*pair) for pair in shown[0]] or None,
        gpu_seconds=[_gpu_seconds(*pair) for pair in shown[1]] or None,
        in_flight=_in_flight(status) if rules else None,
        gpu=_gpu(rules, prefix, few) if rules else None,
        left_out=len(status.limits) - len(shown[0]) - len(shown[1]) or None,
        degraded=DEGRADED if status.degraded else None,
        revision=status.loaded.revision.removeprefix("sha256:")[:12],
    )


def _stopped(status: Status) -> Stopped | None:
    standing = status.standing
    if standing is None:
        return None
    if isinstance(standing, Frozen):
        return Stopped(why="frozen", reason=_cut(standing.reason) or None)
    return Stopped(why="cooldown", retry_after_s=standing.retry_after_ms / 1000)


def _limit(limit: AppliedLimit, use: Use) -> LimitUse:
    return LimitUse(
        limit=_cut(limit.words),
        used=use.used / UNIT,
        max=limit.most / UNIT,
        window_s=limit.window_ms / 1000,
        shared=None if limit.per_grant else True,
        retry_after_s=_seconds(use.retry_after_ms),
    )


def _gpu_seconds(limit: AppliedLimit, use: Use) -> GpuSeconds:
    return GpuSeconds(
        used_s=use.used / UNIT,
        max_s=limit.most / UNIT,
        window_s=limit.window_ms / 1000,
        shared=None if limit.per_grant else True,
        retry_after_s=_seconds(use.retry_after_ms),
    )


def _in_flight(status: Status) -> InFlight:
    jobs = [row.prompt_id for row in status.unfinished]
    return InFlight(
        used=max((use.used for use in status.slots), default=len(jobs)),
        max=min((use.cause.most for use in status.slots), default=None),
        jobs=jobs[:JOBS] or None,
    )


def _gpu(rules: InForce, prefix: Prefix | None, few: int) -> GpuCaps:
    graph, words = rules.graph, rules.words
    numbers = [*graph.numbers, *([graph.queue] if graph.queue else [])]
    # Of several maxima of a fact the smallest stands first, so it has to be written last.
    most = {MAXIMA[one.fact]: one.most for one in reversed(numbers)}
    if rules.takes.job_ms is not None:
        most["max_seconds_per_job"] = rules.takes.job_ms.value / 1000
    return GpuCaps(
        most=most or None,
        node_classes=None if graph.any_class else Names(),
        models=_models(
            [
                *((one, True) for one in graph.allow_models),
                *((one, False) for one in graph.deny_models),
            ],
            few,
        ),
        output_prefix=_cut(prefix.text) if prefix else None,
        api_nodes=words.api_nodes.value,
        queue_jump=words.queue_jump.value,
        asks_a_person_if=[_cut(asked_in_words(one.when)) for one in rules.asks if one.when][:few]
        or None,
    )


def _models(lists: Iterable[tuple[Models, bool]], few: int) -> dict[str, Names] | None:
    """By folder; only a single list of what is allowed is told: of several, each has to fit."""
    found: dict[str, Names] = {}
    for one, allows in lists:
        patterns = [_cut(pattern) for pattern in one.names.patterns] if allows else []
        names = Names(allowed=patterns[:few] or None, more=max(0, len(patterns) - few) or None)
        found[one.folder] = Names() if one.folder in found else names
    return dict(list(found.items())[:few]) or None


def _fullest(pair: tuple[AppliedLimit, Use]) -> tuple[float, str]:
    """Sorts the fullest first, and always the same way."""
    limit, use = pair
    return (-use.used / max(limit.most, 1), limit.rule)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _cut(text: str) -> str:
    return text if len(text) <= WORDS else text[: WORDS - 1] + "…"
