"""Nobody is asked about a run that ComfyUI would refuse, and no yes is lost while it is away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from tests.tools.desk import EVERYTHING, Desk, Sit
from tests.tools.parked import parked, status, submitted
from tests.tools.person import ASKS, yes

pytestmark = pytest.mark.anyio


def loads(name: str) -> dict[str, Any]:
    """A workflow that saves an input picture again."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


async def asked(desk: Desk) -> int:
    """How many requests were made."""
    return len(await desk.services.store.approvals(now_ms(), count=10))


async def test_a_model_that_comfyui_lacks_is_told_with_the_nearest_and_asks_nobody(
    sit: Sit,
) -> None:
    async with sit(ASKS) as desk:
        text, _ = await desk.refusal(
            "run_workflow",
            workflow="txt2img",
            params={"prompt": "x", "checkpoint": "embeded-demo.safetensors"},
        )

        assert "Nobody was asked" in text
        assert 'Did you mean "embedded-demo.safetensors"?' in text
        assert await asked(desk) == 0


async def test_an_input_file_that_is_not_there_asks_nobody(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        text, _ = await desk.refusal("run_workflow", workflow=loads("nowhere.png"))

        assert 'reads "nowhere.png", which it does not have' in text
        assert await asked(desk) == 0


@pytest.mark.parametrize("name", ["./example.png", ".//example.png", "sub/../example.png"])
async def test_a_name_that_hides_which_file_it_is_asks_nobody(sit: Sit, name: str) -> None:
    async with sit({**ASKS, "gpu": {"ownership": "any"}}) as desk:
        text, _ = await desk.refusal("run_workflow", workflow=loads(name))

        assert "Write its name plainly" in text
        assert await asked(desk) == 0


async def test_while_comfyui_is_away_nobody_is_asked(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        async with host.away():
            text, body = await desk.refusal("run_workflow", workflow="color_card")

        assert "No ComfyUI at" in text
        assert body["retryable"]
        assert await asked(desk) == 0


async def test_a_yes_outlives_a_comfyui_that_is_away(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow="color_card")
        await yes(desk, row.approval_id)
        async with host.away():
            text, _ = await desk.refusal("run_workflow", approval_id=row.approval_id)
            assert await status(desk, row) == "approved"
        job = await desk.ask("run_workflow", approval_id=row.approval_id)

    assert "No ComfyUI at" in text
    assert job["status"] == "completed"
    assert len(submitted(host)) == 1


async def test_the_words_of_who_said_yes_reach_the_agent(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow="color_card")
        await yes(desk, row.approval_id, reason="only this once")
        job = await desk.ask("run_workflow", approval_id=row.approval_id)
        again = await desk.ask("get_job", prompt_id=job["prompt_id"])

    assert 'A person approved this ("only this once").' in job["warnings"]
    assert again["warnings"] == job["warnings"]


async def test_an_edit_of_the_policy_ends_what_was_asked_under_it(sit: Sit, tmp_path: Path) -> None:
    async with sit(ASKS, look_seconds=0.05) as desk, sit(EVERYTHING, grant="other") as other:
        row = await parked(desk, workflow="color_card")
        question = await other.ask("request_approval", action="May I?")
        (tmp_path / "policy-local.json").write_text(json.dumps({**ASKS, "description": "new"}))
        answer = await desk.ask("get_approval", approval_id=row.approval_id, wait_seconds=20)
        text, body = await desk.refusal("run_workflow", workflow="color_card")

        assert answer["status"] == "cancelled"
        assert body["code"] == "approval_required"
        assert body["approval_id"] != row.approval_id
        theirs = await other.ask("get_approval", approval_id=question["approval_id"])
        assert theirs["status"] == "pending"
        text, _ = await desk.refusal("run_workflow", approval_id=row.approval_id)
        assert "ended with an edit of the policy" in text
