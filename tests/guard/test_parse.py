"""A policy file is read strictly: every fault at once, each with its pointer, cause and fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.errors import Fault
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.policy import Action, Gpu, Limit, Place, PolicyFile
from comfy_mcp.guard.vocabulary import APPROVAL, FILE, GPU, LIMIT, RATE, RULE, Keys

FIXTURES = Path(__file__).parents[1] / "fixtures"
SCHEMA = json.loads((FIXTURES / "policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
UNIT = 1_000_000


def policy(**keys: Any) -> dict[str, Any]:
    return {"version": "1", "default": "deny", **keys}


def with_rule(rule: Any) -> dict[str, Any]:
    return policy(tools={"run_workflow": rule})


def with_limit(**keys: Any) -> dict[str, Any]:
    return with_rule({"limits": [{"counter": "c", "window": "minute", "max": 10, **keys}]})


def good(document: dict[str, Any]) -> PolicyFile:
    file, faults = read_policy(json.dumps(document))
    assert faults == ()
    VALIDATOR.validate(document)
    return file


def bad(document: Any) -> dict[str, Fault]:
    _, faults = read_policy(json.dumps(document))
    assert faults
    for fault in faults:
        assert fault.cause.endswith(".")
        assert fault.fix
    return {fault.where: fault for fault in faults}


def one_limit(document: dict[str, Any]) -> Limit:
    [rule] = good(document).rules
    [limit] = rule.limits
    return limit


# What is accepted, and what it means.


@pytest.mark.parametrize("path", sorted((FIXTURES / "policies").iterdir()), ids=lambda p: p.stem)
def test_the_published_policies_are_read_verbatim(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert read_policy(text)[1] == ()
    VALIDATOR.validate(json.loads(text))


def test_the_least_policy_denies_by_default() -> None:
    file = good({"version": "1"})
    assert file == PolicyFile()


def test_every_part_of_a_file_becomes_a_value() -> None:
    file = good(
        policy(
            **{"$schema": "x"},
            description="mine",
            hide=["cancel_job", "*"],
            tools={"run_*": {}},
            classes={"read": {"action": "deny", "reason": "no"}},
            all_tools={"action": "require_approval"},
            gpu={"max_in_flight": 0, "ownership": "own"},
        )
    )
    assert file.description == "mine"
    assert [(hide.where, hide.match) for hide in file.hide] == [
        ("/hide/0", "cancel_job"),
        ("/hide/1", "*"),
    ]
    assert [(rule.where, rule.place, rule.match, rule.action) for rule in file.rules] == [
        ("/tools/run_*", Place.TOOL, "run_*", Action.ALLOW),
        ("/classes/read", Place.CLASS, "read", Action.DENY),
        ("/all_tools", Place.ALL, "*", Action.APPROVAL),
    ]
    assert file.rules[1].reason == "no"
    assert file.gpu == Gpu("/gpu", 0)
    assert file.lists


def test_pointers_begin_with_the_files_name_among_several_files() -> None:
    file, _ = read_policy(json.dumps(with_limit()), "studio.json#")
    assert file.rules[0].limits[0].where == "studio.json#/tools/run_workflow/limits/0"


def test_a_limit_has_its_meaning_in_milliseconds_and_millionths() -> None:
    assert one_limit(with_limit(max=2.5, increment=0.000001)) == Limit(
        "/tools/run_workflow/limits/0", "c", 1, 2_500_000, 60_000
    )


@pytest.mark.parametrize(
    ("window", "window_ms"),
    [("second", 1000), ("hour", 3_600_000), ("week", 604_800_000), (90, 90_000), (1, 1000)],
)
def test_a_window_is_a_word_or_seconds(window: Any, window_ms: int) -> None:
    assert one_limit(with_limit(window=window)).window_ms == window_ms


@pytest.mark.parametrize(
    ("scope", "per_grant"),
    [("grant", True), ("session", True), ("global", False), ("server", False)],
)
def test_a_session_counts_as_a_grant_and_a_server_is_everybody(scope: str, per_grant: bool) -> None:
    assert one_limit(with_limit(scope=scope)).per_grant is per_grant


def test_only_fixed_windows_follow_the_calendar() -> None:
    assert one_limit(with_limit(algorithm="fixed")).calendar
    assert not one_limit(with_limit(algorithm="rolling")).calendar
    assert not one_limit(with_limit()).calendar


def test_a_rate_is_a_rolling_limit_with_a_counter_named_for_its_place() -> None:
    where = "/tools/run_workflow/rate_limit"
    expected = Limit(where, "rate:run_workflow:60s", UNIT, 10 * UNIT, 60_000)
    assert one_limit(with_rule({"rate_limit": "10/minute"})) == expected
    assert one_limit(with_rule({"rate_limit": {"max": 10, "window": 60}})) == expected
    shared = one_limit(with_rule({"rate_limit": {"max": 0, "window": "day", "scope": "server"}}))
    assert (shared.counter, shared.most, shared.per_grant) == ("rate:run_workflow:86400s", 0, False)
    [rule] = good(policy(all_tools={"rate_limit": "1/second"})).rules
    assert rule.limits[0].counter == "rate:all_tools:1s"
    [rule] = good(policy(classes={"read": {"rate_limit": "1/hour"}})).rules
    assert rule.limits[0].counter == "rate:classes/read:3600s"


@pytest.mark.parametrize(
    ("rule", "action", "reason"),
    [
        ({"require_approval": True, "reason": "a"}, Action.APPROVAL, "a"),
        ({"require_approval": {}, "on_deny": "a"}, Action.APPROVAL, "a"),
        ({"require_approval": {"reason": "b"}, "reason": "a"}, Action.APPROVAL, "b"),
        ({"require_approval": False}, Action.ALLOW, None),
        ({"require_approval": True, "action": "allow"}, Action.APPROVAL, None),
        ({"action": "require_approval"}, Action.APPROVAL, None),
    ],
)
def test_every_way_to_ask_for_a_person_means_the_same(
    rule: dict[str, Any], action: Action, reason: str | None
) -> None:
    [found] = good(with_rule(rule)).rules
    assert (found.action, found.reason) == (action, reason)


# What is refused.


@pytest.mark.parametrize("document", [[], "1", 1, None, True])
def test_a_policy_is_an_object(document: Any) -> None:
    assert "expected an object" in bad(document)[""].cause


def test_the_version_is_the_string_one_and_cannot_be_missing() -> None:
    assert '"version" is missing' in bad({"default": "deny"})[""].cause
    assert "with the quotes" in bad({"version": 1})["/version"].fix
    assert bad({"version": "2"})["/version"]


def test_an_unknown_key_is_told_with_the_nearest_name_at_every_level() -> None:
    faults = bad(
        {
            "version": "1",
            "tolls": {},
            "gpu": {"max_inflight": 1},
            "classes": {"reed": {}},
            "tools": {
                "get_job": {
                    "rate_limt": "1/minute",
                    "rate_limit": {"max": 1, "window": 1, "scop": "grant"},
                    "limits": [{"counter": "c", "window": 1, "max": 1, "algoritm": "fixed"}],
                    "require_approval": {"raeson": "x"},
                }
            },
        }
    )
    assert {where: fault.fix for where, fault in faults.items()} == {
        "/tolls": 'Did you mean "tools"?',
        "/gpu/max_inflight": 'Did you mean "max_in_flight"?',
        "/classes/reed": 'Did you mean "read"?',
        "/tools/get_job/rate_limt": 'Did you mean "rate_limit"?',
        "/tools/get_job/rate_limit/scop": 'Did you mean "scope"?',
        "/tools/get_job/limits/0/algoritm": 'Did you mean "algorithm"?',
        "/tools/get_job/require_approval/raeson": 'Did you mean "reason"?',
    }


def test_an_unknown_key_near_to_nothing_lists_what_there_is() -> None:
    assert '"tools"' in bad(policy(zzzzzz=1))["/zzzzzz"].fix


LATER = [
    *((f"/{key}", policy(**{key: {}})) for key in sorted(FILE.later)),
    *((f"/gpu/{key}", policy(gpu={key: 1})) for key in sorted(GPU.later)),
    *((f"/tools/run_workflow/{key}", with_rule({key: []})) for key in sorted(RULE.later)),
    *((f"/tools/run_workflow/limits/0/{k}", with_limit(**{k: "x"})) for k in sorted(LIMIT.later)),
    *(
        (f"/tools/run_workflow/require_approval/{key}", with_rule({"require_approval": {key: 1}}))
        for key in sorted(APPROVAL.later)
    ),
    ("/gpu/ownership", policy(gpu={"ownership": "any"})),
    *(("/gpu/queue_jump", policy(gpu={"queue_jump": word})) for word in ("approve", "allow")),
    *(
        ("/gpu/global_interrupt", policy(gpu={"global_interrupt": word}))
        for word in ("approve", "allow")
    ),
]


@pytest.mark.parametrize(("where", "document"), LATER, ids=[where for where, _ in LATER])
def test_what_a_later_version_will_have_is_an_error_now(
    where: str, document: dict[str, Any]
) -> None:
    faults = bad(document)
    assert list(faults) == [where]
    assert "is not supported by this version yet." in faults[where].cause
    assert "emove it" in faults[where].fix


@pytest.mark.parametrize(
    ("keys", "definition"),
    [
        (FILE, SCHEMA),
        (RULE, SCHEMA["$defs"]["toolRule"]),
        (LIMIT, SCHEMA["$defs"]["limit"]),
        (RATE, SCHEMA["$defs"]["rateLimit"]["oneOf"][1]),
        (APPROVAL, SCHEMA["$defs"]["approval"]["oneOf"][1]),
        (GPU, SCHEMA["$defs"]["gpu"]),
    ],
    ids=["file", "rule", "limit", "rate", "approval", "gpu"],
)
def test_every_key_of_the_schema_is_supported_or_said_to_come(
    keys: Keys, definition: dict[str, Any]
) -> None:
    assert keys.now | keys.later == set(definition["properties"])
    assert not keys.now & keys.later


WRONG: list[tuple[str, Any]] = [
    ("/default", policy(default="Deny")),
    ("/default", policy(default=True)),
    ("/default", policy(default=None)),
    ("/description", policy(description=1)),
    ("/description", policy(description="x" * 2001)),
    ("/$schema", policy(**{"$schema": {}})),
    ("/hide", policy(hide="cancel_job")),
    ("/hide/0", policy(hide=[1])),
    ("/hide/0", policy(hide=[""])),
    ("/hide/0", policy(hide=["cancel job"])),
    ("/hide/0", policy(hide=["cancel_job\n"])),
    ("/hide/0", policy(hide=["x" * 129])),
    ("/hide/1", policy(hide=["get_job", "get_job"])),
    ("/tools", policy(tools=[])),
    ("/tools/a b", policy(tools={"a b": {}})),
    ("/tools/", policy(tools={"": {}})),
    ("/tools/run_workflow", with_rule(None)),
    ("/tools/run_workflow", with_rule(True)),
    ("/tools/run_workflow", with_rule([])),
    ("/tools/run_workflow/rules", with_rule({"rules": []})),
    ("/tools/run_workflow/action", with_rule({"action": "Deny"})),
    ("/tools/run_workflow/action", with_rule({"action": False})),
    ("/tools/run_workflow/reason", with_rule({"reason": "x" * 501})),
    ("/tools/run_workflow/reason", with_rule({"reason": 5})),
    ("/tools/run_workflow/on_deny", with_rule({"reason": "a", "on_deny": "b"})),
    ("/tools/run_workflow/limits", with_rule({"action": "deny", "limits": []})),
    ("/tools/run_workflow/rate_limit", with_rule({"action": "deny", "rate_limit": "1/day"})),
    (
        "/tools/run_workflow/require_approval",
        with_rule({"action": "deny", "require_approval": True}),
    ),
    (
        "/tools/run_workflow/require_approval",
        with_rule({"action": "require_approval", "require_approval": False}),
    ),
    ("/tools/run_workflow/require_approval", with_rule({"require_approval": "yes"})),
    ("/tools/run_workflow/require_approval", with_rule({"require_approval": 1})),
    ("/tools/run_workflow/limits", with_rule({"limits": {}})),
    ("/tools/run_workflow/limits/0", with_rule({"limits": ["10/minute"]})),
    ("/tools/run_workflow/limits/0", with_rule({"limits": [{"counter": "c", "window": 1}]})),
    ("/tools/run_workflow/limits/0/counter", with_limit(counter="")),
    ("/tools/run_workflow/limits/0/counter", with_limit(counter="a b")),
    ("/tools/run_workflow/limits/0/counter", with_limit(counter=1)),
    ("/tools/run_workflow/limits/0/window", with_limit(window="minutes")),
    ("/tools/run_workflow/limits/0/window", with_limit(window=0)),
    ("/tools/run_workflow/limits/0/window", with_limit(window=2_678_401)),
    ("/tools/run_workflow/limits/0/window", with_limit(window=1.5)),
    ("/tools/run_workflow/limits/0/window", with_limit(window=True)),
    ("/tools/run_workflow/limits/0/window", with_limit(window=None)),
    ("/tools/run_workflow/limits/0/max", with_limit(max=-1)),
    ("/tools/run_workflow/limits/0/max", with_limit(max=True)),
    ("/tools/run_workflow/limits/0/max", with_limit(max="10")),
    ("/tools/run_workflow/limits/0/max", with_limit(max=10**13)),
    ("/tools/run_workflow/limits/0/max", with_limit(max=10**3000)),
    ("/tools/run_workflow/limits/0/max", with_limit(max=0.0000001)),
    ("/tools/run_workflow/limits/0/increment", with_limit(increment=0)),
    ("/tools/run_workflow/limits/0/increment", with_limit(increment=-1)),
    ("/tools/run_workflow/limits/0/increment", with_limit(increment=1e-300)),
    ("/tools/run_workflow/limits/0/increment", with_limit(increment=None)),
    ("/tools/run_workflow/limits/0/scope", with_limit(scope="everybody")),
    ("/tools/run_workflow/limits/0/algorithm", with_limit(algorithm="sliding")),
    ("/tools/run_workflow/limits/0/name", with_limit(name=1)),
    ("/tools/run_workflow/limits/0/on_deny", with_limit(reason="a", on_deny="b")),
    ("/tools/run_workflow/rate_limit", with_rule({"rate_limit": "10/fortnight"})),
    ("/tools/run_workflow/rate_limit", with_rule({"rate_limit": "0/minute"})),
    ("/tools/run_workflow/rate_limit", with_rule({"rate_limit": "10/minute\n"})),
    ("/tools/run_workflow/rate_limit", with_rule({"rate_limit": "9" * 5000 + "/minute"})),
    ("/tools/run_workflow/rate_limit", with_rule({"rate_limit": 10})),
    ("/tools/run_workflow/rate_limit", with_rule({"rate_limit": {"max": 1}})),
    (
        "/tools/run_workflow/rate_limit/max",
        with_rule({"rate_limit": {"max": 1.5, "window": 60}}),
    ),
    ("/gpu", policy(gpu=[])),
    ("/gpu/max_in_flight", policy(gpu={"max_in_flight": -1})),
    ("/gpu/max_in_flight", policy(gpu={"max_in_flight": 2.0})),
    ("/gpu/max_in_flight", policy(gpu={"max_in_flight": False})),
    ("/gpu/ownership", policy(gpu={"ownership": "mine"})),
    ("/gpu/queue_jump", policy(gpu={"queue_jump": None})),
]


@pytest.mark.parametrize(("where", "document"), WRONG)
def test_a_wrong_value_is_one_fault_at_its_place(where: str, document: Any) -> None:
    assert list(bad(document)) == [where]


def test_all_faults_are_told_at_once() -> None:
    faults = bad({"default": 1, "hide": [2], "tools": {"x": {"limits": [{}]}}, "gpu": {"a": 1}})
    assert set(faults) == {"", "/default", "/hide/0", "/tools/x/limits/0", "/gpu/a"}


# The published schema accepts whatever is accepted here.

words = st.sampled_from(
    ["1", "allow", "deny", "grant", "everybody", "minute", "own", "any", "*", "c.d", "10/minute"]
)
values = st.one_of(
    words,
    st.integers(-1, 100),
    st.sampled_from([0.5, 1.0, 1e-9, True, False, None, 2_678_400, 2_678_401]),
    st.text(max_size=3),
    st.just("x" * 501),
)


def objects(keys: Keys, usual: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Objects of usual members, one in ten of them with a strange one."""
    strange = st.sampled_from([*sorted(keys.now), *sorted(keys.later), "zzz"])
    return st.builds(
        lambda base, key, value, die: base if die else {**base, key: value},
        st.fixed_dictionaries({}, optional=usual),
        strange,
        values,
        st.integers(0, 9).map(bool),
    )


windows = st.sampled_from(["minute", "day", 60, 1])
maxima = st.sampled_from([0, 10, 2.5, 10**12])
scopes = st.sampled_from(["grant", "session", "global", "server"])
limits = st.builds(
    lambda base, rest: {**base, **rest},
    st.fixed_dictionaries({"counter": st.just("c"), "window": windows, "max": maxima}),
    objects(
        LIMIT,
        {
            "scope": scopes,
            "increment": st.sampled_from([1, 0.25]),
            "algorithm": st.sampled_from(["rolling", "fixed"]),
            "name": st.text(max_size=3),
            "reason": st.text(max_size=3),
        },
    ),
)
rates = st.one_of(
    st.sampled_from(["10/minute", "1/week"]),
    st.fixed_dictionaries(
        {"max": st.sampled_from([0, 10]), "window": windows}, optional={"scope": scopes}
    ),
)
rules = objects(
    RULE,
    {
        "action": st.sampled_from(["allow", "deny", "require_approval"]),
        "reason": st.text(max_size=3),
        "limits": st.lists(limits, max_size=2),
        "rate_limit": rates,
        "require_approval": st.one_of(st.booleans(), objects(APPROVAL, {"reason": st.just("r")})),
    },
)
patterns = st.sampled_from(["cancel_job", "run_*", "*", "?", "a/b", "get_job", "a-b.c", "a b"])
documents = st.builds(
    lambda version, rest: {**version, **rest},
    st.just({"version": "1"}),
    objects(
        FILE,
        {
            "default": st.sampled_from(["allow", "deny"]),
            "hide": st.lists(patterns, max_size=3),
            "tools": st.dictionaries(patterns, rules, max_size=3),
            "classes": st.dictionaries(st.sampled_from(["read", "write"]), rules, max_size=2),
            "all_tools": rules,
            "gpu": objects(GPU, {"max_in_flight": st.integers(0, 3), "ownership": st.just("own")}),
        },
    ),
)


@given(documents)
@settings(max_examples=400)
def test_whatever_is_accepted_is_accepted_by_the_published_schema(document: Any) -> None:
    _, faults = read_policy(json.dumps(document))
    if not faults:
        VALIDATOR.validate(document)


def test_what_the_schema_refuses_is_refused() -> None:
    refused = [(where, doc) for where, doc in WRONG if not VALIDATOR.is_valid(doc)]
    assert len(refused) > 50
    for _, document in refused:
        assert read_policy(json.dumps(document))[1]
