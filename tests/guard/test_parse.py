"""What a policy file says becomes values."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.guard.approvals import Approvals
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.policy import (
    Action,
    Approval,
    Denials,
    Gpu,
    GpuSeconds,
    Grant,
    Layer,
    Limit,
    Place,
    PolicyFile,
    Rule,
)
from comfy_mcp.guard.policy import (
    Path as PolicyPath,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
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
    return file


def one_rule(document: dict[str, Any]) -> Rule:
    [rule] = good(document).layer.rules
    return rule


def one_limit(document: dict[str, Any]) -> Limit:
    rule = one_rule(document)
    [limit] = rule.limits
    return limit


@pytest.mark.parametrize("path", sorted((FIXTURES / "policies").iterdir()), ids=lambda p: p.stem)
def test_the_published_policies_are_read_verbatim(path: Path) -> None:
    assert read_policy(path.read_text(encoding="utf-8"))[1] == ()


def test_the_least_policy_denies_by_default() -> None:
    file = good({"version": "1"})
    assert file == PolicyFile()
    assert file.grants is None


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
    assert [(hide.where, hide.match) for hide in file.layer.hide] == [
        ("/hide/0", "cancel_job"),
        ("/hide/1", "*"),
    ]
    assert [(rule.where, rule.place, rule.match, rule.action) for rule in file.layer.rules] == [
        ("/tools/run_*", Place.TOOL, "run_*", Action.ALLOW),
        ("/classes/read", Place.CLASS, "read", Action.DENY),
        ("/all_tools", Place.ALL, "*", Action.APPROVAL),
    ]
    assert file.layer.rules[1].reason == "no"
    assert file.layer.gpu == Gpu("/gpu", max_in_flight=0, ownership="own")
    assert file.lists


def test_pointers_begin_with_the_files_name_among_several_files() -> None:
    file, _ = read_policy(json.dumps(with_limit()), "studio.json#")
    assert file.layer.rules[0].limits[0].where == "studio.json#/tools/run_workflow/limits/0"


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
    rule = one_rule(policy(all_tools={"rate_limit": "1/second"}))
    assert rule.limits[0].counter == "rate:all_tools:1s"
    rule = one_rule(policy(classes={"read": {"rate_limit": "1/hour"}}))
    assert rule.limits[0].counter == "rate:classes/read:3600s"


WHERE = "/tools/run_workflow"


@pytest.mark.parametrize(
    ("rule", "where", "reason"),
    [
        ({"require_approval": True, "reason": "a"}, "require_approval", "a"),
        ({"require_approval": {}, "on_deny": "a"}, "require_approval", "a"),
        ({"require_approval": {"reason": "b"}, "reason": "a"}, "require_approval", "b"),
        ({"require_approval": {"when": []}}, "require_approval", None),
        ({"require_approval": True, "action": "allow"}, "require_approval", None),
        ({"action": "require_approval", "reason": "a"}, "action", "a"),
        ({"action": "require_approval", "require_approval": {}}, "require_approval", None),
    ],
)
def test_every_way_to_ask_for_a_person_means_the_same(
    rule: dict[str, Any], where: str, reason: str | None
) -> None:
    found = one_rule(with_rule(rule))
    assert found.action is Action.APPROVAL
    assert found.approval == Approval(f"{WHERE}/{where}", (), reason)
    assert found.reason == rule.get("reason", rule.get("on_deny"))


def test_nobody_is_asked_where_the_rule_says_false() -> None:
    found = one_rule(with_rule({"require_approval": False}))
    assert (found.action, found.approval) == (Action.ALLOW, None)


def test_a_person_may_be_asked_only_of_some_calls() -> None:
    when = [{"path": "graph.megapixels", "op": "gt", "value": 4}]
    found = one_rule(with_rule({"require_approval": {"when": when, "reason": "big"}}))
    assert found.action is Action.ALLOW
    assert found.approval is not None
    [condition] = found.approval.when
    assert condition.where == f"{WHERE}/require_approval/when/0"
    assert condition.holds(4.1)


def test_an_approval_says_who_answers_and_how_long_that_holds() -> None:
    said = {"channel": "elicitation", "expires": 90, "max_uses": 1}
    found = one_rule(with_rule({"require_approval": said}))
    where = f"{WHERE}/require_approval"
    assert found.approval == Approval(where, channel="elicitation", expires_ms=90_000)


def test_a_file_says_how_people_are_asked() -> None:
    said = {
        "channel": "any",
        "expires": 10,
        "max_pending": 100,
        "wait_s": 50,
        "webhook": "http://h",
    }
    assert good(policy(approvals=said)).approvals == Approvals(
        "/approvals", "any", 10_000, 100, 50_000, "http://h"
    )
    assert good(policy(approvals={})).approvals == Approvals("/approvals")
    assert good(policy()).approvals is None


@pytest.mark.parametrize(
    "url",
    [
        *("https://ntfy.sh/my-topic?tpl=yes&title=%7B%7B.title%7D%7D", "http://127.0.0.1:8080"),
        *("https://hooks.slack.com/services/T0/B0/x~y", "http://[::1]:65535/@me:x", "http://nas/"),
        *("https://xn--bcher-kva.example?x=@", f"https://h/{'x' * 1990}"),
    ],
)
def test_a_webhook_is_taken_as_it_is_written(url: str) -> None:
    found = good(policy(approvals={"webhook": url})).approvals
    assert found is not None
    assert found.webhook == url


def test_a_rule_can_require_and_deny() -> None:
    steps = {"path": "gpu.steps", "op": "lte", "value": 30, "name": "few steps"}
    pairs = {"name": "p", "conditions": [steps, steps], "on_deny": "Too many."}
    found = one_rule(with_rule({"require": [steps, pairs], "deny_if": [{"conditions": []}]}))
    bare, named = found.require
    assert (bare.where, bare.name, bare.reason) == (f"{WHERE}/require/0", "few steps", None)
    assert (named.where, named.name, named.reason) == (f"{WHERE}/require/1", "p", "Too many.")
    assert [one.where for one in (*bare.conditions, *named.conditions)] == [
        f"{WHERE}/require/0",
        f"{WHERE}/require/1/conditions/0",
        f"{WHERE}/require/1/conditions/1",
    ]
    assert bare.conditions[0].path == PolicyPath("gpu.steps", "graph", ("steps",))
    assert bare.conditions[0].holds(30)
    assert found.deny_if[0].conditions == ()


@pytest.mark.parametrize(
    ("text", "space", "steps"),
    [
        ("args.prompt", "args", ("prompt",)),
        ("args.params.3.x_y", "args", ("params", "3", "x_y")),
        ("args.list[0][*].name", "args", ("list", 0, None, "name")),
        ("graph.node_classes[*]", "graph", ("node_classes", None)),
        ("gpu.models.loras[2]", "graph", ("models", "loras", 2)),
        ("graph.models", "graph", ("models",)),
        ("job.owner", "job", ("owner",)),
        ("grant.tags[*]", "grant", ("tags", None)),
        ("time.utc_hour", "time", ("utc_hour",)),
    ],
)
def test_a_path_is_a_space_and_steps(
    text: str, space: str, steps: tuple[str | int | None, ...]
) -> None:
    rule = {"require": [{"path": text, "op": "exists", "value": True}]}
    [predicate] = one_rule(with_rule(rule)).require
    assert predicate.conditions[0].path == PolicyPath(text, space, steps)


@pytest.mark.parametrize(
    ("operand", "value"),
    [
        ("a", "a"),
        (["a", "b"], ("a", "b")),
        ({"a": [1]}, {"a": (1,)}),
        (0.1, Decimal("0.1")),
        (10**40, Decimal(10**40)),
    ],
)
def test_the_value_of_a_condition_is_kept_as_it_was_written(operand: Any, value: Any) -> None:
    rule = {"require": [{"path": "args.x", "op": "eq", "value": operand}]}
    [predicate] = one_rule(with_rule(rule)).require
    assert predicate.conditions[0].value == value
    assert predicate.conditions[0].holds(operand)


@pytest.mark.parametrize(
    ("keys", "amount", "path", "refund"),
    [
        ({}, UNIT, None, "never"),
        ({"increment": 2, "refund": "not_accepted"}, 2 * UNIT, None, "not_accepted"),
        ({"increment_from": "graph.total_steps"}, UNIT, "graph.total_steps", "not_accepted"),
        ({"increment_from": "args.n", "refund": "failed"}, UNIT, "args.n", "failed"),
        ({"increment_from": "args.n[0]", "refund": "never"}, UNIT, "args.n[0]", "never"),
    ],
)
def test_a_limit_counts_calls_or_what_a_call_asks_for(
    keys: dict[str, Any], amount: int, path: str | None, refund: str
) -> None:
    limit = one_limit(with_limit(**keys))
    assert limit.amount == amount
    assert (limit.amount_from and limit.amount_from.text) == path
    assert limit.refund == refund


EVERY_GPU_KEY = {
    "max_steps": 50,
    "max_total_steps": 400,
    "max_width": 2048,
    "max_height": 1024,
    "max_megapixels": 4.2,
    "max_batch": 8,
    "max_frames": 121,
    "max_nodes": 200,
    "max_workflow_bytes": 500000,
    "max_in_flight": 2,
    "max_queue_depth": 0,
    "max_seconds_per_job": 0.5,
    "gpu_seconds": [{"window": "hour", "max": 1.5, "scope": "global", "algorithm": "fixed"}],
    "allow_node_classes": ["KSampler", "Load*"],
    "deny_node_classes": ["*Python*"],
    "allow_models": {"checkpoints": ["sd15/*"], "*": []},
    "deny_models": {"loras": ["x[1].safetensors"]},
    "output_prefix": "agents/{grant}/",
    "api_nodes": "approve",
    "ownership": "any",
    "queue_jump": "allow",
    "global_interrupt": "deny",
    "undetermined": "approve",
}


@pytest.mark.parametrize("where", ["/gpu", f"{WHERE}/gpu", "/all_tools/gpu", "/grants/ann/gpu"])
def test_every_key_of_gpu_has_its_meaning_wherever_it_stands(where: str) -> None:
    document: dict[str, Any] = {"gpu": EVERY_GPU_KEY}
    for key in reversed(where.split("/")[1:-1]):
        document = {key: document}
    file = good(policy(**document))
    layers = [file.layer, *(grant.layer for grant in file.grants or ())]
    blocks = [one.gpu for layer in layers for one in (layer, *layer.rules)]
    [gpu] = [block for block in blocks if block]
    assert gpu.where == where
    assert dict(gpu.most) == {
        "steps": 50,
        "total_steps": 400,
        "width": 2048,
        "height": 1024,
        "megapixels": 4.2,
        "batch": 8,
        "frames": 121,
        "nodes": 200,
        "bytes": 500000,
        "queue_depth": 0,
    }
    assert (gpu.max_in_flight, gpu.max_seconds_per_job_ms) == (2, 500)
    budget = GpuSeconds(f"{where}/gpu_seconds/0", 1_500_000, 3_600_000, False, True)
    assert gpu.gpu_seconds == (budget,)
    assert gpu.allow_node_classes is not None
    assert gpu.allow_node_classes.where == f"{where}/allow_node_classes"
    assert [gpu.allow_node_classes.matches(c) for c in ("LoadImage", "loadimage")] == [True, False]
    assert gpu.deny_node_classes is not None
    assert gpu.deny_node_classes.matches("MyPythonNode")
    assert [(folder, globs.patterns) for folder, globs in gpu.allow_models] == [
        ("checkpoints", ("sd15/*",)),
        ("*", ()),
    ]
    assert gpu.deny_models[0][1].matches("x[1].safetensors")
    assert gpu.output_prefix == "agents/{grant}/"
    assert (gpu.api_nodes, gpu.ownership, gpu.queue_jump) == ("approve", "any", "allow")
    assert (gpu.global_interrupt, gpu.undetermined) == ("deny", "approve")


@pytest.mark.parametrize(
    "prefix", ["a", "a/", "a.b/c-d_e", "{grant}", "x{grant}y/{grant}/", ".hidden/a"]
)
def test_an_output_prefix_is_a_part_of_a_path_below_the_output_folder(prefix: str) -> None:
    gpu = good(policy(gpu={"output_prefix": prefix})).layer.gpu
    assert gpu is not None
    assert gpu.output_prefix == prefix


def grant(keys: dict[str, Any]) -> Grant:
    file = good(policy(grants={"ann": keys}))
    assert file.grants is not None
    [found] = file.grants
    return found


def test_the_least_grant_inherits_everything_and_is_known_by_its_id() -> None:
    where = "/grants/ann"
    assert grant({}) == Grant(where, "ann", "ann", Layer(where, default_allow=True))


def test_every_part_of_a_grant_becomes_a_value() -> None:
    found = grant(
        {
            "match": {"stdio": "ann-laptop"},
            "description": "Ann",
            "expires_at": "2030-01-01T00:00:00Z",
            "revoked": True,
            "default": "deny",
            "hide": ["cancel_job"],
            "all_tools": {"rate_limit": "1/second"},
            "tools": {"run_workflow": {}},
            "tags": ["staff", "video"],
        }
    )
    assert (found.id, found.stdio, found.description) == ("ann", "ann-laptop", "Ann")
    assert (found.expires_ms, found.revoked) == (1_893_456_000_000, True)
    assert found.tags == ("staff", "video")
    assert found.layer.hide[0].where == "/grants/ann/hide/0"
    assert [rule.where for rule in found.layer.rules] == [
        "/grants/ann/tools/run_workflow",
        "/grants/ann/all_tools",
    ]


@pytest.mark.parametrize(
    ("keys", "default_allow"),
    [
        ({}, True),
        ({"hide": ["get_job"]}, True),
        ({"tools": {}}, False),
        ({"tools": {}, "default": "allow"}, True),
        ({"default": "deny"}, False),
    ],
)
def test_a_grant_with_tools_denies_the_rest_unless_it_says_otherwise(
    keys: dict[str, Any], default_allow: bool
) -> None:
    assert grant(keys).layer.default_allow is default_allow


def test_no_grants_is_something_else_than_grants_for_nobody() -> None:
    assert good(policy()).grants is None
    assert good(policy(grants={})).grants == ()


@pytest.mark.parametrize(
    ("text", "expires_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t01:00:00.0019+01:00", 1),
        ("1970-01-01T00:00:00.123456789z", 123),
        ("1969-12-31T23:30:00-00:30", 0),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("9999-12-31T23:59:59.999-12:00", 253_402_343_999_999),
    ],
)
def test_a_grant_expires_at_a_millisecond(text: str, expires_ms: int) -> None:
    assert grant({"expires_at": text}).expires_ms == expires_ms


def test_a_cooldown_is_as_long_as_the_window_unless_it_is_said() -> None:
    where = "/denials"
    assert good(policy(denials={"max": 5, "window": "minute"})).denials == Denials(
        where, 5, 60_000, 60_000
    )
    assert good(policy(denials={"max": 5, "window": 10, "cooldown": 90})).denials == Denials(
        where, 5, 10_000, 90_000
    )


def test_the_same_text_gives_equal_values() -> None:
    document = json.dumps(policy(gpu=EVERY_GPU_KEY, grants={"ann": {"gpu": EVERY_GPU_KEY}}))
    assert read_policy(document) == read_policy(document)
    hash(read_policy(document)[0])
