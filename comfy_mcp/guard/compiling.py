"""Makes the tables of what is in force out of a policy: once for each tool, name and grant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from comfy_mcp.guard.callers import Caller
from comfy_mcp.guard.catalog import EACH_RUN_AS, TOOLS, ToolClass, canonical
from comfy_mcp.guard.graph_rules import blocks_of, graph_rules
from comfy_mcp.guard.in_force import (
    ESTIMATE,
    FOLDERS,
    SIZES,
    Account,
    Ask,
    Check,
    GraphRules,
    InForce,
    Need,
    Takes,
    fact_of,
)
from comfy_mcp.guard.kept import kept
from comfy_mcp.guard.policy import Action, Approval, Condition, Layer, Place, Policy, Rule
from comfy_mcp.guard.reach import matches, rules_for
from comfy_mcp.guard.takes import takes
from comfy_mcp.guard.words import Words, words_in_force
from comfy_mcp.workflow.facts import FACTS

__all__ = ["in_force"]

_FACTS = (
    *SIZES,
    *("nodes", "bytes", "node_classes", "unknown_classes", "api_nodes", "models", FOLDERS),
    *("output_prefixes", "job_files", "queue_depth", ESTIMATE),
)
_RANK = {fact: rank for rank, fact in enumerate(_FACTS)}


def in_force(policy: Policy, called: str, caller: Caller) -> InForce:
    """What *policy* says about the tool *called* (a tool's name or alias) to *caller*."""
    key = ("in force", called, caller.id if policy.knows_grants else None)
    return kept(policy, key, lambda: _compiled(policy, called, caller))


def _compiled(policy: Policy, called: str, caller: Caller) -> InForce:
    tool = canonical(called)
    own = tuple(grant.layer for grant in caller.grants)
    layers = (*policy.layers, *own)
    rules = rules_for(layers, tool)
    runs = TOOLS.get(tool) is ToolClass.EXECUTE
    blocks = blocks_of(layers, rules)
    requires, denies = _checks(rules, denies=False), _checks(rules, denies=True)
    asks = _asks(rules)
    words = _words(policy.layers, own, tool)
    each = rules_for(layers, EACH_RUN_AS[tool]) if tool in EACH_RUN_AS else ()
    taken = takes(rules, blocks, called, runs=runs, each=each)
    graph = graph_rules(blocks)
    needs = _needs((*requires, *denies), words, graph, taken.accounts) if runs else ()
    return InForce(
        called=called,
        tool=tool,
        runs=runs,
        hidden_by=_hidden_by(layers, tool),
        unlisted=_unlisted(policy, own, tool),
        listed_by=_listed_by(policy, tool),
        denying=next((rule for rule in rules if rule.action is Action.DENY), None),
        requires=requires,
        denies=denies,
        asks=asks,
        words=words,
        graph=graph,
        needs=needs,
        takes=taken,
        wanted=_wanted((*requires, *denies), asks, graph, needs, taken) if runs else frozenset(),
    )


def _hidden_by(layers: Iterable[Layer], tool: str) -> str:
    found = [hide.where for layer in layers for hide in layer.hide if matches(hide.match, tool)]
    return min(found, default="")


def _lists(layer: Layer, tool: str) -> bool:
    return any(rule.place is Place.TOOL for rule in rules_for([layer], tool))


def _unlisted(policy: Policy, own: tuple[Layer, ...], tool: str) -> str | None:
    """The pointer of the default that denies; a grant's is looked at after the files'."""
    if not policy.default_allow and not any(_lists(layer, tool) for layer in policy.layers):
        denying = [file.where for file in policy.files if not file.layer.default_allow]
        return f"{min(denying, default='')}/default"
    closed = [layer for layer in own if not layer.default_allow and not _lists(layer, tool)]
    return f"{min(layer.where for layer in closed)}/default" if closed else None


def _listed_by(policy: Policy, tool: str) -> str:
    listing = [rule for rule in rules_for(policy.layers, tool) if rule.place is Place.TOOL]
    if listing:
        return listing[0].where
    return f"{min((file.where for file in policy.files), default='')}/default"


def _words(files: tuple[Layer, ...], own: tuple[Layer, ...], tool: str) -> Words:
    theirs = blocks_of(files, rules_for(files, tool))
    tighter = blocks_of(own, rules_for(own, tool))
    return words_in_force([one.gpu for one in theirs], [one.gpu for one in tighter])


def _checks(rules: tuple[Rule, ...], *, denies: bool) -> tuple[Check, ...]:
    return tuple(
        Check(one, rule, _spaces(one.conditions), _facts(one.conditions))
        for rule in rules
        for one in (rule.deny_if if denies else rule.require)
    )


def _asks(rules: tuple[Rule, ...]) -> tuple[Ask, ...]:
    found: list[Ask] = []
    for rule in rules:
        if rule.approval is not None:
            found.append(_ask(rule.approval, rule.reason))
        if rule.action is Action.APPROVAL and (rule.approval is None or rule.approval.when):
            found.append(_ask(Approval(rule.where), rule.reason))
    return tuple(found)


def _ask(said: Approval, reason: str | None) -> Ask:
    return Ask(
        rule=said.where,
        when=said.when,
        reason=said.reason or reason,
        spaces=_spaces(said.when),
        channel=said.channel,
        lives_ms=said.expires_ms,
    )


def _spaces(conditions: tuple[Condition, ...]) -> frozenset[str]:
    return frozenset(condition.path.space for condition in conditions)


def _facts(conditions: tuple[Condition, ...]) -> frozenset[str]:
    """What has to be determined. Whether there is an estimate at all can always be told."""
    found: set[str] = set()
    for condition in conditions:
        fact = fact_of(condition.path)
        if fact is None or (condition.op == "exists" and fact in {ESTIMATE, "queue_depth"}):
            continue
        found |= {fact, FOLDERS} if fact == "models" else {fact}
    return frozenset(found)


def _needs(
    checks: tuple[Check, ...], words: Words, graph: GraphRules, accounts: tuple[Account, ...]
) -> tuple[Need, ...]:
    found = [Need(number.fact, number.rule) for number in graph.numbers]
    found += [Need(fact, one.predicate.where, one) for one in checks for fact in one.facts]
    found += [Need(fact, rule) for fact, rule in _sources(accounts)]
    found += [Need(fact, rule) for fact, rule in _names(words, graph)]
    return tuple(
        sorted(found, key=lambda need: (_RANK.get(need.fact, len(_RANK)), need.fact, need.rule))
    )


def _sources(accounts: tuple[Account, ...]) -> Iterator[tuple[str, str]]:
    for account in accounts:
        for source in account.sources:
            fact = fact_of(source.path)
            if fact is not None:
                yield fact, source.rule


def _names(words: Words, graph: GraphRules) -> Iterator[tuple[str, str]]:
    """Facts that are needed whatever their value: to judge names, files and partner nodes."""
    prefix = graph.prefixes[0].rule if graph.prefixes else "/gpu/output_prefix"
    yield "output_prefixes", prefix
    if words.api_nodes.value != "allow":
        yield "api_nodes", words.api_nodes.rule
    if words.ownership.value != "any":
        yield "job_files", words.ownership.rule
    if graph.queue is not None:
        yield "queue_depth", graph.queue.rule
    for models in (*graph.allow_models, *graph.deny_models):
        yield "models", models.names.rule


def _wanted(
    checks: tuple[Check, ...],
    asks: tuple[Ask, ...],
    graph: GraphRules,
    needs: tuple[Need, ...],
    taken: Takes,
) -> frozenset[str]:
    conditions = [one for check in checks for one in check.predicate.conditions]
    conditions += [one for ask in asks for one in ask.when]
    seen = {fact for one in conditions if (fact := fact_of(one.path)) is not None}
    seen |= {need.fact for need in needs}
    seen |= set() if graph.any_class else {"node_classes"}
    seen |= {"unknown_classes"} if seen & set(SIZES) else set()
    seen |= {ESTIMATE} if taken.budgets else set()
    return frozenset(seen & {*FACTS, "queue_depth", ESTIMATE})
