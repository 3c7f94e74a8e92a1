"""An explained call as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from comfy_mcp.cli.asking import asked_whom
from comfy_mcp.cli.screen import Screen, one_line
from comfy_mcp.guard.question import AppliedLimit, Asking, Decision, Effect
from comfy_mcp.guard.wording import window_in_words
from comfy_mcp.oversight.gauge import HEADINGS, duration, gauge_cells, gauge_object, number, plain
from comfy_mcp.oversight.trail import moment
from comfy_mcp.store.protocol import UNIT, Cooling, Frozen

if TYPE_CHECKING:
    from comfy_mcp.cli.explaining import Explained, State
    from comfy_mcp.workflow.facts import Facts

__all__ = ["as_object", "show"]

NUMBERS = (
    *("steps", "total_steps", "width", "height", "megapixels", "batch", "frames"),
    *("nodes", "bytes"),
)

_COLOUR = {Effect.ALLOW: "bold green", Effect.DENY: "bold red", Effect.APPROVAL: "bold yellow"}


def show(screen: Screen, explained: Explained) -> None:
    """Everything, for a person."""
    question = explained.question
    screen.say(f"{question.tool} by {explained.grant!r} at {moment(question.at_ms)}")
    if question.run is not None:
        _show_facts(screen, question.run.facts, explained)
    for note in explained.notes:
        screen.say(f"note: {one_line(note)}", "yellow")
    screen.title("Steps")
    rows = [(one.step, one.verdict, one.rule, one.words) for one in explained.steps]
    screen.table(("step", "verdict", "rule", "words"), rows)
    _show_decision(screen, explained.decision)
    if explained.decision.effect is not Effect.DENY:
        _show_takes(screen, explained)
    if explained.state is not None:
        _show_state(screen, explained.state)


def as_object(explained: Explained) -> dict[str, Any]:
    """Everything, as JSON values."""
    question, decision, state = explained.question, explained.decision, explained.state
    return {
        "tool": question.tool,
        "identity": question.identity,
        "grant": explained.grant,
        "at_ms": question.at_ms,
        "let_through": explained.let_through,
        "decision": {
            "effect": decision.effect.value,
            "code": decision.code,
            "rule": decision.hidden_by or decision.rule,
            "reason": decision.reason,
            "step": decision.step,
            "fix": dict(decision.fix) if decision.fix else None,
        },
        "asking": _asking_object(decision.asking) if decision.asking else None,
        "steps": [
            {"step": one.step, "verdict": one.verdict, "rule": one.rule, "words": one.words}
            for one in explained.steps
        ],
        "facts": _facts_object(question.run.facts) if question.run else None,
        "queue_depth": question.run.queue_depth if question.run else None,
        "limits": [_limit_object(limit) for limit in decision.limits],
        "slots": [{"max": cap.value, "rule": cap.rule} for cap in decision.slots],
        "max_seconds": decision.job_ms.value / 1000 if decision.job_ms else None,
        "state": _state_object(state) if state else None,
        "notes": list(explained.notes),
    }


def _show_facts(screen: Screen, facts: Facts, explained: Explained) -> None:
    name = explained.draft.name if explained.draft else "inline"
    screen.title(f"Facts of the workflow {name}")
    screen.table(("fact", "value", "from"), list(_facts(facts, explained)))


def _facts(facts: Facts, explained: Explained) -> Iterator[tuple[str, str, str]]:
    """What it is called, how much it is, where it comes from."""
    yield from _numbers(facts)
    yield from _names(facts)
    run = explained.question.run
    if run is not None and run.queue_depth is not None:
        yield "queue_depth", str(run.queue_depth), "ComfyUI"
    if run is not None and run.estimate_ms is not None:
        yield "estimate", duration(run.estimate_ms), "jobs like it"
    for name, unknown in facts.undetermined.items():
        for one in unknown:
            where = f"node {one.node_id} ({one.class_type}), {one.input_name}"
            yield name, "not determined", f"{where}: {one.why}"


def _numbers(facts: Facts) -> Iterator[tuple[str, str, str]]:
    for name in NUMBERS:
        node = facts.where.get(name)
        yield name, number(getattr(facts, name)), f"node {node}" if node else ""


def _names(facts: Facts) -> Iterator[tuple[str, str, str]]:
    for folder, models in facts.models.items():
        for model in models:
            yield f"models.{folder}", model.name, f"node {model.node_id} ({model.class_type})"
    for prefix in facts.output_prefixes:
        yield "output_prefix", prefix.value, f"node {prefix.node_id} ({prefix.class_type})"
    for file in facts.job_files:
        yield "job_file", f"{file.subfolder}/{file.filename}".lstrip("/"), f"node {file.node_id}"
    for class_type, node in facts.unknown_classes.items():
        yield "unknown_class", class_type, f"node {node}"
    for class_type, node in facts.api_nodes.items():
        yield "api_node", class_type, f"node {node}"


def _show_decision(screen: Screen, decision: Decision) -> None:
    rule = decision.hidden_by or decision.rule
    screen.title("Decision")
    screen.say(f"  {decision.effect.value} ({decision.code})", _COLOUR[decision.effect])
    screen.say(f"  {one_line(decision.reason)}")
    if rule:
        screen.say(f"  rule: {rule}")
    if decision.fix:
        fix = decision.fix
        screen.say(f"  {fix.get('path')} is {fix.get('got')}; at most {fix.get('max')} will do")
    if decision.asking is not None:
        screen.say(f"  a person decides, {asked_whom(decision.asking)}")
        for pointer, words in decision.asking.reasons.items():
            screen.say(f"  asked because of {pointer}: {one_line(words)}")


def _show_takes(screen: Screen, explained: Explained) -> None:
    decision = explained.decision
    if not (decision.limits or decision.slots or decision.job_ms):
        return
    screen.title("It takes")
    if decision.limits:
        screen.table(
            ("counter", "takes", "max", "window", "scope", "rule"),
            [_limit_cells(limit) for limit in decision.limits],
        )
    for cap in decision.slots:
        screen.say(f"  one of {cap.value} unfinished jobs ({cap.rule})")
    if decision.job_ms is not None:
        cap = decision.job_ms
        screen.say(f"  it may run for {duration(cap.value)} ({cap.rule})")


def _show_state(screen: Screen, state: State) -> None:
    screen.title("Now")
    if state.ahead_ms:
        screen.say(f"  the state's clock is {duration(state.ahead_ms)} ahead", "bold yellow")
    if isinstance(state.standing, Frozen):
        screen.say("  frozen by the operator: it would be refused", "bold red")
    if isinstance(state.standing, Cooling):
        wait = duration(state.standing.retry_after_ms)
        screen.say(f"  cooling down after many refusals: refused for {wait}", "bold red")
    if state.gauges:
        screen.table(HEADINGS, [gauge_cells(gauge) for gauge in state.gauges])
    for use in state.slots:
        screen.say(f"  {use.used} of {use.cause.most} unfinished jobs ({use.cause.rule})")
    if state.full:
        screen.say("  there is no room for this call now: it would be refused", "bold red")


def _asking_object(asking: Asking) -> dict[str, Any]:
    return {
        "channel": asking.channel,
        "expires_s": asking.lives_ms / 1000,
        "reasons": dict(asking.reasons),
    }


def _limit_cells(limit: AppliedLimit) -> tuple[str, ...]:
    window = window_in_words(limit.window_ms, calendar=limit.calendar)
    scope = "grant" if limit.per_grant else "everybody"
    return limit.counter, plain(limit.amount), plain(limit.most), window, scope, limit.rule


def _limit_object(limit: AppliedLimit) -> dict[str, Any]:
    return {
        "counter": limit.counter,
        "scope": "grant" if limit.per_grant else "global",
        "amount": limit.amount / UNIT,
        "max": limit.most / UNIT,
        "window_s": limit.window_ms / 1000,
        "words": limit.words,
        "rule": limit.rule,
    }


def _facts_object(facts: Facts) -> dict[str, Any]:
    return {
        **{name: getattr(facts, name) for name in NUMBERS},
        "models": {
            folder: [model.name for model in models] for folder, models in facts.models.items()
        },
        "output_prefixes": [prefix.value for prefix in facts.output_prefixes],
        "unknown_classes": sorted(facts.unknown_classes),
        "api_nodes": sorted(facts.api_nodes),
        "undetermined": {
            name: [f"node {one.node_id} {one.input_name}: {one.why}" for one in unknown]
            for name, unknown in facts.undetermined.items()
        },
    }


def _state_object(state: State) -> dict[str, Any]:
    standing = state.standing
    return {
        "limits": [gauge_object(gauge) for gauge in state.gauges],
        "slots": [{"used": use.used, "max": use.cause.most} for use in state.slots],
        "frozen": isinstance(standing, Frozen),
        "cooldown_s": standing.retry_after_ms / 1000 if isinstance(standing, Cooling) else None,
        "full": state.full,
        "clock_ahead_s": state.ahead_ms / 1000,
    }
