"""What a step that lets a call go on has looked at: for an operator who wants to know why."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.wording import number_in_words

__all__ = ["passed"]

PASSED = "passed"
NOT_ASKED = "not asked"

_GRAPH = frozenset(
    (
        *("run", "input_path", "node_class", "api_node", "model", "output_path", "queue_jump"),
        *("gpu_limit", "undetermined", "queue_full"),
    )
)


def passed(case: Case, step: str) -> tuple[str, str, str]:
    """Verdict, rule and words of *step*, which did not decide."""
    if step in _GRAPH:
        if not case.force.runs:
            return NOT_ASKED, "", f"{case.tool} has no graph"
        if not case.question.final:
            return NOT_ASKED, "", "the graph is not known yet"
    if step == "ownership" and not case.question.final:
        return NOT_ASKED, "", "whose job it is about is not known yet"
    rule, words = _SAID.get(step, _nothing)(case)
    return PASSED, rule, words


def _identity(case: Case) -> tuple[str, str]:
    caller = case.caller
    rule = caller.grants[0].where if caller.grants else ""
    return rule, f"the caller is {caller.id}" if rule else "the policy names no grants"


def _tool(case: Case) -> tuple[str, str]:
    called = case.question.tool
    return "", "there is such a tool" if called == case.tool else f"{called} means {case.tool}"


def _default(case: Case) -> tuple[str, str]:
    return case.force.listed_by, "it may be called"


def _require(case: Case) -> tuple[str, str]:
    known = [check for check in case.force.requires if case.knows(check.spaces)]
    return _counted(len(known), len(case.force.requires), "hold")


def _deny_if(case: Case) -> tuple[str, str]:
    known = [check for check in case.force.denies if case.knows(check.spaces)]
    return _counted(len(known), len(case.force.denies), "do not match")


def _counted(judged: int, of: int, words: str) -> tuple[str, str]:
    if not of:
        return "", "there are none"
    later = f"; {of - judged} cannot be judged yet" if of > judged else ""
    return "", f"{judged} {words}{later}"


def _ownership(case: Case) -> tuple[str, str]:
    owner = case.question.owner
    return "", "it is about no job" if owner is None else f"the job's owner: {owner}"


def _word(key: str) -> Callable[[Case], tuple[str, str]]:
    def said(case: Case) -> tuple[str, str]:
        word = getattr(case.force.words, key)
        return word.rule, f"{key} is {word.value}"

    return said


def _node_class(case: Case) -> tuple[str, str]:
    if case.force.graph.any_class:
        return "", "no list of node classes is in force"
    return "", f"{len(case.run.facts.node_classes) if case.run else 0} classes are allowed"


def _model(case: Case) -> tuple[str, str]:
    graph = case.force.graph
    if not graph.allow_models and not graph.deny_models:
        return "", "no list of models is in force"
    used = sum(map(len, case.run.facts.models.values())) if case.run else 0
    return "", f"{used} models are allowed"


def _output_path(case: Case) -> tuple[str, str]:
    prefixes = case.force.graph.prefixes
    return (prefixes[0].rule, "all begin with the prefix") if prefixes else ("", "all are plain")


def _gpu_limit(case: Case) -> tuple[str, str]:
    numbers = case.force.graph.numbers
    if case.run is None or not numbers:
        return "", "no maximum is in force"
    facts = case.run.facts
    parts = [
        f"{number_in_words(one.fact, getattr(facts, one.fact))} of {one.most}" for one in numbers
    ]
    return "", ", ".join(parts)


def _amounts(case: Case) -> tuple[str, str]:
    counted = sum(len(account.sources) for account in case.force.takes.accounts)
    return "", f"{counted} are numbers" if counted else "no amount comes with the call"


def _queue_full(case: Case) -> tuple[str, str]:
    number = case.force.graph.queue
    if number is None or case.run is None:
        return "", "no maximum is in force"
    return number.rule, f"{case.run.queue_depth} jobs, below {number.most}"


def _nothing(_case: Case) -> tuple[str, str]:
    return "", "nothing speaks against it"


_SAID: Mapping[str, Callable[[Case], tuple[str, str]]] = {
    "identity": _identity,
    "tool": _tool,
    "hide": lambda _case: ("", "nothing hides it"),
    "default": _default,
    "action": lambda _case: ("", "no rule denies it"),
    "require": _require,
    "deny_if": _deny_if,
    "ownership": _ownership,
    "run": lambda _case: ("", "the graph was measured"),
    "input_path": _word("ownership"),
    "node_class": _node_class,
    "api_node": _word("api_nodes"),
    "model": _model,
    "output_path": _output_path,
    "queue_jump": _word("queue_jump"),
    "gpu_limit": _gpu_limit,
    "undetermined": _word("undetermined"),
    "amounts": _amounts,
    "queue_full": _queue_full,
    "approval": lambda _case: ("", "nobody has to be asked"),
}
