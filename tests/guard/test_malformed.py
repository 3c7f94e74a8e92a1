"""A policy file is read strictly: every fault at once, each with its pointer, cause and fix."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import ConfigError, Fault
from comfy_mcp.guard.loading import parse
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.vocabulary import MATCH

RUN = "/tools/run_workflow"
LIMIT = f"{RUN}/limits/0"
ROW = tuple[Any, str, str, str]


def policy(**keys: Any) -> dict[str, Any]:
    return {"version": "1", "default": "deny", **keys}


def rule(**keys: Any) -> dict[str, Any]:
    return policy(tools={"run_workflow": keys})


def limit(**keys: Any) -> dict[str, Any]:
    return rule(limits=[{"counter": "c", "window": "minute", "max": 10, **keys}])


def rate(value: Any) -> dict[str, Any]:
    return rule(rate_limit=value)


def require(**keys: Any) -> dict[str, Any]:
    return rule(require=[keys])


def value(path: str, op: str, value: Any) -> dict[str, Any]:
    return require(path=path, op=op, value=value)


def gpu(**keys: Any) -> dict[str, Any]:
    return policy(gpu=keys)


def budget(**keys: Any) -> dict[str, Any]:
    return gpu(gpu_seconds=[{"window": "hour", "max": 60, **keys}])


def grant(**keys: Any) -> dict[str, Any]:
    return policy(grants={"ann": keys})


def text(inner: str) -> str:
    return f'{{"version": "1", {inner}}}'


def faults(document: Any) -> tuple[Fault, ...]:
    """What forbids the use of a file that says *document* (a str is the file's text)."""
    with pytest.raises(ConfigError) as caught:
        parse(document if isinstance(document, str) else json.dumps(document), "policy.json")
    for fault in caught.value.faults:
        assert fault.cause.endswith(".")
        assert fault.fix
        assert str(fault) in str(caught.value)
    return caught.value.faults


# What is wrong, where it is told, a word of the cause, and a word of the fix.

TEXTS: list[ROW] = [
    ("", "", "not JSON", "Correct the text"),
    ("{", "", "line 1, column 2", "Correct the text"),
    ("version: 1", "", "not JSON", "Correct the text"),
    ("{'version': '1'}", "", "not JSON", "Correct the text"),
    ('{"version": "1",}', "", "not JSON", "Correct the text"),
    ('{"version": "1"} x', "", "Extra data", "Correct the text"),
    ("[" * 40 + "]" * 40, "", "nested more than 32", "not part of a policy"),
    (text('"default": "deny", "default": "allow"'), "/default", "more than once", "Keep one"),
    (text('"tools": {"get_job": {}, "get_job": {}}'), "/tools/get_job", "more than", "Keep one"),
    (
        text('"all_tools": {"reason": "a", "reason": "b"}'),
        "/all_tools/reason",
        "more than once",
        "Keep one",
    ),
    (text('"gpu": {"max_steps": 1, "max_steps": 9}'), "/gpu/max_steps", "more than", "Keep one"),
    (
        text('"grants": {"a": {}, "a": {"revoked": true}}'),
        "/grants/a",
        "more than once",
        "Keep one",
    ),
    (
        text('"all_tools": {"require": [{"path": "args.x", "op": "eq", "op": "neq", "value": 1}]}'),
        "/all_tools/require/0/op",
        "more than once",
        "Keep one",
    ),
    (text('"gpu": {"max_megapixels": NaN}'), "/gpu/max_megapixels", "NaN is no", "finite"),
    (text('"gpu": {"max_steps": Infinity}'), "/gpu/max_steps", "Infinity is no", "finite"),
    (
        text('"all_tools": {"require": [{"path": "args.x", "op": "in", "value": [-Infinity]}]}'),
        "/all_tools/require/0/value/0",
        "-Infinity is no",
        "finite",
    ),
    (text('"description": "\\ud800"'), "/description", "surrogate", "UTF-8"),
]

FILES: list[ROW] = [
    ([], "", "expected an object, found an array", "Write an object"),
    ("null", "", "found null", "Write an object"),
    ({"default": "deny"}, "", '"version" is missing', '"version": "1"'),
    ({"version": 1}, "/version", "found the number 1", "with the quotes"),
    ({"version": "2"}, "/version", 'found the string "2"', "with the quotes"),
    (policy(tolls={}), "/tolls", "unknown key", 'mean "tools"'),
    (policy(zzzzzz={}), "/zzzzzz", "unknown key", '"classes"'),
    (policy(default="Deny"), "/default", "is not", 'mean "deny"'),
    (policy(default=True), "/default", "found true", '"allow" or "deny"'),
    (policy(default=None), "/default", "found null", '"allow" or "deny"'),
    (policy(description=1), "/description", "expected a string", "Write a string"),
    (policy(description="x" * 2001), "/description", "2001 characters", "Shorten"),
    (policy(**{"$schema": {}}), "/$schema", "expected a string", "Write a string"),
    (policy(hide="cancel_job"), "/hide", "expected an array", "Write an array"),
    (policy(hide=[1]), "/hide/0", "expected a string", "Write a string"),
    (policy(hide=[""]), "/hide/0", "neither the name", "letters, digits"),
    (policy(hide=["cancel job"]), "/hide/0", "neither the name", "letters, digits"),
    (policy(hide=["cancel_job\n"]), "/hide/0", "neither the name", "letters, digits"),
    (policy(hide=["x" * 129]), "/hide/0", "129 characters", "Shorten"),
    (policy(hide=["get_job", "get_job"]), "/hide/1", "hidden twice", "Remove one"),
    (policy(tools=[]), "/tools", "expected an object", "Write an object"),
    (policy(tools={"a b": {}}), "/tools/a b", "neither the name", "as a glob"),
    (policy(tools={"": {}}), "/tools/", "neither the name", "as a glob"),
    (policy(classes={"reed": {}}), "/classes/reed", "unknown key", 'mean "read"'),
    (policy(all_tools=[]), "/all_tools", "expected an object", "Write an object"),
    (policy(gpu=[]), "/gpu", "expected an object", "Write an object"),
    (policy(grants=[]), "/grants", "expected an object", "Write an object"),
    (policy(denials=3), "/denials", "expected an object", "Write an object"),
    (policy(denials={"window": 1}), "/denials", '"max" is missing', 'Add "max"'),
    (policy(denials={"max": 1}), "/denials", '"window" is missing', 'Add "window"'),
    (policy(denials={"max": 0, "window": 1}), "/denials/max", "0 is not", "from 1"),
    (policy(denials={"max": 1, "window": "month"}), "/denials/window", "is not", "second"),
    (
        policy(denials={"max": 1, "window": 1, "cooldown": 0}),
        "/denials/cooldown",
        "0 is not",
        "from 1",
    ),
    (
        policy(denials={"max": 1, "window": 1, "cool_down": 9}),
        "/denials/cool_down",
        "unknown key",
        'mean "cooldown"',
    ),
]

RULES: list[ROW] = [
    (policy(tools={"get_job": None}), "/tools/get_job", "found null", "Write an object"),
    (policy(tools={"get_job": True}), "/tools/get_job", "found true", "Write an object"),
    (rule(rules=[]), f"{RUN}/rules", "unknown key", "Use"),
    (rule(rate_limt="1/minute"), f"{RUN}/rate_limt", "unknown key", 'mean "rate_limit"'),
    (rule(action="Deny"), f"{RUN}/action", "is not", 'mean "deny"'),
    (rule(action=False), f"{RUN}/action", "found false", '"allow"'),
    (rule(reason="x" * 501), f"{RUN}/reason", "501 characters", "Shorten"),
    (rule(reason=5), f"{RUN}/reason", "expected a string", "Write a string"),
    (rule(reason="a", on_deny="b"), f"{RUN}/on_deny", "mean the same", "Keep one"),
    (rule(action="deny", limits=[]), f"{RUN}/limits", "nothing gets that far", "Remove"),
    (rule(action="deny", rate_limit="1/day"), f"{RUN}/rate_limit", "nothing gets", "Remove"),
    (
        rule(action="deny", require_approval=True),
        f"{RUN}/require_approval",
        "nothing gets that far",
        "Remove",
    ),
    (
        rule(action="require_approval", require_approval=False),
        f"{RUN}/require_approval",
        "contradicts",
        "Remove",
    ),
    (
        rule(action="require_approval", require_approval={"when": []}),
        f"{RUN}/require_approval/when",
        "contradicts",
        "Remove the action",
    ),
    (rule(require_approval="yes"), f"{RUN}/require_approval", "true, false or", "Write true"),
    (rule(require_approval=1), f"{RUN}/require_approval", "found the number", "Write true"),
    (
        rule(require_approval={"raeson": "x"}),
        f"{RUN}/require_approval/raeson",
        "unknown key",
        'mean "reason"',
    ),
    (
        rule(require_approval={"when": {}}),
        f"{RUN}/require_approval/when",
        "expected an array",
        "Write an array",
    ),
    (
        rule(require_approval={"when": [{"path": "graph.stepz", "op": "gt", "value": 1}]}),
        f"{RUN}/require_approval/when/0/path",
        "no graph.stepz",
        'mean "graph.steps"',
    ),
]

LIMITS: list[ROW] = [
    (rule(limits={}), f"{RUN}/limits", "expected an array", "Write an array"),
    (rule(limits=["10/minute"]), LIMIT, "expected an object", "Write an object"),
    (rule(limits=[{"counter": "c", "window": 1}]), LIMIT, '"max" is missing', 'Add "max"'),
    (limit(algoritm="fixed"), f"{LIMIT}/algoritm", "unknown key", 'mean "algorithm"'),
    (limit(counter=""), f"{LIMIT}/counter", "no name for a counter", "letters"),
    (limit(counter="a b"), f"{LIMIT}/counter", "no name for a counter", "letters"),
    (limit(counter=1), f"{LIMIT}/counter", "expected a string", "Write a string"),
    (limit(counter="gpu_seconds/60"), f"{LIMIT}/counter", "no name for a counter", "letters"),
    (limit(window="minutes"), f"{LIMIT}/window", "is not", 'mean "minute"'),
    (limit(window=0), f"{LIMIT}/window", "0 is not", "from 1 to 2678400"),
    (limit(window=-60), f"{LIMIT}/window", "-60 is not", "from 1 to 2678400"),
    (limit(window=2_678_401), f"{LIMIT}/window", "2678401 is not", "from 1 to 2678400"),
    (limit(window=1.5), f"{LIMIT}/window", "1.5 is not", "whole number"),
    (limit(window=True), f"{LIMIT}/window", "found true", "whole number"),
    (limit(window=None), f"{LIMIT}/window", "found null", "whole number"),
    (limit(max=-1), f"{LIMIT}/max", "-1 is not", "from 0"),
    (limit(max=True), f"{LIMIT}/max", "found true", "a number"),
    (limit(max="10"), f"{LIMIT}/max", "found the string", "a number"),
    (limit(max=10**13), f"{LIMIT}/max", "is not", "to 1000000000000"),
    (limit(max=10**3000), f"{LIMIT}/max", "is not", "to 1000000000000"),
    (limit(max=0.0000001), f"{LIMIT}/max", "is not", "six decimals"),
    (limit(increment=0), f"{LIMIT}/increment", "0 is not", "from 0.000001"),
    (limit(increment=-1), f"{LIMIT}/increment", "-1 is not", "from 0.000001"),
    (limit(increment=1e-300), f"{LIMIT}/increment", "is not", "from 0.000001"),
    (limit(increment=None), f"{LIMIT}/increment", "found null", "a number"),
    (
        limit(increment=1, increment_from="graph.steps"),
        f"{LIMIT}/increment_from",
        "both say",
        "Keep one",
    ),
    (limit(increment_from=3), f"{LIMIT}/increment_from", "expected a string", "Write a string"),
    (limit(increment_from="steps"), f"{LIMIT}/increment_from", "spaces", '"graph.steps"'),
    (
        limit(increment_from="graph.total_stepz"),
        f"{LIMIT}/increment_from",
        "no graph.total_stepz",
        'mean "graph.total_steps"',
    ),
    (
        limit(increment_from="graph.node_classes"),
        f"{LIMIT}/increment_from",
        "no number",
        "graph.steps",
    ),
    (limit(increment_from="graph.front"), f"{LIMIT}/increment_from", "no number", "graph.steps"),
    (limit(increment_from="time.hour"), f"{LIMIT}/increment_from", "no number", "graph.steps"),
    (limit(increment_from="args.n[*]"), f"{LIMIT}/increment_from", "many", "without [*]"),
    (limit(refund="always"), f"{LIMIT}/refund", "is not", '"not_accepted"'),
    (limit(refund=True), f"{LIMIT}/refund", "found true", '"never"'),
    (limit(scope="everybody"), f"{LIMIT}/scope", "is not", '"global"'),
    (limit(algorithm="sliding"), f"{LIMIT}/algorithm", "is not", '"rolling"'),
    (limit(name=1), f"{LIMIT}/name", "expected a string", "Write a string"),
    (limit(reason="a", on_deny="b"), f"{LIMIT}/on_deny", "mean the same", "Keep one"),
    (rate("10/fortnight"), f"{RUN}/rate_limit", "no rate", "10/minute"),
    (rate("0/minute"), f"{RUN}/rate_limit", "no rate", "10/minute"),
    (rate("10/minute\n"), f"{RUN}/rate_limit", "no rate", "10/minute"),
    (rate("9" * 5000 + "/minute"), f"{RUN}/rate_limit", "no rate", "10/minute"),
    (rate(10), f"{RUN}/rate_limit", "found the number", "10/minute"),
    (rate({"max": 1}), f"{RUN}/rate_limit", '"window" is missing', 'Add "window"'),
    (rate({"max": 1.5, "window": 60}), f"{RUN}/rate_limit/max", "1.5 is not", "whole number"),
    (
        rate({"max": 1, "window": 1, "scop": "grant"}),
        f"{RUN}/rate_limit/scop",
        "unknown key",
        'mean "scope"',
    ),
]

AT = f"{RUN}/require/0"
CONDITIONS: list[ROW] = [
    (rule(require={}), f"{RUN}/require", "expected an array", "Write an array"),
    (rule(deny_if=["x"]), f"{RUN}/deny_if/0", "expected an object", "Write an object"),
    (rule(require=[{}]), AT, "neither a condition", "conditions"),
    (require(on_deny="x"), AT, "neither a condition", "conditions"),
    (require(conditions={}), f"{AT}/conditions", "expected an array", "Write an array"),
    (require(conditions=[1]), f"{AT}/conditions/0", "expected an object", "Write an object"),
    (require(conditions=[], path="args.x"), f"{AT}/path", "unknown key", "Use"),
    (require(conditions=[], name=1), f"{AT}/name", "expected a string", "Write a string"),
    (require(conditions=[], on_deny=1), f"{AT}/on_deny", "expected a string", "Write a string"),
    (require(path="args.x", op="eq"), AT, '"value" is missing', 'Add "value"'),
    (require(op="eq", value=1), AT, '"path" is missing', 'Add "path"'),
    (require(path="args.x", value=1), AT, '"op" is missing', 'Add "op"'),
    (
        require(path="args.x", op="eq", value=1, valeu=2),
        f"{AT}/valeu",
        "unknown key",
        'mean "value"',
    ),
    (
        require(path="args.x", op="eq", value=1, reason="r"),
        f"{AT}/reason",
        'a condition has no "reason"',
        '"conditions"',
    ),
    (value("args.x", "equals", 1), f"{AT}/op", "is not", "Use"),
    (value("args.x", "not in", [1]), f"{AT}/op", "is not", 'mean "not_in"'),
    (value("args.x", 1, 1), f"{AT}/op", "found the number", '"eq"'),
    (value("arg.x", "eq", 1), f"{AT}/path", "spaces", 'mean "args"'),
    (value("", "eq", 1), f"{AT}/path", "spaces", '"args"'),
    (value("steps", "eq", 1), f"{AT}/path", "spaces", 'mean "graph.steps"'),
    (value("state.runs", "eq", 1), f"{AT}/path", "spaces", "Use"),
    (value("args", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args.", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args[0]", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args.a b", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args.x[-1]", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args.x\n", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args.é", "eq", 1), f"{AT}/path", "no path", "args.prompt"),
    (value("args." + "x" * 200, "eq", 1), f"{AT}/path", "205 characters", "Shorten"),
    (value("graph.stepz", "lt", 1), f"{AT}/path", "no graph.stepz", 'mean "graph.steps"'),
    (value("gpu.hieght", "lt", 1), f"{AT}/path", "no graph.hieght", 'mean "graph.height"'),
    (value("job.id", "eq", "a"), f"{AT}/path", "no job.id", '"job.owner"'),
    (value("grant.name", "eq", "a"), f"{AT}/path", "no grant.name", "grant."),
    (value("time.day", "eq", 1), f"{AT}/path", "no time.day", "time."),
    (value("graph.steps.x", "eq", 1), f"{AT}/path", "nothing at", '"graph.steps"'),
    (value("graph.steps[*]", "eq", 1), f"{AT}/path", "nothing at", '"graph.steps"'),
    (value("graph.node_classes.x", "eq", 1), f"{AT}/path", "nothing at", "graph.node_classes"),
    (value("graph.models[0]", "eq", 1), f"{AT}/path", "nothing at", '"graph.models"'),
    (value("args.x", "eq", None), f"{AT}/value", "null", '"exists"'),
    (value("args.x", "in", [1, None]), f"{AT}/value/1", "null", '"exists"'),
    (value("args.x", "in", "a"), f"{AT}/value", "expected an array", "Write an array"),
    (value("args.x", "subset_of", {}), f"{AT}/value", "expected an array", "Write an array"),
    (value("args.x", "lt", "5"), f"{AT}/value", "found the string", "Write a number"),
    (value("args.x", "gte", True), f"{AT}/value", "found true", "Write a number"),
    (value("args.x", "exists", 1), f"{AT}/value", "found the number", "true or false"),
    (value("args.x", "glob", 1), f"{AT}/value", "found the number", "a string"),
    (value("args.x", "glob", ["a", 1]), f"{AT}/value/1", "found the number", "a string"),
    (value("args.x", "regex", ["a"]), f"{AT}/value", "found an array", "a string"),
    (value("args.x", "regex", "a" * 257), f"{AT}/value", "257 characters", "Shorten"),
    (value("args.x", "regex", "(a"), f"{AT}/value", "missing )", "Correct it"),
    (value("args.x", "regex", "ab(?=c)"), f"{AT}/value", "character 3", "no look-around"),
    (value("args.x", "regex", "(a)\\1"), f"{AT}/value", "character 4", "no back-references"),
    (value("args.x", "regex", "x{9999}"), f"{AT}/value", "repetition size", "Correct it"),
    (value("graph.steps", "eq", "20"), f"{AT}/value", "graph.steps is a number", "a number"),
    (value("graph.steps", "in", [1, "2"]), f"{AT}/value/1", "is a number", "a number"),
    (value("graph.steps", "regex", "2"), f"{AT}/op", "graph.steps is a number", "gte"),
    (value("graph.front", "eq", 1), f"{AT}/value", "is true or false", "true or false"),
    (value("graph.front", "gt", 0), f"{AT}/op", "is true or false", "eq"),
    (value("graph.node_classes", "in", ["A"]), f"{AT}/op", "is a list", "subset_of"),
    (value("graph.node_classes", "contains", 1), f"{AT}/value", "is a list", "a string"),
    (value("graph.models", "contains", "a"), f"{AT}/op", "for each folder", "exists"),
    (value("job.owner", "eq", "me"), f"{AT}/value", 'never "me"', '"mine"'),
    (value("time.weekday", "in", ["sat", "sunday"]), f"{AT}/value/1", "never", 'mean "sun"'),
]

GPU: list[ROW] = [
    (gpu(max_inflight=1), "/gpu/max_inflight", "unknown key", 'mean "max_in_flight"'),
    (gpu(max_steps=0), "/gpu/max_steps", "0 is not", "from 1"),
    (gpu(max_steps=-5), "/gpu/max_steps", "-5 is not", "from 1"),
    (gpu(max_steps=20.0), "/gpu/max_steps", "20.0 is not", "whole number"),
    (gpu(max_steps="20"), "/gpu/max_steps", "found the string", "whole number"),
    (gpu(max_width=True), "/gpu/max_width", "found true", "whole number"),
    (gpu(max_megapixels=0), "/gpu/max_megapixels", "0 is not", "from 0.000001"),
    (gpu(max_megapixels=1e-400), "/gpu/max_megapixels", "is not", "from 0.000001"),
    (gpu(max_nodes=None), "/gpu/max_nodes", "found null", "whole number"),
    (gpu(max_in_flight=-1), "/gpu/max_in_flight", "-1 is not", "from 0"),
    (gpu(max_in_flight=2.0), "/gpu/max_in_flight", "2.0 is not", "whole number"),
    (gpu(max_queue_depth=-1), "/gpu/max_queue_depth", "-1 is not", "from 0"),
    (gpu(max_seconds_per_job=0), "/gpu/max_seconds_per_job", "0 is not", "from 0.001"),
    (gpu(max_seconds_per_job=0.0001), "/gpu/max_seconds_per_job", "is not", "three decimals"),
    (gpu(max_seconds_per_job=10**9), "/gpu/max_seconds_per_job", "is not", "to 2678400"),
    (gpu(gpu_seconds={}), "/gpu/gpu_seconds", "expected an array", "Write an array"),
    (gpu(gpu_seconds=[{}]), "/gpu/gpu_seconds/0", "is missing", "Add"),
    (budget(max=-1), "/gpu/gpu_seconds/0/max", "-1 is not", "from 0"),
    (budget(window="month"), "/gpu/gpu_seconds/0/window", "is not", '"week"'),
    (budget(scope="server"), "/gpu/gpu_seconds/0/scope", "is not", '"global"'),
    (budget(counter="c"), "/gpu/gpu_seconds/0/counter", "unknown key", "Use"),
    (gpu(allow_node_classes="A"), "/gpu/allow_node_classes", "an array", "Write an array"),
    (gpu(deny_node_classes=[1]), "/gpu/deny_node_classes/0", "a string", "Write a string"),
    (gpu(deny_node_classes=[""]), "/gpu/deny_node_classes/0", "no name", "Remove"),
    (gpu(allow_models=["a"]), "/gpu/allow_models", "expected an object", "Write an object"),
    (gpu(allow_models={"loras": "a"}), "/gpu/allow_models/loras", "an array", "Write an array"),
    (gpu(deny_models={"": ["a"]}), "/gpu/deny_models/", "no model folder", '"*"'),
    (gpu(output_prefix=""), "/gpu/output_prefix", "no prefix", "agents/{grant}/"),
    (gpu(output_prefix="/x"), "/gpu/output_prefix", "no prefix", "letters"),
    (gpu(output_prefix="a/../b"), "/gpu/output_prefix", "no prefix", "letters"),
    (gpu(output_prefix="a/./b"), "/gpu/output_prefix", "no prefix", "letters"),
    (gpu(output_prefix="a//b"), "/gpu/output_prefix", "no prefix", "letters"),
    (gpu(output_prefix="a\\b"), "/gpu/output_prefix", "no prefix", "letters"),
    (gpu(output_prefix="{user}/"), "/gpu/output_prefix", '"{user}"', '"{grant}"'),
    (gpu(output_prefix="{grant"), "/gpu/output_prefix", "no prefix", "{grant}"),
    (gpu(ownership="mine"), "/gpu/ownership", "is not", '"own"'),
    (gpu(api_nodes=False), "/gpu/api_nodes", "found false", '"deny"'),
    (gpu(queue_jump=None), "/gpu/queue_jump", "found null", '"deny"'),
    (gpu(undetermined="aprove"), "/gpu/undetermined", "is not", 'mean "approve"'),
    (rule(gpu={"max_step": 1}), f"{RUN}/gpu/max_step", "unknown key", 'mean "max_steps"'),
]

GRANTS: list[ROW] = [
    (policy(grants={"a b": {}}), "/grants/a b", "no id", "letters"),
    (policy(grants={"": {}}), "/grants/", "no id", "letters"),
    (policy(grants={"..": {}}), "/grants/..", "no id", "dot"),
    (policy(grants={"x" * 65: {}}), f"/grants/{'x' * 65}", "no id", "1 to 64"),
    (policy(grants={"ann": None}), "/grants/ann", "found null", "Write an object"),
    (grant(classes={}), "/grants/ann/classes", "unknown key", "Use"),
    (grant(expire_at="x"), "/grants/ann/expire_at", "unknown key", 'mean "expires_at"'),
    (grant(match="ann"), "/grants/ann/match", "expected an object", "Write an object"),
    (grant(match={}), "/grants/ann/match", "matches nobody", '"stdio"'),
    (grant(match={"stdoi": "a"}), "/grants/ann/match/stdoi", "unknown key", 'mean "stdio"'),
    (grant(match={"stdio": 1}), "/grants/ann/match/stdio", "a string", "Write a string"),
    (grant(match={"stdio": "a b"}), "/grants/ann/match/stdio", "no caller", "letters"),
    (grant(match={"stdio": ""}), "/grants/ann/match/stdio", "no caller", "letters"),
    (grant(expires_at="2030-01-01"), "/grants/ann/expires_at", "RFC 3339", "2030-12-31T"),
    (grant(expires_at="2030-01-01T00:00:00"), "/grants/ann/expires_at", "with a zone", "Z"),
    (grant(expires_at="2030-02-30T00:00:00Z"), "/grants/ann/expires_at", "no time", "Z"),
    (grant(expires_at="2030-01-01T25:00:00Z"), "/grants/ann/expires_at", "no time", "Z"),
    (grant(expires_at="2030-01-01T00:00:00+99:00"), "/grants/ann/expires_at", "no time", "Z"),
    (grant(expires_at=1893456000), "/grants/ann/expires_at", "a string", "Write a string"),
    (grant(revoked="yes"), "/grants/ann/revoked", "found the string", "true or false"),
    (grant(default="inherit"), "/grants/ann/default", "is not", '"allow"'),
    (grant(hide=["a b"]), "/grants/ann/hide/0", "neither the name", "as a glob"),
    (grant(tools={"get_job": 1}), "/grants/ann/tools/get_job", "an object", "Write an object"),
    (grant(gpu={"max_steps": 0}), "/grants/ann/gpu/max_steps", "0 is not", "from 1"),
    (grant(tags="staff"), "/grants/ann/tags", "expected an array", "Write an array"),
    (grant(tags=[1]), "/grants/ann/tags/0", "expected a string", "Write a string"),
    (grant(description=1), "/grants/ann/description", "a string", "Write a string"),
    (
        policy(grants={"ann": {}, "bob": {"match": {"stdio": "ann"}}}),
        "/grants/bob",
        "already the grant /grants/ann",
        "another name",
    ),
    (grant(hide=["cancle_job"]), "/grants/ann/hide/0", "no tool", 'mean "cancel_job"'),
]

WHOLE: list[ROW] = [
    (policy(default="allow", hide=["cancle_job"]), "/hide/0", "protect nothing", "cancel_job"),
    (
        policy(gpu={"output_prefix": "b/"}, all_tools={"gpu": {"output_prefix": "a/"}}),
        "/gpu/output_prefix",
        'begin with "b/" and with "a/"',
        "Let one",
    ),
]

ASKED = f"{RUN}/require_approval"
A_HOST = "https://ntfy.sh/topic"


def asked(**keys: Any) -> dict[str, Any]:
    return rule(require_approval=keys)


def approvals(**keys: Any) -> dict[str, Any]:
    return policy(approvals=keys)


APPROVALS: list[ROW] = [
    (asked(channel="Operator"), f"{ASKED}/channel", "is not", 'mean "operator"'),
    (asked(channel="agent"), f"{ASKED}/channel", "is not", '"elicitation"'),
    (asked(channel=None), f"{ASKED}/channel", "found null", '"any"'),
    (asked(expires=9), f"{ASKED}/expires", "9 is not", "from 10 to 86400"),
    (asked(expires=86_401), f"{ASKED}/expires", "86401 is not", "from 10 to 86400"),
    (asked(expires="hour"), f"{ASKED}/expires", 'the string "hour"', "from 10 to 86400"),
    (asked(expires=60.5), f"{ASKED}/expires", "60.5 is not", "a whole number"),
    (asked(max_uses=2), f"{ASKED}/max_uses", "for one call", "Write 1"),
    (asked(max_uses=0), f"{ASKED}/max_uses", "for one call", "Write 1"),
    (asked(max_uses=True), f"{ASKED}/max_uses", "found true", "Write 1"),
    (asked(max_uses="1"), f"{ASKED}/max_uses", 'the string "1"', "Write 1"),
    (asked(wait_s=5), f"{ASKED}/wait_s", "unknown key", "Use"),
    (asked(webhook=A_HOST), f"{ASKED}/webhook", "unknown key", "Use"),
    (policy(approvals=None), "/approvals", "found null", "Write an object"),
    (policy(approvals=True), "/approvals", "found true", "Write an object"),
    (policy(approvals=[]), "/approvals", "found an array", "Write an object"),
    (grant(approvals={}), "/grants/ann/approvals", "unknown key", "Use"),
    (approvals(chanel="any"), "/approvals/chanel", "unknown key", 'mean "channel"'),
    (approvals(channel="console"), "/approvals/channel", "is not", "Use"),
    (approvals(expires=0), "/approvals/expires", "0 is not", "from 10 to 86400"),
    (approvals(max_pending=0), "/approvals/max_pending", "0 is not", "from 1 to 100"),
    (approvals(max_pending=101), "/approvals/max_pending", "101 is not", "from 1 to 100"),
    (approvals(max_pending="5"), "/approvals/max_pending", 'the string "5"', "a whole number"),
    (approvals(wait_s=-1), "/approvals/wait_s", "-1 is not", "from 0 to 50"),
    (approvals(wait_s=51), "/approvals/wait_s", "51 is not", "from 0 to 50"),
    (approvals(wait_s=True), "/approvals/wait_s", "found true", "a whole number"),
    (approvals(webhook=[A_HOST]), "/approvals/webhook", "expected a string", "a string"),
    (approvals(webhook=""), "/approvals/webhook", "does not begin with", "the whole URL"),
    (approvals(webhook="ntfy.sh/topic"), "/approvals/webhook", "does not begin", "whole URL"),
    (approvals(webhook="file:///etc/passwd"), "/approvals/webhook", "does not begin", "URL"),
    (approvals(webhook=f" {A_HOST}"), "/approvals/webhook", "does not begin", "URL"),
    (approvals(webhook="https://"), "/approvals/webhook", "no URL with a host", "a host"),
    (approvals(webhook="https:///topic"), "/approvals/webhook", "no URL with a host", "a host"),
    (approvals(webhook="https://:443/x"), "/approvals/webhook", "no URL with a host", "a host"),
    (approvals(webhook="https://b\u00fccher.example/x"), "/approvals/webhook", "no URL", "a host"),
    (approvals(webhook=f"{A_HOST}?a b"), "/approvals/webhook", "no URL", "without spaces"),
    (approvals(webhook=f"{A_HOST}\n"), "/approvals/webhook", "no URL", "without spaces"),
    (approvals(webhook="https://h#x"), "/approvals/webhook", "no URL", '"#"'),
    (approvals(webhook="https://h\\@evil/"), "/approvals/webhook", "password", "before the @"),
    (approvals(webhook="https://me:secret@h/x"), "/approvals/webhook", "password", "signature"),
    (approvals(webhook="https://token@h/x"), "/approvals/webhook", "password", "before the @"),
    (approvals(webhook="https://@h/x"), "/approvals/webhook", "password", "before the @"),
    (approvals(webhook="http://h:0/x"), "/approvals/webhook", "cannot be", "Correct"),
    (approvals(webhook="http://h:65536/x"), "/approvals/webhook", "cannot be", "Correct"),
    (approvals(webhook="http://[::1/x"), "/approvals/webhook", "no URL", "a host"),
    (approvals(webhook="http://[1:2]/x"), "/approvals/webhook", "cannot be", "Correct"),
    (approvals(webhook=f"{A_HOST}/{'x' * 2000}"), "/approvals/webhook", "2022 char", "Shorten"),
]

TABLE = [*TEXTS, *FILES, *RULES, *LIMITS, *CONDITIONS, *GPU, *GRANTS, *APPROVALS, *WHOLE]


@pytest.mark.parametrize(("document", "where", "cause", "fix"), TABLE)
def test_a_malformed_file_is_one_fault_with_its_place_its_cause_and_its_fix(
    document: Any, where: str, cause: str, fix: str
) -> None:
    found = {fault.where: fault for fault in faults(document)}
    assert list(found) == [where]
    assert cause in found[where].cause
    assert fix in found[where].fix


LATER: list[tuple[str, Any]] = [
    *((f"/grants/ann/match/{key}", grant(match={key: "x"})) for key in sorted(MATCH.later)),
]


@pytest.mark.parametrize(("where", "document"), LATER, ids=[where for where, _ in LATER])
def test_what_a_later_version_will_have_is_an_error_now(where: str, document: Any) -> None:
    [fault] = faults(document)
    assert fault.where == where
    assert "is not supported by this version yet." in fault.cause
    assert "Remove it" in fault.fix


def test_an_unknown_key_is_told_at_every_level() -> None:
    bad = {"zzz": 1}
    condition = {"path": "args.x", "op": "eq", "value": 1, **bad}
    limits = [{"counter": "c", "window": 1, "max": 1, **bad}]
    rates = {"max": 1, "window": 1, **bad}
    blocks = {**bad, "gpu_seconds": [{"window": 1, "max": 1, **bad}]}
    predicates = [{"conditions": [condition], **bad}]
    one = {"limits": limits, "rate_limit": rates, "require": predicates, "gpu": blocks, **bad}
    document = policy(
        **bad,
        tools={"get_job": {**one, "require_approval": {"when": [condition], **bad}}},
        gpu=blocks,
        grants={"ann": {"match": {"stdio": "a", **bad}, "all_tools": one, **bad}},
        denials={"max": 1, "window": 1, **bad},
        approvals=bad,
    )
    rule_level = [
        *("", "/limits/0", "/rate_limit", "/require/0", "/require/0/conditions/0"),
        *("/gpu", "/gpu/gpu_seconds/0"),
    ]
    assert {fault.where for fault in faults(document)} == {
        *("/zzz", "/gpu/zzz", "/gpu/gpu_seconds/0/zzz", "/denials/zzz", "/approvals/zzz"),
        *("/grants/ann/zzz", "/grants/ann/match/zzz"),
        *(f"/tools/get_job{at}/zzz" for at in rule_level),
        *(f"/grants/ann/all_tools{at}/zzz" for at in rule_level),
        *("/tools/get_job/require_approval/zzz", "/tools/get_job/require_approval/when/0/zzz"),
    }


@pytest.mark.parametrize(
    "url",
    ["https://me:hunter2@h/x", "https://h/hunter2 x", "hunter2", "http://h:0/hunter2"],
)
def test_no_fault_repeats_a_url_because_who_knows_it_may_write_there(url: str) -> None:
    [fault] = faults(approvals(webhook=url))
    assert "hunter2" not in str(fault)


def test_all_faults_are_told_at_once() -> None:
    found = faults(
        {"default": 1, "hide": [2], "tools": {"x": {"limits": [{}]}}, "gpu": {"a": 1}, "grants": 0}
    )
    places = {"", "/default", "/hide/0", "/tools/x/limits/0", "/gpu/a", "/grants"}
    assert {fault.where for fault in found} == places


# No text whatever is an error of ours.

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["(", "\ud800", "graph.steps", "args.x[*]", "{grant}", "10/minute", "eq"]),
    st.sampled_from(["regex", "glob", "in", "deny", "2030-13-01T00:00:00Z", "1", "http://[::1]"]),
)
KEYS = (
    *("version", "default", "hide", "tools", "classes", "all_tools", "gpu", "grants", "denials"),
    *("run_workflow", "read", "ann", "match", "stdio", "expires_at", "tags", "require", "deny_if"),
    *("conditions", "path", "op", "value", "limits", "counter", "window", "max", "rate_limit"),
    *("increment_from", "require_approval", "when", "max_steps", "gpu_seconds", "output_prefix"),
    *("allow_models", "deny_node_classes", "max_megapixels", "action", "reason", "name", "", "\0"),
    *("approvals", "channel", "expires", "max_pending", "wait_s", "webhook", "max_uses"),
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=40,
)


@given(anything)
def test_no_json_makes_the_reader_fail(document: Any) -> None:
    for fault in read_policy(json.dumps(document))[1]:
        str(fault).encode()


conditions = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["args.x", "graph.steps", "graph.node_classes[*]", "time.weekday"])
        | anything,
        "op": st.sampled_from(["eq", "in", "lt", "regex", "glob", "contains", "subset_of"])
        | anything,
        "value": anything,
    }
)


@given(st.lists(conditions, max_size=3), anything)
def test_no_condition_makes_the_reader_fail(found: Any, strange: Any) -> None:
    read_policy(json.dumps({"all_tools": {"require": found, "deny_if": strange, "gpu": strange}}))


@given(st.text() | st.text(alphabet='{}[]",:\\0123456789.eE+- truefalsnNIy\ud800'))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    read_policy(text)
