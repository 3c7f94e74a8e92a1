"""Promise: no tool that takes a workflow by name lets a plain one mean what an agent saved."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.tools.naming import NAMED
from comfy_mcp.tools.table import TOOLS
from tests.tools.desk import EVERYTHING, Sit, card
from tests.tools.person import ASKS, until_asked, yes

pytestmark = pytest.mark.anyio

NO_NAME_OF_A_WORKFLOW = {("save_workflow", "workflow"), ("save_workflow", "name")}
"""What is saved is a graph, and its name is one that nothing has yet."""


def test_every_argument_that_names_a_workflow_is_in_the_table() -> None:
    found = {
        (tool.name, name)
        for tool in TOOLS
        for name, parameter in inspect.signature(tool.handler, eval_str=True).parameters.items()
        if name == "workflow" or (name == "name" and tool.name.endswith("_workflow"))
        if "str" in str(parameter.annotation) or "dict" in str(parameter.annotation)
    }

    assert set(NAMED.items()) == found - NO_NAME_OF_A_WORKFLOW


async def test_a_request_to_a_person_names_what_was_saved(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(1), title="Trust me")
        _, denial = await desk.refusal("run_workflow", workflow="mine")
        asked = await until_asked(desk)
        await yes(desk, asked.approval_id)
        job = await desk.ask("run_workflow", workflow="mine", approval_id=asked.approval_id)

    assert asked.facts["workflow"] == "saved/mine"
    assert denial["approval_id"] == asked.approval_id
    assert (job["status"], job["workflow"]) == ("completed", "saved/mine")


async def test_what_was_approved_runs_though_it_was_replaced_since(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(1, "first"))
        await desk.refusal("run_workflow", workflow="mine")
        asked = await until_asked(desk)
        await yes(desk, asked.approval_id)
        again = card(2, "second")
        await desk.ask("save_workflow", name="mine", workflow=again, overwrite=True)
        job = await desk.ask("run_workflow", approval_id=asked.approval_id)

    assert job["outputs"][0]["filename"].startswith("first")


async def test_a_key_holds_for_one_workflow_however_it_is_called(sit: Sit) -> None:
    async with sit() as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(1))
        one = await desk.ask("run_workflow", workflow="mine", idempotency_key="k")
        two = await desk.ask("run_workflow", workflow="saved/mine", idempotency_key="k")

    assert one["prompt_id"] == two["prompt_id"]


@pytest.mark.parametrize("tool", sorted(NAMED))
async def test_a_rule_on_the_name_counts_for_every_tool_that_takes_one(
    sit: Sit, tmp_path: Path, tool: str
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "poster.json").write_text(json.dumps(card(1)))
    argument = NAMED[tool]
    only = {"require": [{"path": f"args.{argument}", "op": "in", "value": ["poster"]}]}
    tools: dict[str, Any] = EVERYTHING["tools"]  # type: ignore[assignment]  # as it stands there
    policy = {**EVERYTHING, "tools": {**tools, tool: only}}
    more: dict[str, dict[str, Any]] = {
        "run_sweep": {"axes": {"width": [32, 64]}},
        "edit_workflow": {"operations": []},
    }

    async with sit(policy, workflows=(own,)) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(2))
        (own / "poster.json").rename(own / "mine2.json")
        await desk.ask("save_workflow", name="poster", workflow=card(2))
        words, denial = await desk.refusal(tool, **{argument: "poster"}, **more.get(tool, {}))

    assert words.startswith("[POLICY DENIED]"), words
    assert denial["rule"].startswith(f"/tools/{tool}/")
