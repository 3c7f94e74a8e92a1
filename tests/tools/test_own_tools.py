"""Promise: a workflow's own tool is run_workflow under another name, and no way round anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.types import ElicitResult, ToolListChangedNotification

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings
from comfy_mcp.tools.own_tools import MOST_BYTES, MOST_TOOLS, own_tools
from tests.shelf.conftest import editor
from tests.tools.desk import EVERYTHING, Sit, card, sent
from tests.tools.person import asking

pytestmark = pytest.mark.anyio

ON = {"workflow_tools": True}


def poster(**parameter: Any) -> dict[str, Any]:
    size = {
        "name": "size",
        "type": "integer",
        "description": "Width and height.",
        "max": 128,
        "fills": [{"node": "1", "input": "width"}, {"node": "1", "input": "height"}],
    }
    return {
        "title": "Poster",
        "description": "Draws a poster.",
        "parameters": [{**size, **parameter}],
        "graph": card(1),
    }


def write(folder: Path, name: str, content: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    write(folder, "my-poster", poster())
    return folder


async def names(desk: Any) -> list[str]:
    return [tool.name for tool in (await desk.client.list_tools()).tools]


async def test_without_the_setting_there_are_none(sit: Sit, own: Path) -> None:
    async with sit(workflows=(own,)) as desk:
        listed = await names(desk)
        words, _ = await desk.refusal("run_my_poster", size=64)

    assert "run_my_poster" not in listed
    assert words == "Unknown tool: run_my_poster"


async def test_each_workflow_is_a_tool_that_says_what_it_takes(sit: Sit, own: Path) -> None:
    async with sit(workflows=(own,), more=ON) as desk:
        listed = (await desk.client.list_tools()).tools

    tools = {tool.name: tool for tool in listed}
    assert {"run_color_card", "run_my_poster", "run_txt2img", "run_workflow"} <= tools.keys()
    tool = tools["run_my_poster"]
    assert (tool.title, tool.description) == ("Poster", "Draws a poster. (workflow my-poster)")
    assert tool.annotations.read_only_hint is False
    assert tool.input_schema["required"] == ["size"]
    Draft202012Validator.check_schema(tool.input_schema)


async def test_it_runs_what_run_workflow_would(sit: Sit, own: Path) -> None:
    async with sit(workflows=(own,), more=ON) as desk:
        job = await desk.ask("run_my_poster", size=64)
        rows = (await desk.ask("list_jobs"))["jobs"]

    assert (job["status"], job["workflow"]) == ("completed", "my-poster")
    assert [row["workflow"] for row in rows] == ["my-poster"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "size must be given"),
        ({"size": "64"}, "size must be an integer"),
        ({"size": 500}, "size must be at most 128"),
        ({"size": 64, "Size": 1}, "no argument 'Size' (did you mean 'size'?). It takes: size."),
        ({"size": 64, "params": {}}, "no argument 'params'"),
        ({"size": 64, "front": True}, "no argument 'front'"),
        ({"size": 64, "workflow": "txt2img"}, "no argument 'workflow'"),
    ],
)
async def test_wrong_arguments_are_refused_as_those_of_any_tool(
    sit: Sit, host: EmbeddedHost, own: Path, arguments: dict[str, Any], words: str
) -> None:
    async with sit(workflows=(own,), more=ON) as desk:
        said, error = await desk.refusal("run_my_poster", **arguments)

    assert words in said
    assert error == {"code": "invalid_args", "retryable": False}
    assert sent(host) == []


# -- the policy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        {"version": "1", "default": "deny", "tools": {"get_job": {}}},
        {**EVERYTHING, "hide": ["run_workflow"]},
        {
            **EVERYTHING,
            "tools": {k: v for k, v in EVERYTHING["tools"].items() if k != "run_workflow"},
        },
    ],
    ids=["not-allowed", "hidden", "left-out"],
)
async def test_where_run_workflow_is_not_offered_neither_are_they(
    sit: Sit, host: EmbeddedHost, own: Path, policy: dict[str, Any]
) -> None:
    async with sit(policy, workflows=(own,), more=ON) as desk:
        listed = await names(desk)
        words, _ = await desk.refusal("run_my_poster", size=64)

    assert not [name for name in listed if name.startswith("run_") and name != "run_sweep"]
    assert "run_workflow" not in words
    assert sent(host) == []


async def test_in_read_only_there_are_none(sit: Sit, host: EmbeddedHost, own: Path) -> None:
    only = frozenset({"library", "knowledge"})
    for more in ({"read_only": True}, {"toolsets": only}):
        async with sit(workflows=(own,), more={**ON, **more}) as desk:
            assert not [name for name in await names(desk) if name.startswith("run_")]
            await desk.refusal("run_my_poster", size=64)

    assert sent(host) == []


@pytest.mark.parametrize(
    "rule",
    [
        {"require": [{"path": "args.workflow", "op": "in", "value": ["color_card"]}]},
        {"deny_if": [{"path": "args.workflow", "op": "eq", "value": "my-poster"}]},
        {"deny_if": [{"path": "args.params.size", "op": "gt", "value": 32}]},
    ],
    ids=["allow-list", "deny-list", "params"],
)
async def test_a_rule_of_run_workflow_counts_for_them(
    sit: Sit, host: EmbeddedHost, own: Path, rule: dict[str, Any]
) -> None:
    policy = {**EVERYTHING, "tools": {**EVERYTHING["tools"], "run_workflow": rule}}

    async with sit(policy, workflows=(own,), more=ON) as desk:
        words, denial = await desk.refusal("run_my_poster", size=64)

    assert words.startswith("[POLICY DENIED]"), words
    assert denial["rule"].startswith("/tools/run_workflow/")
    assert sent(host) == []


async def test_a_limit_of_run_workflow_counts_for_them(sit: Sit, own: Path) -> None:
    limit = {"rate_limit": "1/hour"}
    policy = {**EVERYTHING, "tools": {**EVERYTHING["tools"], "run_workflow": limit}}

    async with sit(policy, workflows=(own,), more=ON) as desk:
        await desk.ask("run_my_poster", size=64)
        _, limited = await desk.refusal("run_my_poster", size=32)

    assert limited["code"] == "rate_limited"


async def test_a_person_is_asked_once_and_the_yes_runs_it(
    sit: Sit, host: EmbeddedHost, own: Path
) -> None:
    asked: list[Any] = []

    async def user(_context: Any, params: Any) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action="accept", content={"approve": True})

    async with sit(asking(channel="elicitation"), answer=user, workflows=(own,), more=ON) as desk:
        job = await desk.ask("run_my_poster", size=64)

    assert job["status"] == "completed"
    assert len(asked) == 1
    assert sent(host) == ["POST /prompt"]


async def test_what_an_agent_saves_becomes_no_tool(sit: Sit, own: Path) -> None:
    rules = {**EVERYTHING, "tools": {**EVERYTHING["tools"], "save_workflow": {}}}
    async with sit(rules, workflows=(own,), more=ON) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(1))

        assert "run_mine" not in await names(desk)
        await desk.refusal("run_mine")


# -- names and bounds ----------------------------------------------------------------------------


def test_no_two_have_one_name_and_none_has_that_of_another_tool(tmp_path: Path) -> None:
    for name in ("workflow", "sweep", "a-b", "a_b", "a_b_2", "x" * 64, "x" * 63 + "y"):
        write(tmp_path, name, poster())

    found = own_tools(Library([tmp_path]))

    assert len(found) == 7
    assert found["run_a_b"].workflow == "a_b"
    assert found["run_a_b_3"].workflow == "a-b"
    assert not {"run_workflow", "run_sweep"} & found.keys()
    assert all(len(name) <= 60 for name in found)


def test_they_are_bounded_in_number_and_in_bytes(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for number in range(MOST_TOOLS + 10):
        write(small, f"w{number:02}", {"title": "W", "parameters": [], "graph": card(number)})
        write(large, f"w{number:02}", poster(description="d" * 1000) | {"description": "e" * 4000})

    few, short = own_tools(Library([small])), own_tools(Library([large]))

    assert len(few) == MOST_TOOLS
    whole = [[one.name, one.description, one.schema] for one in short.values()]
    assert 5 < len(short) < MOST_TOOLS
    assert len(json.dumps(whole)) < MOST_BYTES + 500


def test_the_shipped_ones_take_few_bytes() -> None:
    found = own_tools(Library([shipped_folder()]))

    whole = [[one.name, one.description, one.schema] for one in found.values()]
    assert len(found) == 4
    assert len(json.dumps(whole)) < 6_000


def test_what_cannot_be_described_is_left_to_run_workflow(tmp_path: Path) -> None:
    write(tmp_path, "broken", [])
    write(tmp_path, "drawn", editor())
    write(tmp_path, "poster", poster())

    assert list(own_tools(Library([tmp_path]))) == ["run_poster"]
    assert own_tools(Library([tmp_path / ("x" * 5_000)])) == {}


async def test_a_client_is_told_when_the_files_change(
    host: EmbeddedHost, tmp_path: Path, own: Path
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(EVERYTHING))
    settings = Settings(
        address=Address(host.url),
        policies=(policy,),
        state=tmp_path / "state",
        workflows=(own,),
        workflow_tools=True,
    )
    heard = asyncio.Event()

    async def hear(message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            heard.set()

    server, _ = build(settings, look_seconds=0.02)
    async with Client(server, mode="legacy", message_handler=hear) as client:
        await client.list_tools()
        # Nothing but the tool's own schema changes: run_workflow's description has names only.
        write(own, "my-poster", poster(description="Another description."))
        await asyncio.wait_for(heard.wait(), 20)
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    told = tools["run_my_poster"].input_schema["properties"]["size"]["description"]
    assert told == "Another description."
