"""The front of the server: lists, names, arguments, and the guard over all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.guard.catalog import ALIASES
from comfy_mcp.guard.catalog import TOOLS as CLASSES
from comfy_mcp.tools.table import TOOLS
from tests.tools.desk import EVERYTHING, Sit, card, sent
from tests.tools.every import ARGUMENTS
from tests.tools.every import NOBODY as SOMEBODY

pytestmark = pytest.mark.anyio

POLICIES = Path(__file__).parent.parent / "fixtures" / "policies"
NOTHING = {"version": "1", "default": "deny"}


def published(name: str) -> dict[str, Any]:
    return json.loads((POLICIES / f"source-{name}.json").read_text())


def test_every_tool_has_a_class_and_no_class_lacks_a_tool() -> None:
    assert {tool.name for tool in TOOLS} == set(CLASSES) == set(ARGUMENTS)


async def test_every_tool_is_described_and_hinted(sit: Sit) -> None:
    async with sit() as desk:
        listed = (await desk.client.list_tools()).tools

    assert [tool.name for tool in listed] == [tool.name for tool in TOOLS]
    for tool in listed:
        assert tool.title
        assert tool.description
        assert len(tool.description) < 2_000
        assert tool.annotations.read_only_hint is (CLASSES[tool.name] == "read")
        assert tool.annotations.destructive_hint is (CLASSES[tool.name] == "destructive")
        assert not {"anyOf", "oneOf", "allOf"} & set(tool.input_schema)


async def test_the_whole_list_of_tools_is_small_enough_to_be_sent(sit: Sit) -> None:
    async with sit() as desk:
        listed = (await desk.client.list_tools()).tools

    whole = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
    assert len(json.dumps(whole)) < 60_000


@pytest.mark.parametrize("tool", sorted(ARGUMENTS))
@pytest.mark.parametrize(
    "policy",
    [NOTHING, {"version": "1", "default": "deny", "hide": ["*"], "tools": {"*": {}}}],
    ids=["default-deny", "hide-all"],
)
async def test_no_tool_gets_past_a_denial_and_the_host_hears_nothing(
    sit: Sit, host: EmbeddedHost, tool: str, policy: dict[str, Any]
) -> None:
    async with sit(policy) as desk:
        assert (await desk.client.list_tools()).tools == []
        await desk.refusal(tool, **ARGUMENTS[tool])

    assert host.seen == []


@pytest.mark.parametrize("tool", sorted(ARGUMENTS))
async def test_a_denied_tool_stays_listed_and_says_why(
    sit: Sit, host: EmbeddedHost, tool: str
) -> None:
    rules = {**EVERYTHING["tools"], tool: {"action": "deny", "reason": "Not on this machine."}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        assert tool in [one.name for one in (await desk.client.list_tools()).tools]
        text, body = await desk.refusal(tool, **ARGUMENTS[tool])

    assert text.startswith("[POLICY DENIED] denied: Not on this machine. (dec_")
    assert body["rule"] == f"/tools/{tool}"
    assert host.seen == []


async def test_a_hidden_tool_answers_exactly_as_one_that_does_not_exist(sit: Sit) -> None:
    async with sit({**EVERYTHING, "default": "allow", "hide": ["cancel_job"]}) as desk:
        for arguments in ({}, {"prompt_id": SOMEBODY}, {"prompt_id": 7, "zz": 1}):
            hidden = await desk.call("cancel_job", **arguments)
            nobody = await desk.call("cancel_jab", **arguments)
            answers = [
                json.dumps(answer.model_dump(mode="json", by_alias=True))
                for answer in (hidden, nobody)
            ]
            assert answers[0].replace("cancel_job", "cancel_jab") == answers[1]
        codes = {row.record["code"] for row in await desk.services.store.tail(10)}

    assert codes == {"not_listed"}


async def test_a_caller_whom_the_policy_does_not_know_sees_and_may_do_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    policy = {**EVERYTHING, "grants": {"ann": {"match": {"stdio": "ann"}}}}

    async with sit(policy, grant="bob") as desk:
        assert (await desk.client.list_tools()).tools == []
        assert (await desk.client.list_resource_templates()).resource_templates == []
        for tool, arguments in [*ARGUMENTS.items(), ("no_such_tool", {})]:
            _, body = await desk.refusal(tool, **arguments)
            assert body["code"] == "no_grant"
        with pytest.raises(MCPError, match="no_grant"):
            await desk.client.read_resource(f"comfy://jobs/{SOMEBODY}/outputs/0")

    assert host.seen == []


async def test_a_name_on_the_wire_may_mean_another_grant(sit: Sit) -> None:
    policy = {**EVERYTHING, "grants": {"ann": {"match": {"stdio": "laptop"}}}}

    async with sit(policy, grant="laptop") as desk:
        found = await desk.ask("get_policy_status")
        (row, _) = [row.record for row in await desk.services.store.tail(2)]

    assert found["grant"] == "ann"
    assert row["grant"] == "ann"


async def test_a_hidden_resource_seems_not_to_exist_and_is_written_down(sit: Sit) -> None:
    async with sit({**EVERYTHING, "hide": ["view_output"]}) as desk:
        templates = await desk.client.list_resource_templates()
        with pytest.raises(MCPError, match="Unknown resource"):
            await desk.client.read_resource(f"comfy://jobs/{SOMEBODY}/outputs/0")
        (row,) = await desk.services.store.tail(10)

    assert templates.resource_templates == []
    assert row.record["code"] == "not_listed"


async def test_a_denied_resource_is_not_read(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(NOTHING) as desk:
        templates = await desk.client.list_resource_templates()
        with pytest.raises(MCPError) as caught:
            await desk.client.read_resource(f"comfy://jobs/{SOMEBODY}/outputs/0")

    assert templates.resource_templates == []
    assert "POLICY DENIED" in str(caught.value)
    assert host.seen == []


async def test_anothers_output_is_not_read_as_a_resource(sit: Sit) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        job = await alice.ask("run_workflow", workflow=card(2))
        with pytest.raises(MCPError, match="not_owner"):
            await bob.client.read_resource(job["outputs"][0]["uri"])


async def test_a_person_has_to_approve_what_the_policy_says_so_of(
    sit: Sit, host: EmbeddedHost
) -> None:
    rules = {**EVERYTHING["tools"], "run_workflow": {"require_approval": True}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        _, body = await desk.refusal("run_workflow", workflow=card(3), wait_seconds=0)

    assert body["code"] == "approval_required"
    assert body["decision"] == "require_approval"
    assert sent(host) == []


@pytest.mark.parametrize("name", ["cancel_job", "interrupt_execution"])
async def test_a_published_policy_hides_its_tool_and_leaves_the_rest(sit: Sit, name: str) -> None:
    async with sit(published(name)) as desk:
        listed = [tool.name for tool in (await desk.client.list_tools()).tools]
        words, _ = await desk.refusal(name, **ARGUMENTS[name])
        nobody, _ = await desk.refusal("no_such_tool")
        job = await desk.ask("run_workflow", workflow=card(4))

    # What the built-in policy does not have, such a policy does not have either.
    assert {tool.name for tool in TOOLS} - {*listed} == {name, "free_memory"}
    assert words == f"Unknown tool: {name}"
    assert nobody == "Unknown tool: no_such_tool"
    assert job["status"] == "completed"


async def test_the_eleventh_call_in_a_minute_is_denied_with_the_exact_wait(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(published("run_workflow")) as desk:
        for color in range(10):
            await desk.ask("run_workflow", workflow=card(color))
        text, body = await desk.refusal("run_workflow", workflow=card(99))
        first = (await desk.services.store.tail(1_000))[0].at_ms
        last = (await desk.services.store.tail(1))[0].at_ms

    assert body["code"] == "rate_limited"
    assert body["rule"] == "/tools/run_workflow/limits/0"
    assert body["retryable"] is True
    assert body["limit"] == {
        "counter": "run_workflow_rate",
        "used": 10.0,
        "max": 10.0,
        "window_s": 60.0,
        "scope": "grant",
    }
    assert 0 <= first + 60_000 - body["retry_after_s"] * 1000 <= last
    assert "10 times per minute; retry in" in text
    assert sent(host).count("POST /prompt") == 10


async def test_an_alias_is_called_by_its_own_name_and_judged_as_the_tool(sit: Sit) -> None:
    policy = published("comfy_cancel_generation")

    async with sit(policy) as desk:
        for _ in range(10):
            await desk.ask("comfy_cancel_generation", prompt_id=SOMEBODY, wait_seconds=0)
        _, body = await desk.refusal("cancel_job", prompt_id=SOMEBODY)

    assert ALIASES["comfy_cancel_generation"] == "cancel_job"
    assert body["code"] == "rate_limited"


async def test_an_unknown_argument_is_refused_with_the_nearest_name(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(5), wait_second=3)

    assert "'wait_second' (did you mean 'wait_seconds'?)" in text
    assert body["code"] == "invalid_args"
    assert host.seen == []


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("run_workflow", {"workflow": 5}, "workflow"),
        ("run_workflow", {"workflow": "x", "wait_seconds": 601}, "wait_seconds"),
        ("get_job", {}, "prompt_id"),
        ("get_job", {"prompt_id": "../../x"}, "prompt_id"),
        ("cancel_job", {"prompt_id": SOMEBODY, "wait_seconds": "soon"}, "wait_seconds"),
    ],
)
async def test_an_argument_that_cannot_be_used_is_named(
    sit: Sit, host: EmbeddedHost, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with sit() as desk:
        text, body = await desk.refusal(tool, **arguments)

    assert words in text
    assert "pydantic" not in text
    assert body["code"] == "invalid_args"
    assert host.seen == []


async def test_every_call_leaves_a_decision_and_an_outcome_in_one_whole_chain(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(6))
        await desk.refusal("run_workflow", workflow={"1": {"class_type": "Nope", "inputs": {}}})
        rows = [row.record for row in await desk.services.store.tail(100)]
        count, fault = await desk.services.store.verify()

    assert fault is None
    assert count == len(rows)
    first, ended, outcome = (
        next(row for row in rows if row["kind"] == kind) for kind in ("decision", "job", "outcome")
    )
    assert first["code"] == "allowed"
    assert first["prompt_id"] == job["prompt_id"]
    assert set(first["args"]) == {
        "workflow",
        "from_prompt_id",
        "params",
        "wait_seconds",
        "front",
        "idempotency_key",
        "on_cancel",
        "approval_id",
    }
    assert all(value.startswith("sha256:") for value in first["args"].values())
    assert ended["outcome"] == "completed"
    assert outcome["outcome"] == "ok"
    assert rows[-1]["outcome"] == "host_rejected"


async def test_nothing_runs_when_the_state_cannot_be_written(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where a folder has to be")

    async with sit() as desk:
        _, body = await desk.refusal("run_workflow", workflow=card(7))

    assert body["code"] == "audit_unavailable"
    assert sent(host) == []


async def test_a_policy_that_allows_nothing_warns_in_the_instructions(sit: Sit) -> None:
    async with sit(NOTHING) as desk:
        assert "Warning about the policy" in (desk.client.instructions or "")


async def test_too_many_unfinished_jobs_are_refused_until_one_ends(
    sit: Sit, host: EmbeddedHost
) -> None:
    policy = {**EVERYTHING, "gpu": {"max_in_flight": 1}}
    host.faults = Faults(node_ms=60_000)

    async with sit(policy) as desk:
        first = await desk.ask("run_workflow", workflow=card(8), wait_seconds=0)
        _, body = await desk.refusal("run_workflow", workflow=card(9))
        host.faults = Faults()
        await desk.services.close()

    assert body["code"] == "in_flight"
    assert body["rule"] == "/gpu/max_in_flight"
    assert first["status"] in {"pending", "in_progress"}


async def test_a_name_of_any_length_is_answered_and_written_down_in_short(sit: Sit) -> None:
    async with sit() as desk:
        words, _ = await desk.refusal("x" * 100_000)
        (row,) = await desk.services.store.tail(10)

    assert len(words) < 200
    assert row.record["code"] == "not_listed"
    assert len(row.record["tool"]) == 128


async def test_a_denied_tool_is_denied_whatever_its_arguments(sit: Sit) -> None:
    rules = {**EVERYTHING["tools"], "cancel_job": {"action": "deny"}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        text, _ = await desk.refusal("cancel_job", zz=1)
        (row,) = await desk.services.store.tail(10)

    assert text.startswith("[POLICY DENIED]")
    assert row.record["decision"] == "deny"


async def test_an_operators_paths_stay_with_the_operator(sit: Sit, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder has to be")

    async with sit() as desk:
        text, body = await desk.refusal("get_job", prompt_id=SOMEBODY)

    assert str(tmp_path) not in text
    assert "owner" in text
    assert body["code"] == "state"


async def test_the_refusal_for_want_of_a_slot_names_the_jobs_that_hold_them(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit({**EVERYTHING, "gpu": {"max_in_flight": 1}}) as desk:
        first = await desk.ask("run_workflow", workflow=card(10), wait_seconds=0)
        text, _ = await desk.refusal("run_workflow", workflow=card(11))
        host.faults = Faults()
        done = await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=20)
        again = await desk.ask("run_workflow", workflow=card(12))

    assert first["prompt_id"] in text
    assert (done["status"], again["status"]) == ("completed", "completed")


async def test_a_server_on_another_comfyui_touches_no_job_of_this_one(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with EmbeddedHost() as elsewhere, sit() as here, sit(url=elsewhere.url) as there:
        job = await here.ask("run_workflow", workflow=card(13), wait_seconds=0)
        seen = await there.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=5)
        text, _ = await there.refusal("cancel_job", prompt_id=job["prompt_id"])
        host.faults = Faults()
        done = await here.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=20)
        after = await there.ask("get_job", prompt_id=job["prompt_id"])
        _, body = await there.refusal("view_output", uri=done["outputs"][0]["uri"])
        changed = sent(elsewhere)

    assert seen["status"] in {"pending", "in_progress"}
    assert "another ComfyUI" in seen["warnings"][0]
    assert "another ComfyUI" in text
    assert done["status"] == "completed"
    assert after["outputs"] == []
    assert body["code"] == "output"
    assert changed == []


async def test_what_is_read_at_the_start_names_no_other_grant_and_no_file(sit: Sit) -> None:
    policy = {
        "version": "1",
        "default": "deny",
        "tools": {"run_workflow": {}, "nosuch_tool": {}},
        "grants": {"local": {}, "somebody-else": {"tools": {"run_workflow": {}}}},
    }

    async with sit(policy) as desk:
        instructions = desk.client.instructions or ""

    assert instructions
    for secret in ("somebody-else", "nosuch_tool", "policy-local.json"):
        assert secret not in instructions
