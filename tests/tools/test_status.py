"""get_policy_status: all that a caller may know of its limits, before a refusal says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.store.protocol import Freeze
from comfy_mcp.tools.status import MOST, WORDS
from tests.tools.desk import EVERYTHING, Desk, Sit, card

pytestmark = pytest.mark.anyio

SOMEBODY = "00000000-0000-4000-8000-000000000000"
TOOLS: dict[str, Any] = EVERYTHING["tools"]


def policy(tools: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Everything allowed, *tools* ruled as they say."""
    return {**EVERYTHING, "tools": {**TOOLS, **(tools or {})}, **more}


async def status(desk: Desk) -> dict[str, Any]:
    return await desk.ask("get_policy_status")


async def test_a_caller_is_told_who_it_is_and_what_it_may_call(sit: Sit) -> None:
    rules = {"cancel_job": {"action": "deny", "reason": "Ask me."}}

    async with sit(policy(rules, hide=["interrupt_execution"]), grant="ann") as desk:
        found = await status(desk)

    assert found["grant"] == "ann"
    assert set(found["may_call"]) == set(TOOLS) - {"cancel_job", "interrupt_execution"}
    assert found["refused"].keys() == {"cancel_job"}
    assert "Ask me." in found["refused"]["cancel_job"]
    assert "interrupt_execution" not in json.dumps(found)
    assert "limits" not in found


async def test_what_a_person_has_to_approve_is_told_apart(sit: Sit) -> None:
    async with sit(policy({"run_workflow": {"require_approval": True}})) as desk:
        found = await status(desk)

    assert found["needs_a_person"] == ["run_workflow"]
    assert "run_workflow" not in found["may_call"]


async def test_a_limit_is_told_with_what_is_used_and_when_it_has_room(sit: Sit) -> None:
    async with sit(policy({"get_job": {"rate_limit": "2/minute"}})) as desk:
        empty = (await status(desk))["limits"]
        await desk.call("get_job", prompt_id=SOMEBODY)
        await desk.call("get_job", prompt_id=SOMEBODY)
        (full,) = (await status(desk))["limits"]
        _, refusal = await desk.refusal("get_job", prompt_id=SOMEBODY)

    assert [(one["used"], one["max"], one["retry_after_s"]) for one in empty] == [(0, 2, 0)]
    assert full["used"] == 2
    assert full["window_s"] == 60
    assert full["limit"] == "get_job may be called 2 times per minute"
    assert 0 < refusal["retry_after_s"] <= full["retry_after_s"] <= 60


async def test_a_limit_that_all_share_says_so(sit: Sit) -> None:
    limit = {"counter": "looks", "window": "hour", "max": 5, "scope": "global"}
    rules = policy({"get_job": {"limits": [limit]}})

    async with sit(rules, grant="ann") as ann, sit(rules, grant="bob") as bob:
        await bob.call("get_job", prompt_id=SOMEBODY)
        (found,) = (await status(ann))["limits"]

    assert found["shared"] is True
    assert found["used"] == 1


async def test_unfinished_jobs_are_told_to_their_owner_only(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)
    rules = policy(gpu={"max_in_flight": 7})

    async with sit(rules, grant="ann") as ann, sit(rules, grant="bob") as bob:
        jobs = [
            (await ann.ask("run_workflow", workflow=card(number), wait_seconds=0))["prompt_id"]
            for number in range(6)
        ]
        own, other = await status(ann), await status(bob)
        host.faults = Faults()

    assert own["in_flight"] == {"used": 6, "max": 7, "jobs": jobs[:5]}
    assert other["in_flight"] == {"used": 0, "max": 7}


async def test_a_job_that_ended_unnoticed_holds_no_slot(sit: Sit, host: EmbeddedHost) -> None:
    rules = policy(gpu={"max_in_flight": 1})

    async with sit(rules) as first:
        host.faults = Faults(node_ms=60_000)
        job = await first.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await first.services.close()
        host.faults = Faults()
    await host.until(lambda _: job["prompt_id"] in host.finished)
    async with sit(rules) as second:
        found = await status(second)

    assert found["in_flight"]["used"] == 0


async def test_caps_on_workflows_are_plain_facts(sit: Sit) -> None:
    gpu = {
        "max_steps": 30,
        "max_megapixels": 2.5,
        "max_queue_depth": 4,
        "max_seconds_per_job": 90,
        "gpu_seconds": [{"window": "hour", "max": 600}],
        "allow_models": {"checkpoints": [f"sd{number}*" for number in range(20)]},
        "deny_models": {"loras": ["secret-*"]},
        "deny_node_classes": ["SecretNode"],
        "output_prefix": "agents/{grant}/",
    }

    async with sit(policy({"run_workflow": {"gpu": {"max_steps": 20}}}, gpu=gpu)) as desk:
        found = await status(desk)

    caps = found["gpu"]
    assert caps["most"] == {
        "max_steps": 20,
        "max_megapixels": 2.5,
        "max_queue_depth": 4,
        "max_seconds_per_job": 90,
    }
    assert caps["node_classes"] == {"restricted": True}
    assert caps["models"]["checkpoints"]["allowed"][0] == "sd0*"
    assert caps["models"]["checkpoints"]["more"] == 8
    assert caps["models"]["loras"] == {"restricted": True}
    assert caps["output_prefix"] == "agents/local/"
    assert caps["api_nodes"] == "deny"
    assert "ecret" not in json.dumps(found)
    (budget,) = found["gpu_seconds"]
    assert (budget["used_s"], budget["max_s"], budget["window_s"]) == (0, 600, 3600)


async def test_when_a_run_needs_a_person_is_told_in_numbers_and_never_in_patterns(
    sit: Sit,
) -> None:
    large = {"path": "graph.megapixels", "op": "gt", "value": 2}
    named = {"path": "args.workflow", "op": "glob", "value": "secret-*"}
    rule = {"require_approval": {"when": [large]}}
    every = {"require_approval": {"when": [named]}}

    async with sit(policy({"run_workflow": rule, "run_*": every})) as desk:
        found = await status(desk)

    assert found["gpu"]["asks_a_person_if"] == ["graph.megapixels above 2", "args.workflow"]
    assert "secret" not in json.dumps(found)


async def test_a_run_counts_in_the_budget_of_gpu_time(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)
    gpu = {"max_seconds_per_job": 90, "gpu_seconds": [{"window": "hour", "max": 100}]}

    async with sit(policy(gpu=gpu)) as desk:
        await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        (budget,) = (await status(desk))["gpu_seconds"]
        host.faults = Faults()

    assert budget["used_s"] == 90
    assert 0 < budget["retry_after_s"] <= 3600


async def test_who_may_run_nothing_is_told_nothing_of_runs(sit: Sit) -> None:
    rules = {**EVERYTHING, "tools": {"get_policy_status": {}}, "gpu": {"max_steps": 9}}

    async with sit(rules) as desk:
        found = await status(desk)

    assert found["may_call"] == ["get_policy_status"]
    assert "gpu" not in found
    assert "in_flight" not in found


async def test_it_is_short_whatever_the_policy(sit: Sit) -> None:
    long = "A reason of somebody who likes to explain. " * 11
    limits = [
        {"counter": f"{'c' * 60}{number}", "window": 60 + number, "max": number + 1}
        for number in range(60)
    ]
    rules = {
        "get_job": {"limits": limits},
        "cancel_job": {"action": "deny", "reason": long},
        "interrupt_execution": {"action": "deny", "reason": long},
    }
    models = {f"folder{number}": [f"{'m' * 150}{n}*" for n in range(50)] for number in range(30)}

    async with sit(policy(rules, gpu={"allow_models": models})) as desk:
        result = await desk.call("get_policy_status")

    found = result.structured_content
    assert not result.is_error
    assert len(result.content[0].text) <= MOST
    assert len(found["refused"]["cancel_job"]) <= WORDS
    assert found["left_out"] == 60 - len(found["limits"])


async def test_a_policy_that_cannot_be_used_is_told_without_its_path(
    sit: Sit, tmp_path: Path
) -> None:
    async with sit(policy()) as desk:
        before = await status(desk)
        (tmp_path / "policy-local.json").write_text("{")
        found = await status(desk)

    assert "degraded" not in before
    assert "cannot be used" in found["degraded"]
    assert found["revision"] == before["revision"]
    assert str(tmp_path) not in json.dumps(found)


async def test_the_revision_changes_with_the_policy(sit: Sit, tmp_path: Path) -> None:
    async with sit(policy()) as desk:
        before = await status(desk)
        (tmp_path / "policy-local.json").write_text(json.dumps(policy(description="new")))
        after = await status(desk)

    assert before["revision"] != after["revision"]
    assert len(after["revision"]) == 12


async def test_an_operators_freeze_that_spares_looking_is_told(sit: Sit) -> None:
    async with sit(policy()) as desk:
        store = desk.services.store
        freeze = Freeze("*", reason="Rendering for a client.", keep_reads=True)
        await store.freeze(0, freeze, {"kind": "freeze"})
        found = await status(desk)

    assert found["stopped"] == {"why": "frozen", "reason": "Rendering for a client."}


@pytest.mark.parametrize(
    ("rule", "words"),
    [({"action": "deny"}, "[POLICY DENIED] denied"), (None, "Unknown tool: get_policy_status")],
    ids=["denied", "hidden"],
)
async def test_it_is_judged_as_any_other_tool(
    sit: Sit, rule: dict[str, Any] | None, words: str
) -> None:
    rules = policy({"get_policy_status": rule}) if rule else policy(hide=["get_policy_status"])

    async with sit(rules) as desk:
        text, _ = await desk.refusal("get_policy_status")

    assert text.startswith(words)
