"""For any policy and any question: order means nothing, and whatever is added only narrows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from comfy_mcp.guard.approvals import Approvals
from comfy_mcp.guard.catalog import ALIASES, TOOLS, canonical
from comfy_mcp.guard.comparison import comparison
from comfy_mcp.guard.decide import decide, grant_of, listed, prefix_for, walk, wanted
from comfy_mcp.guard.patterns import any_glob
from comfy_mcp.guard.policy import (
    Action,
    Approval,
    Condition,
    Globs,
    Gpu,
    GpuSeconds,
    Grant,
    Hide,
    Layer,
    Limit,
    Path,
    Place,
    Policy,
    PolicyFile,
    Predicate,
    Rule,
)
from comfy_mcp.guard.question import Decision, Effect, Question, Run
from comfy_mcp.workflow.facts import FACTS, Facts, JobFile, Model, Prefix, Unknown

FORCE = {Effect.ALLOW: 0, Effect.APPROVAL: 1, Effect.DENY: 2}
STRENGTH = {"elicitation": 0, "any": 1, "operator": 2}
CALLERS = ("ann", "bob", "eve")
AT_MS = 1_000

laws = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def mostly(common: Any, rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nine times of ten *common*, so that what is judged last is judged at all."""
    return st.integers(0, 9).flatmap(lambda drawn: rare if drawn == 9 else st.just(common))


# Policies. Pointers are numbered afterwards: in a file no two entries have the same.

names = st.sampled_from(
    [*TOOLS, *ALIASES, "*", "cancel_*", "run_*", "?un_workflow", "run_workflow", "make_coffee"]
)
paths = st.sampled_from(
    [
        *(Path(f"graph.{name}", "graph", (name,)) for name in sorted(FACTS)),
        *(Path(f"graph.{name}", "graph", (name,)) for name in ("queue_depth", "front")),
        Path("graph.estimated_seconds", "graph", ("estimated_seconds",)),
        Path("graph.models.loras", "graph", ("models", "loras")),
        Path("graph.node_classes[*]", "graph", ("node_classes", None)),
        Path("args.a", "args", ("a",)),
        Path("args.a.b", "args", ("a", "b")),
        Path("args.a[*]", "args", ("a", None)),
        Path("args.a[0]", "args", ("a", 0)),
        Path("job.owner", "job", ("owner",)),
        Path("grant.id", "grant", ("id",)),
        Path("grant.tags", "grant", ("tags",)),
        Path("time.hour", "time", ("hour",)),
    ]
)
operands: list[tuple[str, object]] = [
    *((op, 2) for op in ("eq", "neq", "lt", "lte", "gt", "gte")),
    *((op, "mine") for op in ("eq", "contains", "glob", "regex")),
    *((op, ["a", 2]) for op in ("in", "not_in", "subset_of")),
    ("exists", True),
    ("exists", False),
]
conditions = st.builds(
    lambda path, tested: Condition("", path, tested[0], tested[1], comparison(*tested)),
    paths,
    st.sampled_from(operands),
)
predicates = st.builds(Predicate, st.just(""), st.lists(conditions, max_size=2).map(tuple))
channels = st.sampled_from([None, "operator", "any", "elicitation"])
lives = st.sampled_from([None, 10_000, 86_400_000])
asks = st.builds(
    Approval,
    st.just(""),
    st.lists(conditions, max_size=2).map(tuple),
    channel=channels,
    expires_ms=lives,
)
approvals = st.none() | st.builds(Approvals, st.just(""), channels, lives)
limits = st.builds(
    Limit,
    st.just(""),
    st.sampled_from(["a", "b"]),
    st.integers(1, 9),
    st.integers(0, 9),
    st.sampled_from([1000, 90_000]),
    st.booleans(),
    st.booleans(),
    amount_from=st.none() | paths,
    refund=st.sampled_from(["never", "not_accepted", "failed"]),
)
globs = st.lists(st.sampled_from(["*", "K*", "x", "Odd", "*.pt"]), max_size=2).map(
    lambda patterns: Globs("", tuple(patterns), any_glob(patterns))
)
folders = st.lists(st.tuples(st.sampled_from(["*", "loras", "unet"]), globs), max_size=2).map(tuple)
numbers = st.sampled_from(
    ["steps", "total_steps", "width", "megapixels", "frames", "nodes", "bytes", "queue_depth"]
)
maxima = st.builds(
    Gpu,
    st.just(""),
    most=st.lists(st.tuples(numbers, st.integers(0, 3)), max_size=2).map(tuple),
    max_in_flight=st.none() | st.integers(0, 3),
    max_seconds_per_job_ms=st.none() | st.integers(1, 3000),
    gpu_seconds=st.lists(
        st.builds(GpuSeconds, st.just(""), st.integers(0, 10**9), st.sampled_from([1000, 2000])),
        max_size=2,
    ).map(tuple),
    deny_node_classes=st.none() | globs,
    allow_models=folders,
    deny_models=folders,
    output_prefix=st.sampled_from([None, None, "x", "{grant}/"]),
)
words = st.sampled_from([None, "deny", "approve", "allow"])
gpus = st.none() | st.builds(
    lambda block, allowed, owner, said: replace(
        block, allow_node_classes=allowed, ownership=owner, **said
    ),
    maxima,
    st.none() | globs,
    st.sampled_from([None, "own", "any"]),
    st.fixed_dictionaries(
        {
            "api_nodes": words,
            "queue_jump": words,
            "global_interrupt": words,
            "undetermined": words,
        }
    ),
)
actions = mostly(Action.ALLOW, st.sampled_from(Action))
entries = st.one_of(
    st.tuples(st.just(Place.TOOL), names),
    st.tuples(st.just(Place.CLASS), st.sampled_from(["read", "execute", "destructive"])),
    st.tuples(st.just(Place.ALL), st.just("*")),
)
rules = st.builds(
    lambda entry, action, limited, required, denied, approval, gpu: Rule(
        "", *entry, action, None, limited, required, denied, approval, gpu
    ),
    entries,
    actions,
    st.lists(limits, max_size=2).map(tuple),
    st.lists(predicates, max_size=1).map(tuple),
    st.lists(predicates, max_size=1).map(tuple),
    mostly(None, asks),
    st.none() | gpus,
)
hides = st.builds(Hide, st.just(""), names.filter(lambda name: name != "*"))
layers = st.builds(
    Layer,
    st.just(""),
    mostly(common=True, rare=st.booleans()),
    mostly((), st.lists(hides, max_size=1).map(tuple)),
    st.lists(rules, max_size=3).map(tuple),
    gpus,
)
grants = st.builds(
    lambda name, stdio, layer, expires_ms, revoked, tags: Grant(
        "", name, stdio or name, layer, expires_ms, revoked, tags
    ),
    st.sampled_from(CALLERS),
    mostly(None, st.sampled_from(CALLERS)),
    layers,
    mostly(None, st.sampled_from([AT_MS, AT_MS + 1])),
    mostly(common=False, rare=st.booleans()),
    st.sampled_from([(), ("a",), ("a", "mine")]),
)
files = st.builds(
    PolicyFile,
    where=st.just(""),
    layer=layers,
    grants=mostly(None, st.lists(grants, max_size=3).map(tuple)),
    approvals=approvals,
)
policies = st.lists(files, min_size=1, max_size=2).map(lambda found: Policy(tuple(found)))


def numbered_layer(layer: Layer, where: str) -> Layer:
    def gpu(block: Gpu | None, at: str) -> Gpu | None:
        if block is None:
            return None
        seconds = tuple(replace(one, where=f"{at}/{n}") for n, one in enumerate(block.gpu_seconds))
        return replace(block, where=at, gpu_seconds=seconds)

    def rule(one: Rule, at: str) -> Rule:
        return replace(
            one,
            where=at,
            limits=tuple(replace(each, where=f"{at}/l/{n}") for n, each in enumerate(one.limits)),
            require=tuple(replace(each, where=f"{at}/r/{n}") for n, each in enumerate(one.require)),
            deny_if=tuple(replace(each, where=f"{at}/d/{n}") for n, each in enumerate(one.deny_if)),
            approval=replace(one.approval, where=f"{at}/approval") if one.approval else None,
            gpu=gpu(one.gpu, f"{at}/gpu"),
        )

    return replace(
        layer,
        where=where,
        hide=tuple(replace(one, where=f"{where}/hide/{n}") for n, one in enumerate(layer.hide)),
        rules=tuple(rule(one, f"{where}/rules/{n}") for n, one in enumerate(layer.rules)),
        gpu=gpu(layer.gpu, f"{where}/gpu"),
    )


def numbered(policy: Policy) -> Policy:
    """*policy* with a pointer of its own for every entry."""

    def grant(one: Grant, at: str) -> Grant:
        return replace(one, where=at, layer=numbered_layer(one.layer, at))

    return Policy(
        tuple(
            replace(
                file,
                where=f"{n}#",
                layer=numbered_layer(file.layer, f"{n}#"),
                grants=None
                if file.grants is None
                else tuple(grant(one, f"{n}#/grants/{m}") for m, one in enumerate(file.grants)),
            )
            for n, file in enumerate(policy.files)
        )
    )


# Questions.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=2), below),
    max_leaves=6,
)
arguments = st.none() | st.dictionaries(st.sampled_from(["a", "b", "\ud800"]), json_values)
texts = mostly("x", st.sampled_from(["", "../x", "x.pt", "ann/x", "C:x"]) | st.text(max_size=5))
classes = st.dictionaries(st.sampled_from(["KSampler", "Odd", "\ud800"]), texts, max_size=2)
counts = st.integers(-1, 4)
facts = st.builds(
    Facts,
    **dict.fromkeys(("nodes", "bytes", "steps", "width", "height", "batch", "frames"), counts),
    total_steps=counts | st.just(10**30),
    megapixels=st.floats(0, 4) | st.sampled_from([float("nan"), float("inf")]),
    node_classes=classes,
    unknown_classes=classes,
    api_nodes=mostly({}, classes),
    models=st.dictionaries(
        st.sampled_from(["loras", "diffusion_models", "?"]),
        st.lists(st.builds(Model, texts, texts, texts, texts), max_size=2).map(tuple),
    ),
    output_prefixes=st.lists(st.builds(Prefix, texts, texts, texts, texts), max_size=2).map(tuple),
    where=st.dictionaries(st.sampled_from(["steps", "width"]), texts),
    undetermined=mostly(
        {},
        st.dictionaries(
            st.sampled_from(sorted(FACTS)),
            st.lists(st.builds(Unknown, texts, texts, texts, texts), max_size=1).map(tuple),
            max_size=2,
        ),
    ),
)
foreign = st.builds(JobFile, st.sampled_from(["output", "temp"]), texts, texts, texts, texts, texts)
measured = st.builds(
    Run,
    facts,
    st.none() | st.integers(0, 4),
    mostly((), foreign.map(lambda file: (file,))),
    st.none() | st.integers(-1, 9000),
    mostly(common=False, rare=st.booleans()),
)
questions = st.builds(
    Question,
    mostly("run_workflow", st.sampled_from([*TOOLS, *ALIASES]) | st.text(max_size=3)),
    mostly("ann", st.sampled_from(CALLERS) | st.text(max_size=2)),
    st.sampled_from(["stdio", "http"]),
    arguments,
    mostly(common=True, rare=st.booleans()),
    st.sampled_from([None, "mine", "other agent", "human"]) | st.text(max_size=2),
    st.booleans(),
    measured,
    st.just(AT_MS),
    st.sampled_from([{}, {"hour": 2}]),
)

policies = policies.map(numbered)
extra_rules = rules.map(lambda rule: numbered_layer(Layer(rules=(rule,)), "extra").rules[0])
extra_maxima = maxima.map(lambda gpu: numbered_layer(Layer(gpu=gpu), "extra").gpu)


# Narrowing.


def accounts(decision: Decision) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Amount and maximum of every account a call is charged in; GPU time is corrected later."""
    return {
        (limit.counter, limit.per_grant, limit.window_ms, limit.calendar): (
            0 if limit.refund == "settled" else limit.amount,
            limit.most,
        )
        for limit in decision.limits
    }


def assert_no_weaker(after: Decision, before: Decision) -> None:
    assert FORCE[after.effect] >= FORCE[before.effect]
    if after.effect is Effect.DENY:
        return
    assert_asks_no_less(after, before)
    held = accounts(after)
    for account, (amount, most) in accounts(before).items():
        assert held[account][0] >= amount
        assert held[account][1] <= most
    assert set(before.slots) <= set(after.slots)
    if before.job_ms is not None:
        assert after.job_ms is not None
        assert after.job_ms.value <= before.job_ms.value


def assert_asks_no_less(after: Decision, before: Decision) -> None:
    """Whoever had to be asked still has to be, and nobody weaker, and no longer."""
    if before.asking is not None:
        assert after.asking is not None
        assert STRENGTH[after.asking.channel] >= STRENGTH[before.asking.channel]
        assert after.asking.lives_ms <= before.asking.lives_ms
        assert before.asking.reasons.items() <= after.asking.reasons.items()


def with_layer(policy: Policy, **more: tuple[Any, ...]) -> Policy:
    """*policy* with *more* in the layer of its first file."""
    first, *others = policy.files
    added = {key: (*getattr(first.layer, key), *values) for key, values in more.items()}
    return Policy((replace(first, layer=replace(first.layer, **added)), *others))


def silent(rule: Rule) -> Rule:
    """*rule* without what may loosen: words of ``gpu``, and classes that it vouches for."""
    if rule.gpu is None:
        return rule
    keys = ("ownership", "api_nodes", "queue_jump", "global_interrupt", "undetermined")
    return replace(rule, gpu=replace(rule.gpu, allow_node_classes=None, **dict.fromkeys(keys)))


@given(policies, questions)
@laws
def test_every_question_has_an_answer_that_can_be_told(policy: Policy, question: Question) -> None:
    decision = decide(policy, question)
    assert decision == decide(policy, question)
    assert decision.reason
    assert decision.reason.isprintable()
    assert (decision.code == "allowed") == (decision.effect is Effect.ALLOW)
    assert (decision.code == "approval_required") == (decision.effect is Effect.APPROVAL)
    assert (decision.asking is not None) == (decision.effect is Effect.APPROVAL)
    assert decision.effect is not Effect.DENY or decision.limits == ()
    assert all(0 <= limit.amount <= 10**18 + 1 for limit in decision.limits)
    json.dumps(decision.fix, allow_nan=False)


@given(policies, questions)
@laws
def test_a_walk_decides_where_the_decision_does(policy: Policy, question: Question) -> None:
    decision, steps = decide(policy, question), walk(policy, question)
    [decided] = [one for one in steps if one.verdict == "decided"]
    assert (decided.step, decided.rule, decided.words) == (
        decision.step,
        decision.hidden_by or decision.rule,
        decision.reason,
    )
    before = steps[: steps.index(decided)]
    assert {one.verdict for one in before} <= {"passed", "not asked"}
    assert {one.verdict for one in steps[len(before) + 1 :]} <= {"not asked"}


@given(policies, questions, st.randoms(use_true_random=False))
@laws
def test_neither_the_order_of_files_nor_of_entries_matters(
    policy: Policy, question: Question, random: Any
) -> None:
    def mixed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    def shuffled(layer: Layer) -> Layer:
        return replace(layer, hide=mixed(layer.hide), rules=mixed(layer.rules))

    other = Policy(
        tuple(
            replace(
                file,
                layer=shuffled(file.layer),
                grants=None
                if file.grants is None
                else mixed(tuple(replace(one, layer=shuffled(one.layer)) for one in file.grants)),
            )
            for file in mixed(policy.files)
        )
    )
    one, two = decide(other, question), decide(policy, question)
    assert one == two
    if one.asking is not None and two.asking is not None:
        assert list(one.asking.reasons) == list(two.asking.reasons)
    assert wanted(other, question.tool, question.identity) == wanted(
        policy, question.tool, question.identity
    )


@given(policies, questions, extra_rules)
@laws
def test_one_more_rule_never_widens(policy: Policy, question: Question, rule: Rule) -> None:
    before = decide(policy, question)
    # What a rule of tools lists is no longer denied by default: that is how it is allowed.
    assume(rule.place is not Place.TOOL or before.step != "default")
    assert_no_weaker(decide(with_layer(policy, rules=(silent(rule),)), question), before)


@given(policies, questions, hides)
@laws
def test_one_more_hide_never_widens(policy: Policy, question: Question, hide: Hide) -> None:
    more = with_layer(policy, hide=(replace(hide, where="extra"),))
    assert_no_weaker(decide(more, question), decide(policy, question))


@given(policies, questions, extra_maxima)
@laws
def test_one_more_gpu_maximum_never_widens(policy: Policy, question: Question, gpu: Gpu) -> None:
    everywhere = Rule("extra", Place.ALL, "*", gpu=gpu)
    assert_no_weaker(
        decide(with_layer(policy, rules=(everywhere,)), question), decide(policy, question)
    )


@given(policies, questions, grants)
@laws
def test_one_more_grant_never_widens_what_a_known_caller_may(
    policy: Policy, question: Question, grant: Grant
) -> None:
    # A caller that was unknown may be known now; nobody else gains by that.
    assume(grant_of(policy, question.identity, AT_MS) is not None)
    silenced = replace(grant.layer, rules=tuple(map(silent, grant.layer.rules)), gpu=None)
    added = replace(grant, where="extra", layer=numbered_layer(silenced, "extra"))
    first, *others = policy.files
    more = Policy((replace(first, grants=(*(first.grants or ()), added)), *others))
    before, after = decide(policy, question), decide(more, question)
    if after.grant == before.grant:
        assert_no_weaker(after, before)
    else:
        assert FORCE[after.effect] >= FORCE[before.effect]


@given(policies, questions, layers)
@laws
def test_a_file_without_tools_allows_nothing_that_was_denied(
    policy: Policy, question: Question, layer: Layer
) -> None:
    kept = tuple(silent(rule) for rule in layer.rules if rule.place is not Place.TOOL)
    file = PolicyFile("9#", layer=numbered_layer(replace(layer, rules=kept, gpu=None), "9#"))
    more = Policy((*policy.files, file))
    assert_no_weaker(decide(more, question), decide(policy, question))


@given(policies, questions)
@laws
def test_knowing_more_never_takes_a_denial_back(policy: Policy, question: Question) -> None:
    early = replace(question, args=None, final=False)
    checked = replace(question, final=False)
    final = replace(question, final=True)
    known = [decide(policy, each).effect for each in (early, checked, final)]
    if known[0] is Effect.DENY:
        assert known[1] is Effect.DENY
    if known[1] is Effect.DENY:
        assert known[2] is Effect.DENY


@given(policies, questions)
@laws
def test_knowing_more_never_takes_a_question_to_a_person_back(
    policy: Policy, question: Question
) -> None:
    checked = decide(policy, replace(question, final=False))
    final = decide(policy, replace(question, final=True))
    if final.effect is not Effect.DENY:
        assert_asks_no_less(final, checked)


# Asking people.


@given(policies, questions, asks)
@laws
def test_asking_a_person_about_everything_lets_nothing_through_and_refuses_nothing(
    policy: Policy, question: Question, ask: Approval
) -> None:
    everywhere = Rule(
        "extra", Place.ALL, "*", approval=replace(ask, where="extra/approval", when=())
    )
    before = decide(policy, question)
    after = decide(with_layer(policy, rules=(everywhere,)), question)
    assert (after.effect is Effect.DENY) == (before.effect is Effect.DENY)
    if after.effect is Effect.DENY:
        assert after == before
    else:
        assert after.effect is Effect.APPROVAL
        assert_no_weaker(after, before)


@given(policies, questions)
@laws
def test_the_first_of_the_reasons_to_ask_is_the_one_that_is_told(
    policy: Policy, question: Question
) -> None:
    decision = decide(policy, question)
    if decision.asking is not None:
        assert next(iter(decision.asking.reasons.items())) == (decision.rule, decision.reason)
        assert all(words.isprintable() for words in decision.asking.reasons.values())
        assert 10_000 <= decision.asking.lives_ms <= 86_400_000


@given(policies, questions, approvals)
@laws
def test_what_one_more_file_says_about_asking_never_weakens_what_others_ask(
    policy: Policy, question: Question, said: Approvals | None
) -> None:
    more = Policy((*policy.files, PolicyFile("9#", "", Layer(default_allow=True), approvals=said)))
    before, after = decide(policy, question), decide(more, question)
    assert (after.effect, after.rule, after.reason) == (before.effect, before.rule, before.reason)
    assert_asks_no_less(after, before)


# Lists, aliases, facts.


@given(policies, st.sampled_from([*TOOLS]), st.sampled_from([*CALLERS, "x"]), questions)
@laws
def test_what_may_be_called_is_listed_and_what_is_not_listed_may_not(
    policy: Policy, tool: str, identity: str, question: Question
) -> None:
    decision = decide(policy, replace(question, tool=tool, identity=identity))
    shown = listed(policy, tool, identity, AT_MS)
    assert shown == (decision.step not in {"identity", "tool", "hide", "default"})


@given(policies, questions, st.sampled_from([*ALIASES]))
@laws
def test_an_alias_fares_as_its_tool(policy: Policy, question: Question, alias: str) -> None:
    one = decide(policy, replace(question, tool=alias))
    two = decide(policy, replace(question, tool=canonical(alias)))
    assert (one.effect, one.code, one.rule, accounts(one)) == (
        two.effect,
        two.code,
        two.rule,
        accounts(two),
    )


@given(policies, questions)
@laws
def test_a_fact_that_is_not_wanted_decides_nothing(policy: Policy, question: Question) -> None:
    """What was left unmeasured, because nobody wanted it, may be anything."""
    assume(question.run is not None)
    run = question.run
    assert run is not None
    asked = wanted(policy, question.tool, question.identity)
    blank = Facts()
    kept = {name: getattr(run.facts if name in asked else blank, name) for name in FACTS}
    less = replace(
        run,
        facts=replace(
            run.facts,
            **kept,
            undetermined={
                name: causes for name, causes in run.facts.undetermined.items() if name in asked
            },
        ),
        queue_depth=run.queue_depth if "queue_depth" in asked else None,
        estimate_ms=run.estimate_ms if "estimate" in asked else None,
        foreign=run.foreign if "job_files" in asked else (),
    )
    one, two = decide(policy, question), decide(policy, replace(question, run=less))
    assert (one.effect, one.code, one.rule) == (two.effect, two.code, two.rule)


@given(policies, st.sampled_from(CALLERS))
@laws
def test_what_begins_with_the_prefix_that_is_told_passes_unless_prefixes_are_at_odds(
    policy: Policy, identity: str
) -> None:
    told = prefix_for(policy, "run_workflow", identity)
    saved = Prefix(f"{told.text if told else ''}x", "9", "SaveImage", "filename_prefix")
    question = Question(
        "run_workflow", identity, final=True, run=Run(Facts(output_prefixes=(saved,)))
    )
    decision = decide(policy, question)
    if decision.code == "output_path":
        assert told is not None
        assert decision.rule != told.rule
