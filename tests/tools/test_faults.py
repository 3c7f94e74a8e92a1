"""What is wrong with arguments is told in words of this server, by the argument's own name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.tools.faults import PATTERNS
from tests.tools.desk import Sit, card
from tests.tools.sweeping import SWEEPS

pytestmark = pytest.mark.anyio

PATTERN = r'"pattern": "((?:[^"\\]|\\.)*)"'
UNKNOWN = "00000000-0000-4000-8000-000000000000"
SWEEP: dict[str, Any] = {"workflow": card(0)}


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("run_sweep", {**SWEEP, "axes": {"1.color": 5}}, "axes.1.color must be a list"),
        ("run_sweep", {**SWEEP, "axes": 5}, "axes must be an object or a list"),
        ("run_sweep", {**SWEEP, "axes": [5]}, "axes.0 must be an object"),
        ("run_sweep", {**SWEEP, "max_runs": 101}, "max_runs must be at most 100"),
        ("run_workflow", {"workflow": 5}, "workflow must be a text or an object"),
        ("run_workflow", {"wait_seconds": "soon"}, "wait_seconds must be a number"),
        ("run_workflow", {"params": [1]}, "params must be an object"),
        ("run_workflow", {"on_cancel": "x"}, "on_cancel must be 'keep' or 'cancel'"),
        ("run_workflow", {"from_prompt_id": "../x"}, "from_prompt_id must be a prompt_id"),
        ("run_workflow", {"idempotency_key": "a b"}, "idempotency_key must be 1 to 128"),
        ("get_job", {}, "prompt_id must be given"),
        ("get_sweep", {"sweep_id": UNKNOWN}, "sweep_id must be a sweep_id"),
        ("view_output", {"uri": []}, "uri must have at least 1 in it"),
        ("view_output", {"uri": 5}, "uri must be a text or a list"),
        ("view_output", {"uri": "x", "frames": 2.5}, "frames must be a whole number"),
        ("save_workflow", {"name": "A b", "workflow": {}}, "name must be small letters"),
        ("edit_workflow", {"workflow": {}, "operations": 5}, "operations must be a list"),
    ],
)
async def test_each_fault_is_told_once_and_in_our_words(
    sit: Sit, host: EmbeddedHost, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with sit(SWEEPS) as desk:
        text, body = await desk.refusal(tool, **arguments)

    assert text.startswith(f"The arguments of {tool} cannot be used: {words}")
    assert text.count(" must ") == 1
    assert body["code"] == "invalid_args"
    for raw in ("Input", "String", "pattern", "dict[", "list[", "constrained"):
        assert raw not in text
    assert host.seen == []


async def test_several_faults_are_told_together(sit: Sit) -> None:
    async with sit() as desk:
        text, _ = await desk.refusal("run_workflow", workflow=5, wait_seconds=601, front="maybe")

    assert text.endswith(
        "workflow must be a text or an object; wait_seconds must be at most 600;"
        " front must be true or false."
    )


async def test_no_value_is_told(sit: Sit) -> None:
    async with sit() as desk:
        text, _ = await desk.refusal("run_workflow", idempotency_key="my secret word")

    assert "secret" not in text


async def test_every_pattern_of_an_argument_has_its_words(sit: Sit) -> None:
    async with sit(SWEEPS) as desk:
        tools = (await desk.client.list_tools()).tools
        found = {one for tool in tools for one in patterns(tool.input_schema)}

    assert found <= PATTERNS.keys()
    assert found


def patterns(schema: object) -> set[str]:
    """Every pattern in *schema*."""
    return {json.loads(f'"{one}"') for one in re.findall(PATTERN, json.dumps(schema))}
