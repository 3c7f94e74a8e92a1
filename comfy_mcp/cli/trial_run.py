"""A policy's own tests, run: through the real gate and a real state, with a clock that is set."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from comfy_mcp.cli.drafting import RUN, SWEEP, draft, runs_of
from comfy_mcp.cli.times import milliseconds
from comfy_mcp.cli.trials import Step, Trial
from comfy_mcp.errors import ApprovalNeeded, Refused, WorkflowError
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.catalog import OWN_JOBS_ONLY, canonical
from comfy_mcp.guard.gate import Gate
from comfy_mcp.guard.question import Effect, Run
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.library import Library
from comfy_mcp.oversight.gauge import number
from comfy_mcp.store.protocol import NewJob, NewSweep, Store
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow import Graph, digest
from comfy_mcp.workflow.facts import ClassInfo, Facts, Known
from comfy_mcp.workflow.measure import asked, measure, shape

__all__ = ["BEGIN_MS", "Failure", "Result", "run_trial"]

BEGIN_MS = 1_767_614_400_000
"""Where the clock of every test stands at first: 2026-01-05, a Monday, at 12:00 UTC."""

HOST = "test"
STOP_MS = 15_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A call, counted from 1, that did not go as expected: *words* say how."""

    call: int
    tool: str
    words: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one test; *touched* are pointers and grants that its calls met."""

    name: str
    failure: Failure | None
    touched: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Outcome:
    effect: Effect
    code: str
    rule: str
    reason: str
    retry_after_s: float | None = None


async def run_trial(trial: Trial, source: PolicySource, library: Library, folder: Path) -> Result:
    """Make the calls of *trial* on a fresh state in *folder*; it ends at the first failure.

    Raises:
        StateError: the folder cannot be written.
    """
    store = SqliteStore(folder)
    stage = _Stage(source, library, store)
    failure: Failure | None = None
    try:
        for place, step in enumerate(trial.steps, 1):
            words = await stage.play(step)
            if words is not None:
                failure = Failure(place, step.tool, words)
                break
    finally:
        await store.close()
    return Result(trial.name, failure, frozenset(stage.touched))


@dataclass
class _Stage:
    """One test under way."""

    source: PolicySource
    library: Library
    store: Store
    now_ms: int = BEGIN_MS
    zone: tzinfo = UTC
    touched: set[str] = field(default_factory=set[str])
    _rows: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    _ends: list[tuple[int, str, str, int]] = field(default_factory=list[tuple[int, str, str, int]])
    _number: int = 0

    async def play(self, step: Step) -> str | None:
        """Make the call as often as it says; what did not go as expected, in words."""
        at_ms = self.now_ms + step.after_ms
        if step.at is not None:
            at_ms, self.zone = milliseconds(step.at), step.at.tzinfo or UTC
        if at_ms < self.now_ms:
            return "its time is before that of the call before it: time only goes on"
        await self._go_on_to(at_ms)
        for time in range(1, step.times + 1):
            try:
                outcome = await self._call(step)
            except WorkflowError as error:
                return f"the workflow cannot be sent, whatever the policy says: {error}"
            words = _differs(step.expected, outcome)
            if words is not None:
                return words if step.times == 1 else f"{words} (time {time} of {step.times})"
        return None

    async def _go_on_to(self, at_ms: int) -> None:
        """Set the clock, and end the jobs that end until then, each at its time."""
        while self._ends and self._ends[0][0] <= at_ms:
            self.now_ms, prompt_id, status, gpu_ms = heapq.heappop(self._ends)
            await self.store.move_job(prompt_id, status, self.now_ms, gpu_ms=gpu_ms)
        self.now_ms = at_ms

    async def _call(self, step: Step) -> _Outcome:
        gate = Gate(
            self.source,
            self.store,
            now_ms=lambda: self.now_ms,
            new_id=self._new_id,
            reconcile=_nothing,
            zone=self.zone,
            told=self._rows.append,
            waits=False,
        )
        self._rows.clear()
        try:
            await self._ask(gate, step)
        except Refused as refusal:
            outcome = _refused(refusal, self._last())
            self.touched |= await self._asked(refusal)
        else:
            row = self._last()
            allowed = row.get("decision") == Effect.ALLOW.value
            effect = Effect.ALLOW if allowed else Effect.DENY
            reason = "the policy allows it" if allowed else "the tool must seem not to exist"
            outcome = _Outcome(effect, str(row.get("code")), str(row.get("rule")), reason)
        self._touch(outcome)
        return outcome

    async def _ask(self, gate: Gate, step: Step) -> None:
        """The way a call takes through a server."""
        call = _call_of(gate, step)
        if gate.hidden(call.identity, call.tool):
            await gate.note_hidden(call)
            return
        await gate.screen(call)
        await gate.screen(call, checked=True)
        if canonical(call.tool) == RUN:
            call = await self._with_run(gate, call, step)
        if canonical(call.tool) == SWEEP:
            call = await self._with_runs(gate, call, step)
        async with gate.admit_many(call) if call.variants else gate.admit(call):
            pass
        for one in (call, *call.variants):
            if one.job is not None:
                await self._start(one.job, step)

    async def _with_runs(self, gate: Gate, call: Call, step: Step) -> Call:
        runs: list[Call] = []
        for args in runs_of(step.args):
            one = replace(call, tool=RUN, args=args)
            runs.append(await self._with_run(gate, one, replace(step, tool=RUN, args=args)))
        job = runs[0].job
        sweep = NewSweep(
            sweep_id=f"swp_{self._new_id()}",
            grant=call.grant,
            host=HOST,
            workflow="" if job is None else job.workflow,
        )
        return replace(call, variants=tuple(runs), sweep=sweep, owner=None)

    async def _with_run(self, gate: Gate, call: Call, step: Step) -> Call:
        made = draft(self.library, gate.loaded.policy, call.identity, step.args)
        self.touched |= {made.prefix.rule} if made.prefix else set()
        facts = _facts(made.graph, made.wanted, step)
        same = shape(made.graph, facts)
        unfinished = await self.store.unfinished(host=HOST)
        depth = step.queue_depth if step.queue_depth is not None else len(unfinished)
        run = Run(
            facts=facts,
            queue_depth=depth,
            foreign=() if step.owner == "mine" else facts.job_files,
            estimate_ms=await self.store.estimate(HOST, same),
            front=step.args.get("front") is True,
        )
        job = NewJob(
            prompt_id=f"job-{self._new_id()}",
            grant=call.grant,
            host=HOST,
            workflow=made.name,
            digest=digest(made.graph.to_json()),
            shape=same,
        )
        return replace(call, run=run, job=job, owner=None)

    async def _start(self, job: NewJob, step: Step) -> None:
        """The job runs at once, and ends when the test says, or when the policy stops it."""
        await self.store.move_job(job.prompt_id, "in_progress", self.now_ms)
        row = await self.store.job(job.prompt_id)
        ends = [(step.job_ms, "completed"), (row.cap_ms if row else None, "cancelled")]
        known = [(took_ms, status) for took_ms, status in ends if took_ms is not None]
        if known:
            took_ms, status = min(known, key=lambda end: end[0])
            self.touched |= {row.cap_rule} if row and status == "cancelled" else set()
            heapq.heappush(self._ends, (self.now_ms + took_ms, job.prompt_id, status, took_ms))

    async def _asked(self, refusal: Refused) -> frozenset[str]:
        """Every rule that wants a person asked, beside the one that the refusal names."""
        name = refusal.denial.approval_id
        row = None if name is None else await self.store.approval(name, self.now_ms)
        return frozenset() if row is None else frozenset(row.facts["asks"])

    def _touch(self, outcome: _Outcome) -> None:
        self.touched.add(outcome.rule)
        for row in self._rows[-1:] if SWEEP not in self._tools() else self._rows:
            limits: Mapping[str, Any] = row.get("limits") or {}
            self.touched |= {str(row.get("rule")), *limits, f"grant {row.get('grant')}"}
        self.touched.add(f"code {outcome.code}")

    def _last(self) -> Mapping[str, Any]:
        """The row of the call; those of the runs that it makes come after it."""
        if SWEEP in self._tools():
            return next(row for row in self._rows if row.get("tool") == SWEEP)
        return self._rows[-1] if self._rows else {}

    def _tools(self) -> frozenset[str]:
        return frozenset(str(row.get("tool")) for row in self._rows)

    def _new_id(self) -> str:
        self._number += 1
        return f"{self._number:04}"


async def _nothing(_grant: str) -> None:
    """Jobs end when the clock says so; nobody has to look."""


def _call_of(gate: Gate, step: Step) -> Call:
    tool = canonical(step.tool)
    about_a_job = tool in OWN_JOBS_ONLY
    return Call(
        tool=step.tool,
        identity=step.grant,
        grant=gate.grant(step.grant),
        client="policy test",
        args=step.args,
        target=step.args.get("prompt_id") if about_a_job else None,
        owner=step.owner or ("mine" if about_a_job else None),
        whatever_runs=tool == "interrupt_execution" and not step.args.get("prompt_id"),
        stop_ms=STOP_MS if about_a_job else None,
    )


def _facts(graph: Graph, wanted: frozenset[str], step: Step) -> Facts:
    """Facts as measured without ComfyUI, but for what the test says about it."""
    known = Known()
    if step.partner_nodes is not None:
        question = asked(graph, wanted)
        classes = question.classes | {node.class_type for node in graph.nodes.values()}
        partners = frozenset(step.partner_nodes)
        known = Known({name: ClassInfo(api_node=name in partners) for name in classes})
    facts = measure(graph, known)
    undetermined = {name: why for name, why in facts.undetermined.items() if name not in step.facts}
    numbers: dict[str, Any] = dict(step.facts)
    return replace(facts, **numbers, undetermined=undetermined)


def _refused(refusal: Refused, row: Mapping[str, Any]) -> _Outcome:
    denial = refusal.denial
    effect = Effect.APPROVAL if isinstance(refusal, ApprovalNeeded) else Effect.DENY
    rule = denial.rule or str(row.get("rule") or "")
    return _Outcome(effect, denial.code, rule, denial.reason, denial.retry_after_s)


def _differs(expected: Mapping[str, Any], outcome: _Outcome) -> str | None:
    got = {
        "expect": outcome.effect.value,
        "code": outcome.code,
        "rule": outcome.rule,
        "retry_after_s": outcome.retry_after_s,
    }
    wrong = [key for key, value in expected.items() if got[key] != value]
    if not wrong:
        return None
    told = "; ".join(
        f"{'' if key == 'expect' else f'{key} '}expected {expected[key]}, got {_plain(got[key])}"
        for key in wrong
    )
    where = f", rule {outcome.rule}" if outcome.rule else ""
    return f"{told}\n{outcome.code}{where}: {outcome.reason}"


def _plain(value: object) -> str:
    """A value as a file of tests would have it."""
    if isinstance(value, float):
        return number(value)
    return "nothing" if value is None else str(value)
