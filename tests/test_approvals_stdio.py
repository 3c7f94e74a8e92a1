"""A person decides: the whole path over stdio, with real processes on both sides.

The agent's server is one process, the operator's commands are others; all they share is the state.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.embedded.desk import txt2img
from tests.scene import Scene
from tests.tools.desk import EVERYTHING, card, sent

pytestmark = pytest.mark.anyio

SECONDS = 90
"""For one test, on a machine that does much else."""

LARGE = [{"path": "gpu.megapixels", "op": "gt", "value": 2}]
POLICY: dict[str, Any] = {
    **EVERYTHING,
    "tools": {
        **EVERYTHING["tools"],
        "run_workflow": {"require_approval": {"when": LARGE, "reason": "More than 2 megapixels."}},
        "interrupt_execution": {"action": "require_approval"},
    },
    "approvals": {"wait_s": 50},
}
RUN = {"workflow": "color_card", "params": {"width": 2048, "height": 2048}}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    async with asyncio.timeout(SECONDS), EmbeddedHost(folder=tmp_path / "comfyui") as host:
        yield Scene(tmp_path, host)


def size_of(blob: Any) -> tuple[int, int]:
    """Width and height of a picture as the protocol carries it."""
    with Image.open(BytesIO(base64.b64decode(blob.blob))) as picture:
        return picture.size


def hint_in(text: str) -> str:
    """The command that a refusal tells the user."""
    return text.partition("Tell the user to run: ")[2]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_large_run_is_parked_shown_approved_elsewhere_repeated_and_spent_once(
    scene: Scene, mode: str
) -> None:
    async with scene.agent(mode) as agent:
        small = await agent.ask("run_workflow", workflow=card(1))
        text, body = await agent.refusal("run_workflow", **RUN, wait_seconds=0)
        sent_before = sent(scene.host)
        status, shown = await scene.as_printed(hint_in(text))
        said = await scene.decided("approve", body["approval_id"], "--reason", "Go ahead.")
        answer = await agent.ask("get_approval", approval_id=body["approval_id"])
        job = await agent.ask("run_workflow", **RUN)
        _, spent = await agent.refusal("run_workflow", approval_id=body["approval_id"])
        _, anew = await agent.refusal("run_workflow", **RUN, wait_seconds=0)

    assert small["status"] == job["status"] == "completed"
    assert body["code"] == "approval_required"
    assert body["reason"].startswith("More than 2 megapixels. Request apr_")
    assert sent_before == ["POST /prompt"]
    assert status == 0
    assert all(word in shown for word in ("color_card", "2048 x 2048 pixels", "EmptyImage"))
    assert "Approved" in said
    assert (answer["status"], answer["reason"]) == ("approved", "Go ahead.")
    assert spent["code"] == "approval_spent"
    assert anew["code"] == "approval_required"
    assert anew["approval_id"] != body["approval_id"]
    assert sent(scene.host) == ["POST /prompt", "POST /prompt"]
    decisions = await scene.records("decision")
    (approved,) = [row for row in decisions if row["code"] == "approved"]
    assert approved["approval"] == body["approval_id"]
    assert approved["prompt_id"] == job["prompt_id"]
    assert approved["assurance"] == "operator"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_interrupt_is_parked_approved_elsewhere_and_repeated(
    scene: Scene, mode: str
) -> None:
    # Longer than all of it takes, and stopped at any step.
    scene.host.faults = Faults(step_ms=100)

    async with scene.agent(mode) as agent:
        job = await agent.ask("run_workflow", workflow=txt2img(steps=10_000), wait_seconds=0)
        await scene.host.until(lambda now: now.running == job["prompt_id"])
        # This tool has no wait of its own: the policy's is cut short by the operator's yes.
        async with anyio.create_task_group() as group:

            async def decide() -> None:
                await agent.waiting.wait()
                (asked,) = (await agent.ask("list_approvals", status="pending"))["approvals"]
                status, shown = await scene.operator("show", asked["approval_id"])
                assert status == 0
                assert job["prompt_id"][:8] in shown
                await scene.decided("approve", asked["approval_id"])

            group.start_soon(decide)
            stopped = await agent.ask("interrupt_execution", prompt_id=job["prompt_id"])
        found = (await agent.ask("list_approvals"))["approvals"]

    assert stopped["stopped"] is True
    assert [one["status"] for one in found] == ["spent"]


async def test_a_call_that_is_answered_while_it_waits_needs_no_repeat(scene: Scene) -> None:
    async with scene.agent() as agent, anyio.create_task_group() as group:

        async def decide() -> None:
            await agent.waiting.wait()
            (asked,) = (await agent.ask("list_approvals"))["approvals"]
            await scene.decided("approve", asked["approval_id"])

        group.start_soon(decide)
        job = await agent.ask("run_workflow", **RUN, wait_seconds=60)

    assert job["status"] == "completed"
    codes = [
        row["code"] for row in await scene.records("decision") if row["tool"] == "run_workflow"
    ]
    assert codes == ["approved"]


async def test_a_no_from_elsewhere_is_told_with_its_reason_remembered_and_can_be_taken_back(
    scene: Scene,
) -> None:
    async with scene.agent() as agent:
        _, body = await agent.refusal("run_workflow", **RUN, wait_seconds=0)
        await scene.decided("deny", body["approval_id"], "--reason", "Not while I render.")
        first, _ = await agent.refusal("run_workflow", **RUN)
        second, _ = await agent.refusal("run_workflow", approval_id=body["approval_id"])
        kept = sent(scene.host)
        status, after_all = await scene.operator("approve", body["approval_id"])
        job = await agent.ask("run_workflow", approval_id=body["approval_id"])

    assert 'A person said no ("Not while I render."). Do not ask for the same again' in first
    assert "Not while I render." in second
    assert kept == []
    assert status == 0
    assert "takes back the no" in after_all
    assert job["status"] == "completed"


@pytest.mark.parametrize("answered", [False, True])
async def test_a_request_that_expired_lets_nothing_through_and_is_asked_anew(
    scene: Scene, answered: bool
) -> None:
    async with scene.agent() as agent:
        _, body = await agent.refusal("run_workflow", **RUN, wait_seconds=0)
        request = body["approval_id"]
        if answered:
            await scene.decided("approve", request)
        await scene.later(3_601)
        found = await agent.ask("get_approval", approval_id=request)
        status, said = await scene.operator("approve", request)
        _, by_id = await agent.refusal("run_workflow", approval_id=request)
        _, anew = await agent.refusal("run_workflow", **RUN, wait_seconds=0)

    assert found["status"] == "expired"
    assert status == 1
    assert "Nothing was decided: it expired" in said
    assert by_id["code"] == "approval_expired"
    assert anew["code"] == "approval_required"
    assert anew["approval_id"] != request
    assert sent(scene.host) == []


async def test_a_request_that_the_agent_took_back_cannot_be_approved(scene: Scene) -> None:
    async with scene.agent() as agent:
        _, body = await agent.refusal("run_workflow", **RUN, wait_seconds=0)
        taken = await agent.ask("cancel_interrupt", approval_id=body["approval_id"])
        status, said = await scene.operator("approve", body["approval_id"])

    assert taken["status"] == "cancelled"
    assert status == 1
    assert "Nothing was decided: it was taken back" in said
    assert sent(scene.host) == []


async def test_a_yes_with_other_values_runs_those_and_says_so(scene: Scene) -> None:
    async with scene.agent() as agent:
        _, body = await agent.refusal("run_workflow", **RUN, wait_seconds=0)
        changes = ("--set", "width=640", "--set", "height=512")
        said = await scene.decided("approve", body["approval_id"], *changes)
        found = await agent.ask("get_approval", approval_id=body["approval_id"])
        job = await agent.ask("run_workflow", **RUN)
        resource = await agent.client.read_resource(job["outputs"][0]["uri"])

    assert "2048 -> 640" in said
    assert found["changes"] == {"width": [2048, 640], "height": [2048, 512]}
    assert "height: 2048 -> 512; width: 2048 -> 640" in job["warnings"][0]
    assert size_of(resource.contents[0]) == (640, 512)


@pytest.mark.parametrize("decided", ["before", "after"])
async def test_a_request_outlives_the_server_in_which_it_was_made(
    scene: Scene, decided: str
) -> None:
    async with scene.agent() as agent:
        _, body = await agent.refusal("run_workflow", **RUN, wait_seconds=0)
        if decided == "before":
            await scene.decided("approve", body["approval_id"])
    if decided == "after":
        await scene.decided("approve", body["approval_id"])
    async with scene.agent() as agent:
        job = await agent.ask("run_workflow", approval_id=body["approval_id"])

    assert job["status"] == "completed"


async def test_a_yes_for_one_agent_is_none_for_another(scene: Scene) -> None:
    async with scene.agent(grant="alice") as alice, scene.agent(grant="bob") as bob:
        _, body = await alice.refusal("run_workflow", **RUN, wait_seconds=0)
        await scene.decided("approve", body["approval_id"])
        _, by_id = await bob.refusal("run_workflow", approval_id=body["approval_id"])
        _, own = await bob.refusal("run_workflow", **RUN, wait_seconds=0)
        _, look = await bob.refusal("get_approval", approval_id=body["approval_id"])

    assert by_id["code"] == "approval_unknown"
    assert own["code"] == "approval_required"
    assert look["code"] == "approval_not_found"
    assert sent(scene.host) == []


async def test_a_question_is_answered_from_elsewhere_while_the_agent_waits(scene: Scene) -> None:
    async with scene.agent() as agent:
        context = {"model": "large", "steps": 50}
        asked = await agent.ask("request_approval", action="Use the large model", context=context)
        status, shown = await scene.as_printed(hint_in(asked["next"]))
        async with anyio.create_task_group() as group:

            async def decide() -> None:
                await agent.waiting.wait()
                await scene.decided("approve", asked["approval_id"], "--set", "steps=20")

            group.start_soon(decide)
            found = await agent.ask(
                "get_approval", approval_id=asked["approval_id"], wait_seconds=60
            )

    assert status == 0
    assert '"Use the large model"' in shown
    assert found["status"] == "approved"
    assert found["context"] == {"model": "large", "steps": 20}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_answers_over_stdio_where_the_policy_lets_it(
    scene: Scene, mode: str
) -> None:
    policy = {**POLICY, "approvals": {"channel": "elicitation"}}
    (scene.folder / "policy.json").write_text(json.dumps(policy))
    heard: list[str] = []

    async def answer(_context: Any, params: Any) -> ElicitResult:
        heard.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    async with scene.agent(mode, answer=answer) as agent:
        job = await agent.ask("run_workflow", **RUN)

    assert job["status"] == "completed"
    assert len(heard) == 1
    assert "2048 x 2048 pixels" in heard[0]
    (approved,) = [row for row in await scene.records("decision") if row["code"] == "approved"]
    assert approved["assurance"] == "client"
