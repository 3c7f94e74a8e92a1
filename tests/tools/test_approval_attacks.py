"""What a yes does not let through, whatever an agent tries: each of these would be a way round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.oversight.approvals import decide
from comfy_mcp.server import now_ms
from tests.tools.desk import EVERYTHING, Desk, Sit, card, sent
from tests.tools.person import ASKS, BY, asking, no, only, yes

pytestmark = pytest.mark.anyio

RUN: dict[str, Any] = {"workflow": card(1), "wait_seconds": 0}


async def parked(desk: Desk, **arguments: Any) -> str:
    """Call run_workflow, which needs a person here; the id of the request."""
    _, body = await desk.refusal("run_workflow", **{**RUN, **arguments})
    assert body["decision"] == "require_approval"
    return str(body["approval_id"])


@pytest.mark.parametrize(
    "changed",
    [
        {"workflow": card(2)},
        {"workflow": card(1, prefix="elsewhere")},
        {"front": True},
    ],
    ids=["colour", "name", "front"],
)
async def test_another_argument_after_the_yes_is_another_question(
    sit: Sit, host: EmbeddedHost, changed: dict[str, Any]
) -> None:
    async with sit({**ASKS, "gpu": {"queue_jump": "allow"}}) as desk:
        request = await parked(desk)
        await yes(desk, request)
        other = await parked(desk, **changed)

    assert other != request
    assert sent(host) == []


async def test_other_arguments_beside_the_id_do_not_change_what_was_approved(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit({**ASKS, "gpu": {"queue_jump": "allow"}}) as desk:
        request = await parked(desk)
        await yes(desk, request)
        text, _ = await desk.refusal(
            "run_workflow", approval_id=request, front=True, wait_seconds=0
        )

    assert "give the id alone" in text
    assert sent(host) == []


async def test_how_long_to_wait_is_no_part_of_the_question(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await yes(desk, request)
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=20)

    assert job["status"] == "completed"


async def test_a_yes_is_used_once_however_it_is_called_for(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await yes(desk, request)
        await desk.ask("run_workflow", approval_id=request)
        again = await parked(desk)
        _, by_id = await desk.refusal("run_workflow", approval_id=request)

    assert again != request
    assert by_id["code"] == "approval_spent"
    assert sent(host) == ["POST /prompt"]


@pytest.mark.parametrize("by_id", [False, True])
async def test_of_retries_at_the_same_time_one_runs(
    sit: Sit, host: EmbeddedHost, by_id: bool
) -> None:
    ran: list[Any] = []
    refused: list[str] = []

    async with sit(ASKS) as desk, sit(ASKS) as other:
        request = await parked(desk)
        await yes(desk, request)

        async def retry(who: Desk) -> None:
            arguments = {"approval_id": request} if by_id else {"workflow": card(1)}
            result = await who.call("run_workflow", **arguments)
            if result.is_error:
                refused.append(json.loads(result.content[1].text)["code"])
            else:
                ran.append(result.structured_content)

        async with anyio.create_task_group() as group:
            for who in (desk, other) * 3:
                group.start_soon(retry, who)

    assert len(ran) == 1
    assert len(refused) == 5
    assert sent(host) == ["POST /prompt"]


async def test_a_yes_for_one_tool_is_none_for_another(sit: Sit, host: EmbeddedHost) -> None:
    rules = {**ASKS["tools"], "interrupt_execution": {"require_approval": True}}

    async with sit({**ASKS, "tools": rules}) as desk:
        request = await parked(desk)
        await yes(desk, request)
        text, body = await desk.refusal("interrupt_execution", approval_id=request)

    assert body["code"] == "invalid_args"
    assert "approval_id" in text
    assert sent(host) == []


@pytest.mark.parametrize(("late_ms", "counts"), [(-1, True), (0, False), (1, False)])
async def test_a_yes_after_the_time_is_none_to_the_millisecond(
    sit: Sit, host: EmbeddedHost, late_ms: int, counts: bool
) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        row = await only(desk)
        decided = await decide(
            desk.services.store,
            request,
            approve=True,
            by=BY,
            reason="",
            changes={},
            now_ms=row.expires_ms + late_ms,
            judge=None,
        )

    assert decided.ok is counts
    assert sent(host) == []


async def test_a_yes_that_was_not_used_in_time_runs_nothing(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        row = await yes(desk, request)
        await desk.services.store.record(row.expires_ms, {"kind": "test"})
        _, by_id = await desk.refusal("run_workflow", approval_id=request)
        again = await parked(desk)

    assert by_id["code"] == "approval_expired"
    assert again != request
    assert sent(host) == []


async def test_a_policy_that_changed_after_the_yes_asks_anew(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await yes(desk, request)
        edited = {**ASKS, "description": "Edited."}
        (tmp_path / "policy-local.json").write_text(json.dumps(edited))
        again = await parked(desk)
        before = await desk.services.store.approval(request, now_ms())

    assert again != request
    assert before is not None
    assert before.status == "cancelled"
    assert sent(host) == []


async def test_a_policy_that_denies_by_now_counts_more_than_a_yes(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await yes(desk, request)
        rules = {**EVERYTHING["tools"], "run_workflow": {"action": "deny"}}
        (tmp_path / "policy-local.json").write_text(json.dumps({**EVERYTHING, "tools": rules}))
        _, body = await desk.refusal("run_workflow", approval_id=request)

    assert body["code"] == "denied"
    assert sent(host) == []


async def test_a_limit_that_is_used_up_counts_more_than_a_yes_and_leaves_it(
    sit: Sit, host: EmbeddedHost
) -> None:
    large = [{"path": "gpu.width", "op": "gt", "value": 64}]
    rule = {"rate_limit": "1/hour", "require_approval": {"when": large}}
    wide = card(1)
    wide["1"]["inputs"]["width"] = 128

    async with sit({**ASKS, "tools": {**EVERYTHING["tools"], "run_workflow": rule}}) as desk:
        request = await parked(desk, workflow=wide)
        await yes(desk, request)
        await desk.ask("run_workflow", workflow=card(2))
        _, body = await desk.refusal("run_workflow", approval_id=request)
        row = await only(desk)

    assert body["code"] == "rate_limited"
    assert row.status == "approved"
    assert sent(host) == ["POST /prompt"]


async def test_nobody_is_asked_about_a_call_that_would_not_fit(sit: Sit) -> None:
    rule = {"rate_limit": "1/hour", "require_approval": True}

    async with sit({**ASKS, "tools": {**EVERYTHING["tools"], "run_workflow": rule}}) as desk:
        request = await parked(desk)
        await yes(desk, request)
        await desk.ask("run_workflow", approval_id=request)
        _, body = await desk.refusal("run_workflow", workflow=card(2), wait_seconds=0)
        rows = await desk.services.store.approvals(now_ms(), count=10)

    assert body["code"] == "rate_limited"
    assert [row.approval_id for row in rows] == [request]


@pytest.mark.parametrize("swapped", [True, False])
async def test_a_picture_swapped_under_the_same_name_is_another_question(
    sit: Sit, host: EmbeddedHost, swapped: bool
) -> None:
    file = host.folder / "input" / "photo.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), "red").save(file)
    workflow = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }

    async with sit(ASKS) as desk:
        request = await parked(desk, workflow=workflow)
        await yes(desk, request)
        if swapped:
            Image.new("RGB", (64, 64), "blue").save(file)
        by_id = await desk.call("run_workflow", approval_id=request, wait_seconds=20)

    assert by_id.is_error is swapped
    assert sent(host) == ([] if swapped else ["POST /prompt"])


async def test_a_flood_of_requests_ends_at_what_may_wait(sit: Sit, host: EmbeddedHost) -> None:
    codes: list[str] = []

    async with sit(asking(max_pending=3)) as desk:
        for colour in range(12):
            call = {"workflow": card(colour), "wait_seconds": 0}
            codes.append((await desk.refusal("run_workflow", **call))[1]["code"])
        for _ in range(3):
            call = {"workflow": card(0), "wait_seconds": 0}
            codes.append((await desk.refusal("run_workflow", **call))[1]["code"])
        rows = await desk.services.store.approvals(now_ms(), count=100)

    assert codes == ["approval_required"] * 3 + ["approvals_full"] * 9 + ["approval_pending"] * 3
    assert len(rows) == 3
    assert sent(host) == []


async def test_a_no_is_remembered_whoever_asks_again(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await no(desk, request)
        codes = [
            (await desk.refusal("run_workflow", **arguments))[1]["code"]
            for arguments in (RUN, {"approval_id": request}, RUN)
        ]
        rows = await desk.services.store.approvals(now_ms(), count=10)

    assert codes == ["approval_denied"] * 3
    assert len(rows) == 1
    assert sent(host) == []


def by_chance(color: int) -> str:
    """A library workflow with a seed that is drawn anew for every run."""
    noise = {"class_type": "KSampler", "inputs": {"seed": 0}}
    seed = {
        "name": "seed",
        "type": "seed",
        "description": "Chance.",
        "default": None,
        "fills": [{"node": "3", "input": "seed"}],
    }
    whole = {"title": "Chance", "description": "Chance.", "parameters": [seed]}
    return json.dumps({**whole, "graph": {**card(color), "3": noise}})


async def test_what_was_shown_is_sent_with_its_seed_though_the_library_has_changed(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    folder = tmp_path / "workflows"
    folder.mkdir()
    file = folder / "chance.json"
    file.write_text(by_chance(1))

    async with sit(ASKS, workflows=(folder,)) as desk:
        request = await parked(desk, workflow="chance")
        row = await yes(desk, request)
        file.write_text(by_chance(2))
        await desk.ask("run_workflow", workflow="chance")

    (sent_graph,) = [
        one.body["prompt"] for one in host.seen if (one.method, one.path) == ("POST", "/prompt")
    ]
    assert sent_graph == row.payload["graph"]
    assert sent_graph["3"]["inputs"]["seed"] == row.facts["values"]["seed"]
    assert sent_graph["1"]["inputs"]["color"] == 1
