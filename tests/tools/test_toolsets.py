"""What a server does not offer does not exist for its client, whatever the policy allows."""

from __future__ import annotations

import pytest
from mcp.shared.exceptions import MCPError

from comfy_mcp.embedded import EmbeddedHost
from tests.tools.desk import Sit, card, sent

pytestmark = pytest.mark.anyio

READ_ONLY = {"read_only": True}
CORE = {"toolsets": frozenset({"core"})}


@pytest.mark.parametrize("name", ["run_workflow", "run_sweep", "upload_input", "cancel_job"])
async def test_a_read_only_server_knows_no_tool_that_changes_something(
    sit: Sit, host: EmbeddedHost, name: str
) -> None:
    async with sit(more=READ_ONLY) as desk:
        words, body = await desk.refusal(name, workflow=card(1))
        (row,) = await desk.services.store.tail(10)

    assert words == f"Unknown tool: {name}"
    assert body == {}
    assert row.record["code"] == "not_listed"
    assert sent(host) == []


async def test_an_alias_of_a_tool_that_is_not_offered_is_unknown_too(sit: Sit) -> None:
    async with sit(more=READ_ONLY) as desk:
        words, _ = await desk.refusal("comfy_cancel_generation", prompt_id="x")

    assert words == "Unknown tool: comfy_cancel_generation"


async def test_without_the_outputs_toolset_there_are_no_resources_either(sit: Sit) -> None:
    async with sit(more=CORE) as desk:
        job = await desk.ask("run_workflow", workflow=card(2))
        templates = await desk.client.list_resource_templates()
        with pytest.raises(MCPError, match="Unknown resource"):
            await desk.client.read_resource(job["outputs"][0]["uri"])

    assert templates.resource_templates == []


async def test_the_instructions_name_no_tool_that_is_not_offered(sit: Sit) -> None:
    async with sit(more=READ_ONLY) as desk:
        words = desk.client.instructions or ""

    assert "get_job" in words
    assert "run_workflow" not in words
    assert "cancel_job" not in words


async def test_a_policy_can_take_away_from_a_toolset_and_not_add_to_it(sit: Sit) -> None:
    policy = {"version": "1", "default": "deny", "tools": {"get_job": {}, "cancel_job": {}}}

    async with sit(policy, more=CORE) as desk:
        listed = [tool.name for tool in (await desk.client.list_tools()).tools]

    assert listed == ["get_job"]
