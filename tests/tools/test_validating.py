"""validate_workflow: what a run would come to is told beforehand, and nothing comes of asking."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from comfy_mcp.store.protocol import Freeze
from tests.tools.desk import EVERYTHING, Sit, card, sent
from tests.tools.person import ASKS

pytestmark = pytest.mark.anyio

NARROW = {"conditions": [{"path": "args.params.width", "op": "lte", "value": 600}]}
LONG = {"conditions": [{"path": "args.wait_seconds", "op": "gt", "value": 30}]}


def policy(rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Everything is allowed, but runs only by *rule*."""
    return {**EVERYTHING, "tools": {**EVERYTHING["tools"], "run_workflow": rule}, **more}


def faulty(count: int) -> dict[str, Any]:
    """Many nodes with many faults."""
    inputs = {"width": "x" * 500, "height": -1, "batch_size": 0}
    nodes = {str(n): {"class_type": "EmptyImage", "inputs": inputs} for n in range(count)}
    shown = {f"s{n}": {"class_type": "PreviewImage", "inputs": {"images": [n, 0]}} for n in nodes}
    return {**nodes, **shown}


async def test_a_sound_run_is_told_with_policy_cost_and_queue(sit: Sit) -> None:
    async with sit() as desk:
        told = await desk.ask("validate_workflow", workflow=card(3))

    assert told["ok"] is True
    assert told["problems"] == []
    assert told["workflow"] == "inline"
    assert told["policy"]["effect"] == "allow"
    assert told["policy"]["rule"] == "/tools/run_workflow"
    cost = told["cost"]
    assert (cost["width"], cost["height"], cost["batch"], cost["nodes"]) == (64, 64, 1, 2)
    assert told["queue"] == {"running": 0, "pending": 0}


async def test_a_run_that_was_made_before_has_a_price(sit: Sit) -> None:
    async with sit() as desk:
        before = await desk.ask("validate_workflow", workflow=card(4))
        await desk.ask("run_workflow", workflow=card(5))
        after = await desk.ask("validate_workflow", workflow=card(6))

    assert "seconds" not in before["cost"]
    assert after["cost"]["seconds"] >= 0


async def test_nothing_is_queued_reserved_or_asked_of_a_person(
    sit: Sit, host: EmbeddedHost
) -> None:
    limit = {"counter": "runs", "window": "hour", "max": 5}
    rule = {"limits": [limit], "require_approval": True}

    async with sit({**ASKS, "tools": {**EVERYTHING["tools"], "run_workflow": rule}}) as desk:
        first = await desk.ask("validate_workflow", workflow=card(7))
        again = await desk.ask("validate_workflow", workflow=card(7))
        approvals = await desk.services.store.approvals(now_ms(), count=10)
        jobs = await desk.ask("list_jobs")

    assert first["policy"]["effect"] == "require_approval"
    assert first["ok"] is True
    assert first["policy"]["limits"] == again["policy"]["limits"]
    assert first["policy"]["limits"][0]["left"] == 5
    assert approvals == ()
    assert jobs["jobs"] == []
    assert sent(host) == []


async def test_every_fault_is_told_with_node_input_and_fix(sit: Sit) -> None:
    graph = card(1)
    graph["1"]["inputs"].update(width="wide", batch_size=0)
    del graph["1"]["inputs"]["color"]

    async with sit() as desk:
        told = await desk.ask("validate_workflow", workflow=graph)

    assert told["ok"] is False
    assert {(one["node_id"], one["input"], one["severity"]) for one in told["problems"]} == {
        ("1", "width", "error"),
        ("1", "batch_size", "error"),
        ("1", "color", "error"),
    }
    assert all(one["fix"] for one in told["problems"])


async def test_missing_nodes_and_models_are_named_with_the_nearest_and_the_folder(
    sit: Sit,
) -> None:
    async with sit() as desk:
        nodes = await desk.ask(
            "validate_workflow", workflow={**card(1), "3": {"class_type": "SaveImag", "inputs": {}}}
        )
        models = await desk.ask("validate_workflow", workflow="txt2img", params={"prompt": "x"})

    assert nodes["missing_nodes"] == ["SaveImag"]
    assert nodes["problems"][0]["fix"] == "Did you mean SaveImage?"
    assert models["workflow"] == "txt2img"
    assert models["missing_models"] == [
        {
            "name": "v1-5-pruned-emaonly.safetensors",
            "folder": "checkpoints",
            "node_id": "1",
            "near": "embedded-demo.safetensors",
        }
    ]
    assert (nodes["ok"], models["ok"]) == (False, False)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"workflow": "no-such"}, 'There is no workflow "no-such"'),
        ({"workflow": "color_card", "params": {"widht": 5}}, 'Did you mean "width"?'),
        ({"workflow": "color_card", "params": {"width": "5"}}, "must be an integer"),
        ({"workflow": {"1": {"class_type": "X"}}}, 'it has no "inputs"'),
        ({"workflow": {}}, "The workflow is empty"),
    ],
)
async def test_what_cannot_even_be_filled_is_an_answer_too(
    call: dict[str, Any], words: str, sit: Sit
) -> None:
    async with sit() as desk:
        told = await desk.ask("validate_workflow", **call)

    assert told["ok"] is False
    assert words in told["problems"][0]["what"]


async def test_parameters_are_filled_as_a_run_would_fill_them(sit: Sit) -> None:
    async with sit() as desk:
        told = await desk.ask("validate_workflow", workflow="color_card", params={"width": 1024})

    assert told["cost"]["width"] == 1024


async def test_a_file_that_a_node_loads_has_to_be_there(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(9, "made"))
        name = job["outputs"][0]["filename"]

        async def loading(file: str) -> bool:
            load = {"class_type": "LoadImage", "inputs": {"image": file}}
            shown = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
            told = await desk.ask("validate_workflow", workflow={"1": load, "2": shown})
            return bool(told["ok"])

        found = [await loading(f"{each} [output]") for each in (name, f"no-{name}")]
        assert found == [True, False]


async def test_an_answer_is_bounded_whatever_is_wrong(sit: Sit) -> None:
    async with sit() as desk:
        result = await desk.call("validate_workflow", workflow=faulty(1_000))

    assert not result.is_error
    assert len(json.dumps(result.structured_content)) < 20_000
    assert result.structured_content["more_problems"] > 2_900


VERDICTS: dict[str, tuple[dict[str, Any], str]] = {
    "allowed": (EVERYTHING, ""),
    "denied": (policy({"action": "deny", "reason": "Not today."}), "action"),
    "too wide": (policy({"gpu": {"max_width": 32}}), "gpu"),
    "too large": (policy({}, gpu={"max_megapixels": 0.001}), "gpu"),
    "a class": (policy({}, gpu={"deny_node_classes": ["EmptyImage"]}), "gpu"),
    "by argument": (policy({"require": [{"name": "narrow", **NARROW}]}), "args"),
    "by default argument": (policy({"deny_if": [{"name": "long", **LONG}]}), "args"),
    "by name": (
        policy(
            {
                "require": [
                    {
                        "name": "shipped",
                        "conditions": [
                            {"path": "args.workflow", "op": "in", "value": ["color_card"]}
                        ],
                    }
                ]
            }
        ),
        "args",
    ),
    "a person": (ASKS, "approval"),
    "never fits": (
        policy(
            {
                "limits": [
                    {
                        "counter": "seconds",
                        "window": "hour",
                        "max": 1,
                        "increment_from": "args.wait_seconds",
                    }
                ]
            }
        ),
        "limit",
    ),
}
RUNS: dict[str, dict[str, Any]] = {
    "inline": {"workflow": card(2)},
    "by name": {"workflow": "color_card", "params": {"width": 700}},
    "by name, small": {"workflow": "color_card", "params": {"width": 16, "height": 16}},
}


@pytest.mark.parametrize("era", ["auto"], indirect=True)
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("rules", VERDICTS)
async def test_the_policys_word_is_the_one_that_the_run_then_hears(
    rules: str, run: str, sit: Sit
) -> None:
    async with sit(VERDICTS[rules][0]) as desk:
        told = await desk.ask("validate_workflow", **RUNS[run])
        result = await desk.call("run_workflow", **RUNS[run])

    said = told["policy"]
    if not result.is_error:
        assert (said["effect"], told["ok"]) == ("allow", True)
        return
    body = json.loads(result.content[1].text)
    if body["code"] == "never_fits":
        limit = said["limits"][0]
        assert (told["ok"], limit["takes"] > limit["left"]) == (False, True)
    elif body["code"] == "approval_required":
        assert (said["effect"], told["ok"]) == ("require_approval", True)
    else:
        assert (said["effect"], told["ok"]) == ("deny", False)
        assert {key: said.get(key) for key in ("code", "rule", "reason", "fix")} == {
            key: body.get(key) for key in ("code", "rule", "reason", "fix")
        }


async def test_a_limit_that_is_used_up_is_told_with_the_time_to_wait(sit: Sit) -> None:
    limit = {"counter": "runs", "window": "hour", "max": 1}

    async with sit(policy({"limits": [limit]})) as desk:
        before = await desk.ask("validate_workflow", workflow=card(2))
        await desk.ask("run_workflow", workflow=card(2))
        after = await desk.ask("validate_workflow", workflow=card(2))

    assert (before["ok"], after["ok"]) == (True, False)
    assert 3_500 < after["policy"]["limits"][0]["retry_after_s"] <= 3_600


async def test_what_is_stopped_is_told_as_such(sit: Sit) -> None:
    async with sit() as desk:
        freeze = Freeze("local", "Rendering.", keep_reads=True)
        await desk.services.store.freeze(now_ms(), freeze, {"kind": "freeze"})
        told = await desk.ask("validate_workflow", workflow=card(2))

    assert (told["ok"], told["policy"]["code"]) == (False, "frozen")


async def test_who_may_run_nothing_hears_of_no_rule(sit: Sit) -> None:
    async with sit({**EVERYTHING, "hide": ["run_workflow"]}) as desk:
        told = await desk.ask("validate_workflow", workflow=card(2))

    assert told["ok"] is False
    assert told["policy"] == {
        "effect": "deny",
        "code": "not_listed",
        "reason": "You have no tool that runs workflows.",
    }


async def test_the_owners_prefix_is_part_of_what_is_judged(sit: Sit) -> None:
    rules = policy({}, gpu={"output_prefix": "agents/"})

    async with sit(rules) as desk:
        told = await desk.ask("validate_workflow", workflow=card(2, "anything"))

    assert told["ok"] is True


async def test_a_graph_of_the_editor_is_converted_first(sit: Sit) -> None:
    editor: dict[str, Any] = {
        "nodes": [
            {
                "id": 1,
                "type": "EmptyImage",
                "inputs": [],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
                "widgets_values": [0, 64, 1, 5],
            },
            {
                "id": 2,
                "type": "PreviewImage",
                "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
                "outputs": [],
                "widgets_values": [],
            },
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
        "version": 0.4,
    }
    wider = {"op": "set", "node": "1", "input": "width", "value": 64}

    async with sit() as desk:
        told = await desk.ask("validate_workflow", workflow=editor)
        made = await desk.ask("edit_workflow", workflow=editor, operations=[wider])

    assert told["ok"] is False
    assert [(one["node_id"], one["input"]) for one in told["problems"]] == [("1", "width")]
    assert made["ok"] is True
    assert made["graph"]["2"]["inputs"] == {"images": ["1", 0]}
