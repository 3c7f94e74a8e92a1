"""The steps about the graph that will be sent: node classes, models, outputs, sizes.

Each looks at facts only, and at nothing if the tool has no run or the run is not known yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from comfy_mcp.guard.case import Case, Culprit
from comfy_mcp.guard.in_force import Models, Names, Need, Number
from comfy_mcp.guard.judging import ruled_out
from comfy_mcp.guard.names import odd_model, odd_prefix, safe_segment
from comfy_mcp.guard.verdict import Verdict, deny
from comfy_mcp.guard.wording import (
    name_in_words,
    node_in_words,
    number_in_words,
    shown,
    undetermined_in_words,
)
from comfy_mcp.workflow.facts import Model, Prefix

__all__ = [
    "api_node",
    "front",
    "gpu_limit",
    "model",
    "needed",
    "node_class",
    "output_path",
    "prefix_text",
    "queue_full",
    "undetermined",
    "unmeasured",
]

_MOST = 10**18
_FEW = 5


def unmeasured(case: Case) -> Verdict | None:
    """The tool runs a graph, and nobody measured it: nothing about it could be judged."""
    if case.run is not None or not case.force.runs or not case.question.final:
        return None
    word = case.force.words.undetermined
    return deny("undetermined", word.rule, "What this run would do is not known to the guard.")


def node_class(case: Case) -> Verdict | None:
    """A node of a class that a list forbids, or that a list of allowed classes does not have."""
    if case.run is None or case.force.graph.any_class:
        return None
    fault = case.force.graph.class_fault
    for name, node in case.run.facts.node_classes.items():
        found = fault(name)
        if found is not None:
            names, only = found
            which = "no class that the policy allows" if only else "a class that the policy denies"
            reason = f"{node_in_words(node, name, first=True)} is of {which}; use another node."
            return deny("node_class", names.rule, reason, names.reason)
    return None


def api_node(case: Case) -> Verdict | None:
    """A partner node, which spends credits."""
    word = case.force.words.api_nodes
    if case.run is None or word.value != "deny" or not case.run.facts.api_nodes:
        return None
    name, node = next(iter(case.run.facts.api_nodes.items()))
    return deny(
        "api_node",
        word.rule,
        f"{node_in_words(node, name, first=True)} is a partner node, which spends credits; use"
        " nodes that run on this machine.",
    )


def model(case: Case) -> Verdict | None:
    """A model whose name is odd, that a list forbids, or that a list of allowed ones lacks."""
    rules = case.force.graph
    first = next(iter((*rules.allow_models, *rules.deny_models)), None)
    if case.run is None or first is None:
        return None
    for folder, used in case.run.facts.models.items():
        for one in used:
            why = odd_model(one.name)
            if why is not None:
                return _model("model", first.names, one, f"a model whose name {why}")
            verdict = _listed_model(rules.allow_models, rules.deny_models, folder, one)
            if verdict is not None:
                return verdict
    return None


def _listed_model(
    allowed: tuple[Models, ...], denied: tuple[Models, ...], folder: str, one: Model
) -> Verdict | None:
    nowhere = folder == "?"
    for models in denied:
        if (nowhere or models.concerns(folder)) and models.names.fits(one.name):
            return _model("model", models.names, one, "which the policy denies")
    for models in allowed:
        if nowhere:
            return _model("model", models.names, one, "a model from no folder that is known here")
        if models.concerns(folder) and not models.names.fits(one.name):
            few = ", ".join(models.names.patterns[:_FEW]) or "none"
            return _model("model", models.names, one, f"which is not allowed ({folder}: {few})")
    return None


def _model(code: str, names: Names, one: Model, why: str) -> Verdict:
    node = node_in_words(one.node_id, one.class_type, first=True)
    reason = f"{node} loads {shown(one.name)}, {why}; name another model."
    return deny(code, names.rule, reason, names.reason)


def output_path(case: Case) -> Verdict | None:
    """A file would be saved where it must not be."""
    if case.run is None:
        return None
    prefixes = case.force.graph.prefixes
    for one in case.run.facts.output_prefixes:
        why = odd_prefix(one.value)
        if why is not None:
            rule = prefixes[0].rule if prefixes else "/gpu/output_prefix"
            return _prefix(one, rule, f"a filename_prefix that {why}; use a plain name")
        for prefix in prefixes:
            text = prefix_text(prefix.text, case.caller.id or "")
            if not one.value.startswith(text):
                return _prefix(one, prefix.rule, f"and not below {text}; let it begin with that")
    return None


def _prefix(one: Prefix, rule: str, why: str) -> Verdict:
    node = node_in_words(one.node_id, one.class_type, first=True)
    return deny("output_path", rule, f"{node} saves as {shown(one.value)}, {why}.")


def prefix_text(text: str, grant: str) -> str:
    """A prefix with the grant's id filled in, as one part of a path."""
    return text.replace("{grant}", safe_segment(grant))


def front(case: Case) -> Verdict | None:
    """The run wants to be put before what waits."""
    word = case.force.words.queue_jump
    if case.run is None or not case.run.front or word.value != "deny":
        return None
    return deny("denied", word.rule, "No run may be put in front of others; leave out front.")


def gpu_limit(case: Case) -> Verdict | None:
    """A number is larger than one of its maxima: as far as it is known, that is enough."""
    if case.run is None:
        return None
    facts = case.run.facts
    for number in case.force.graph.numbers:
        got = getattr(facts, number.fact)
        # Not "got > most": a number that is none would pass.
        if not got <= number.most:
            return _too_large(case, number, got)
    return None


def _too_large(case: Case, number: Number, got: float) -> Verdict:
    facts = case.run.facts if case.run else None
    node = facts.where.get(number.fact) if facts else None
    who = "This workflow" if node is None else f"Node {name_in_words(node)}"
    return deny(
        "gpu_limit",
        number.rule,
        f"{who} asks for {number_in_words(number.fact, got)}; at most"
        f" {number_in_words(number.fact, number.most)} are allowed: ask for less.",
        number.reason,
        _fix(number.fact, got, number.most),
    )


def _fix(fact: str, got: float, most: float) -> dict[str, Any]:
    plain = math.isfinite(got) and abs(got) < _MOST
    return {"path": f"graph.{fact}", "got": got if plain else None, "max": most}


def undetermined(case: Case) -> Verdict | None:
    """A fact that some rule needs could not be determined, and the policy does not accept that."""
    found = next(needed(case), None)
    if found is None or case.force.words.undetermined.value != "deny":
        return None
    need, culprit = found
    return deny("undetermined", need.rule, undetermined_in_words(need.fact, culprit))


def needed(case: Case) -> Iterator[tuple[Need, Culprit]]:
    """The facts that some rule needs and that could not be determined."""
    unknown = case.unknown
    if not unknown:
        return
    for need in case.force.needs:
        if need.fact in unknown and (need.check is None or not ruled_out(case, need.check)):
            yield need, unknown[need.fact]


def queue_full(case: Case) -> Verdict | None:
    """The host has more than enough to do already."""
    number = case.force.graph.queue
    if case.run is None or number is None or case.run.queue_depth is None:
        return None
    depth = case.run.queue_depth
    if depth < number.most:
        return None
    return deny(
        "queue_full",
        number.rule,
        f"ComfyUI has {depth} jobs, and no more are sent while it has {number.most}; try again"
        " when some have ended.",
        number.reason,
        _fix(number.fact, depth, number.most),
    )
