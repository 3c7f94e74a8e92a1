"""What would become of one call: the facts, every step of the decision, and what is left of limits.

Asks policy, files, maybe ComfyUI and the state; changes none of them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.cli.drafting import RUN, SWEEP, Draft, draft, library_of, runs_of
from comfy_mcp.errors import HostError
from comfy_mcp.guard.catalog import OWN_JOBS_ONLY, TOOLS, ToolClass, canonical
from comfy_mcp.guard.decide import Looked, decide, grant_of, walk
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.question import Decision, Effect, Question, Run, in_this_zone
from comfy_mcp.oversight.standing import Gauge, clock_ahead_ms, gauges
from comfy_mcp.oversight.state import is_there, now_ms, opened, outdated
from comfy_mcp.settings import Settings
from comfy_mcp.store.protocol import Cooling, Frozen, MadeFile, SlotCap, Store, Use
from comfy_mcp.tools.table import offered
from comfy_mcp.workflow.facts import Facts, JobFile, Known
from comfy_mcp.workflow.measure import asked, measure, shape

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost

__all__ = ["Asking", "Explained", "State", "explain"]


NOT_OFFERED = (
    "A server with these settings does not offer the tool at all (COMFY_MCP_TOOLSETS,"
    " COMFY_MCP_READ_ONLY): agents do not see it, whatever the policy says."
)

FIRST_RUN = (
    "Judged here is the call with the first of its {count} runs. A server judges it with each of"
    " them, and each as run_workflow, too: ask about that with the params of the run."
)


@dataclass(frozen=True, slots=True)
class Asking:
    """The call that is asked about.

    *args* have their defaults; *owner* is as in `Question`; *at_ms* None: now. *ask_host*: ComfyUI
    is asked for what only it knows.
    """

    tool: str
    args: Mapping[str, Any]
    owner: str | None = None
    at_ms: int | None = None
    ask_host: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How the state stands for this caller: its limits, its slots, and what refuses everything."""

    gauges: tuple[Gauge, ...] = ()
    slots: tuple[Use, ...] = ()
    standing: Frozen | Cooling | None = None
    ahead_ms: int = 0

    @property
    def full(self) -> bool:
        """There is no room for the call, or no call is let through at all."""
        waits = [gauge.use.retry_after_ms for gauge in self.gauges]
        waits += [use.retry_after_ms for use in self.slots]
        return self.standing is not None or any(wait != 0 for wait in waits)


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything that can be said; *state* None: there is none, or it was not looked at."""

    question: Question
    grant: str
    steps: tuple[Looked, ...]
    decision: Decision
    notes: tuple[str, ...] = ()
    draft: Draft | None = None
    state: State | None = None

    @property
    def let_through(self) -> bool:
        """The call would be made, as far as can be seen."""
        full = self.state is not None and self.state.full
        return self.decision.effect is Effect.ALLOW and not full


@dataclass(frozen=True, slots=True)
class _Told:
    """What the host said; *missing* says what it was not asked, or did not answer."""

    known: Known = field(default_factory=Known)
    queue_depth: int | None = None
    missing: tuple[str, ...] = ()


async def explain(settings: Settings, loaded: Loaded, asking: Asking) -> Explained:
    """Judge *asking* as the server would, step by step.

    Raises:
        WorkflowError: the workflow or its parameters cannot be sent as they are.
        StateError: the state is there and cannot be read.
    """
    at_ms = now_ms() if asking.at_ms is None else asking.at_ms
    grant = grant_of(loaded.policy, settings.grant, at_ms) or settings.grant
    async with _state(settings, asking) as (store, why):
        notes = [why] if why else []
        question = _question(settings, asking, at_ms)
        made: Draft | None = None
        tool = canonical(asking.tool)
        if tool in TOOLS and tool not in offered(settings.toolsets, read_only=settings.read_only):
            notes.append(NOT_OFFERED)
        if tool in {RUN, SWEEP}:
            library, args = library_of(settings), asking.args
            if tool == SWEEP:
                args, *others = runs_of(asking.args)
                notes.append(FIRST_RUN.format(count=len(others) + 1))
            made = await anyio.to_thread.run_sync(
                draft, library, loaded.policy, settings.grant, args
            )
            run, more = await _run(settings, asking, made, grant, store)
            question = replace(question, run=run)
            notes += more
        decision = decide(loaded.policy, question)
        return Explained(
            question=question,
            grant=grant,
            steps=tuple(walk(loaded.policy, question)),
            decision=decision,
            notes=tuple(notes),
            draft=made,
            state=await _look(store, settings, decision, question, grant) if store else None,
        )


def _question(settings: Settings, asking: Asking, at_ms: int) -> Question:
    tool = canonical(asking.tool)
    owner = asking.owner or ("mine" if tool in OWN_JOBS_ONLY else None)
    return Question(
        tool=asking.tool,
        identity=settings.grant,
        args=asking.args,
        final=True,
        owner=owner,
        whatever_runs=tool == "interrupt_execution" and not asking.args.get("prompt_id"),
        at_ms=at_ms,
        at=in_this_zone(at_ms),
    )


async def _run(
    settings: Settings, asking: Asking, made: Draft, grant: str, store: Store | None
) -> tuple[Run, list[str]]:
    told = await _ask(settings, made) if asking.ask_host else _not_asked(made)
    facts = await anyio.to_thread.run_sync(measure, made.graph, told.known)
    host = settings.address.label if settings.address else None
    notes = list(told.missing)
    foreign, estimate = facts.job_files, None
    if store is not None and host is not None:
        foreign = await _foreign(store, host, facts, grant)
        if "estimate" in made.wanted:
            estimate = await store.estimate(host, shape(made.graph, facts))
    elif foreign:
        notes.append("Whose jobs made the files that it reads is not known: taken for others'.")
    if estimate is None and "estimate" in made.wanted:
        notes.append("How long such a job takes is not known: none like it was run before.")
    front = asking.args.get("front") is True
    depth = told.queue_depth
    return Run(facts, queue_depth=depth, foreign=foreign, estimate_ms=estimate, front=front), notes


def _not_asked(made: Draft) -> _Told:
    question = asked(made.graph, made.wanted)
    missing: list[str] = []
    if question.classes:
        missing.append(f"about node classes: {', '.join(sorted(question.classes))}")
    if question.pictures:
        missing.append(f"about pictures: {', '.join(sorted(question.pictures))}")
    if "queue_depth" in made.wanted:
        missing.append("how many jobs it has")
    words = f"ComfyUI was not asked (--host does) {'; '.join(missing)}."
    return _Told(missing=(words,) if missing else ())


async def _ask(settings: Settings, made: Draft) -> _Told:
    question = await anyio.to_thread.run_sync(asked, made.graph, made.wanted)
    async with _host(settings) as host:
        known = await host.known(question)
        absent = (question.classes - known.classes.keys()) | (
            question.pictures - known.pictures.keys()
        )
        missing = [f"ComfyUI did not tell about: {', '.join(sorted(absent))}."] if absent else []
        depth: int | None = None
        if "queue_depth" in made.wanted:
            try:
                depth = await host.queue_depth()
            except HostError as error:
                missing.append(f"How many jobs ComfyUI has is not known: {error}")
    return _Told(known, depth, tuple(missing))


@asynccontextmanager
async def _host(settings: Settings) -> AsyncGenerator[ComfyHost]:
    """ComfyUI, or a demo host for as long as the question takes."""
    from comfy_mcp.host.client import ComfyHost  # noqa: PLC0415 - only where it is asked
    from comfy_mcp.host.transport import Timeouts  # noqa: PLC0415 - as above
    from comfy_mcp.settings import Address  # noqa: PLC0415 - as above

    timeouts = Timeouts(connect=3, answer=10)
    if settings.address is not None:
        host = ComfyHost(settings.address, now_ms=now_ms, timeouts=timeouts)
        try:
            yield host
        finally:
            await host.close()
        return
    from comfy_mcp.embedded import EmbeddedHost  # noqa: PLC0415 - as above

    async with EmbeddedHost() as demo:
        host = ComfyHost(Address(demo.url), now_ms=now_ms, timeouts=timeouts)
        try:
            yield host
        finally:
            await host.close()


async def _foreign(store: Store, host: str, facts: Facts, grant: str) -> tuple[JobFile, ...]:
    """The files that it reads and that no job of *grant* on *host* made."""
    if not facts.job_files:
        return ()
    made = {file: MadeFile(file.type, file.subfolder, file.filename) for file in facts.job_files}
    makers = await store.makers(host, tuple(made.values()))
    return tuple(file for file, key in made.items() if makers.get(key) != grant)


@asynccontextmanager
async def _state(
    settings: Settings, asking: Asking
) -> AsyncGenerator[tuple[Store | None, str | None]]:
    """The state, if there is one to look at; else a note that says why not."""
    if asking.at_ms is not None:
        yield None, "The state was not looked at: it knows how it stands now, not at another time."
    elif not is_there(settings.state):
        yield None, f"There is no state in {settings.state}, so nothing is used up."
    elif outdated(settings.state):
        yield None, f"The state in {settings.state} is of an older version and was not looked at."
    else:
        async with opened(settings.state) as store:
            yield store, None


async def _look(
    store: Store, settings: Settings, decision: Decision, question: Question, grant: str
) -> State:
    at_ms = question.at_ms
    host = settings.address.label if settings.address else ""
    slots = tuple(SlotCap(grant, host, cap.value, cap.rule) for cap in decision.slots)
    reads = TOOLS.get(canonical(question.tool)) is ToolClass.READ
    return State(
        gauges=await gauges(store, [(grant, limit) for limit in decision.limits], at_ms),
        slots=await store.peek(at_ms, (), slots),
        standing=await store.standing(grant, at_ms, reads=reads),
        ahead_ms=await clock_ahead_ms(store, at_ms),
    )
