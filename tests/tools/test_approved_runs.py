"""What a yes lets through is what the person saw, or changed; whatever became of it since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.tools.desk import Sit, card, sent
from tests.tools.parked import UNKNOWN, job_of, parked, ruled, sound, status, submitted
from tests.tools.person import ASKS, asking, only, until_waiting, yes

pytestmark = pytest.mark.anyio


async def test_a_person_is_shown_the_whole_of_a_run(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow="color_card", params={"width": 96}, front=False)
        facts = row.facts

        assert (facts["workflow"], facts["title"]) == ("color_card", "Colour card")
        assert facts["values"]["width"] == 96
        assert facts["values"]["height"] == 512
        assert (facts["graph"]["nodes"], facts["graph"]["classes"]["EmptyImage"]) == (7, 2)
        assert (facts["graph"]["width"], facts["graph"]["undetermined"]) == (512, [])
        assert facts["queue"] == {"running": 0, "pending": 0}
        assert facts["estimate_s"] is None
        assert (facts["front"], facts["inputs"], facts["targets"]) == (False, [], [])
        assert facts["place"] == host.url
        assert row.payload["graph"]["6"]["inputs"]["width"] == 96
        assert json.loads(json.dumps(dict(facts))) == facts


async def test_a_person_is_shown_how_long_such_runs_took(sit: Sit) -> None:
    async with sit() as desk:
        await desk.ask("run_workflow", workflow=card(1))
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=card(2))

    assert row.facts["estimate_s"] > 0


async def test_what_a_person_changed_is_what_runs_and_the_agent_is_told(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow="color_card", params={"width": 96})
        await yes(desk, row.approval_id, width=128, height=64)
        job = await desk.ask("run_workflow", workflow="color_card", params={"width": 96})
        found = await job_of(desk, row)
        await sound(desk)

    assert job["status"] == "completed"
    words = [text for text in job["warnings"] if "approved this with changes" in text]
    assert len(words) == 1
    assert "width: 96 -> 128" in words[0]
    assert "height: 512 -> 64" in words[0]
    (ran,) = submitted(host)
    assert (ran["6"]["inputs"]["width"], ran["6"]["inputs"]["height"]) == (128, 64)
    assert found.prompt_id == job["prompt_id"]


async def test_a_value_in_a_node_is_changed_and_the_prefix_stays(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit({**ASKS, "gpu": {"output_prefix": "agents/{grant}/"}}) as desk:
        row = await parked(desk, workflow=card(1))
        await yes(desk, row.approval_id, **{"1.width": 80, "2.filename_prefix": "elsewhere"})
        job = await desk.ask("run_workflow", approval_id=row.approval_id)

    (ran,) = submitted(host)
    assert ran["1"]["inputs"]["width"] == 80
    assert ran["2"]["inputs"]["filename_prefix"] == "agents/local/elsewhere"
    assert job["outputs"][0]["filename"].startswith("elsewhere")


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"gpu": {"max_width": 600}}, "gpu_limit"),
        (
            {
                "deny_if": [
                    {
                        "name": "wide",
                        "conditions": [{"path": "args.params.width", "op": "gt", "value": 600}],
                    }
                ]
            },
            "deny_if",
        ),
        (
            {
                "require": [
                    {
                        "name": "narrow",
                        "conditions": [{"path": "args.params.width", "op": "lte", "value": 600}],
                    }
                ]
            },
            "require_failed",
        ),
        (
            {
                "limits": [
                    {
                        "counter": "pixels",
                        "window": "hour",
                        "max": 600,
                        "increment_from": "args.params.width",
                    }
                ]
            },
            "never_fits",
        ),
    ],
    ids=["gpu", "deny_if", "require", "limit"],
)
async def test_what_a_person_changed_is_judged_like_any_call(
    sit: Sit, host: EmbeddedHost, rule: dict[str, Any], code: str
) -> None:
    run = {"workflow": "color_card", "params": {"width": 96}}

    async with sit(ruled(rule)) as desk:
        row = await parked(desk, **run)
        await yes(desk, row.approval_id, width=700)
        for arguments in (run, {"approval_id": row.approval_id}):
            _, body = await desk.refusal("run_workflow", **arguments)
            assert body["code"] == code
            assert body["rule"].startswith("/tools/run_workflow/")
        assert await status(desk, row) == "approved"
        await sound(desk)

    assert sent(host) == []


async def test_a_changed_graph_of_the_agents_own_is_judged_as_it_is_sent(
    sit: Sit, host: EmbeddedHost
) -> None:
    path = "args.workflow.1.inputs.width"
    wide = [{"name": "wide", "conditions": [{"path": path, "op": "gt", "value": 600}]}]

    async with sit(ruled({"deny_if": wide})) as desk:
        row = await parked(desk, workflow=card(1))
        await yes(desk, row.approval_id, **{"1.width": 700})
        _, body = await desk.refusal("run_workflow", approval_id=row.approval_id)

    assert body["code"] == "deny_if"
    assert sent(host) == []


async def test_a_limit_counts_what_a_person_made_of_the_call(sit: Sit) -> None:
    limit = {"counter": "px", "window": "hour", "max": 900, "increment_from": "args.params.width"}
    run = {"workflow": "color_card", "params": {"width": 96}}

    async with sit(ruled({"limits": [limit]})) as desk:
        row = await parked(desk, **run)
        await yes(desk, row.approval_id, width=200)
        await desk.ask("run_workflow", **run)
        held = {one.counter: one.amount for one in await desk.services.store.accounts()}

    assert held["px"] == 200_000_000


async def test_a_client_that_sends_every_default_beside_the_id_means_the_id(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit({**ASKS, "gpu": {"queue_jump": "allow"}}) as desk:
        row = await parked(desk, workflow="color_card", params={"width": 96}, front=True)
        await yes(desk, row.approval_id)
        job = await desk.ask(
            "run_workflow",
            workflow=None,
            params={},
            front=False,
            wait_seconds=40,
            idempotency_key=None,
            on_cancel="keep",
            approval_id=row.approval_id,
        )

    assert job["status"] == "completed"
    (ran,) = submitted(host)
    assert ran["6"]["inputs"]["width"] == 96


@pytest.mark.parametrize(
    "more", [{"params": {"width": 97}}, {"front": True}, {"workflow": "txt2img"}]
)
async def test_what_differs_beside_the_id_is_refused_and_nothing_is_asked(
    sit: Sit, host: EmbeddedHost, more: dict[str, Any]
) -> None:
    async with sit({**ASKS, "gpu": {"queue_jump": "allow"}}) as desk:
        row = await parked(desk, workflow="color_card", params={"width": 96})
        await yes(desk, row.approval_id)
        text, _ = await desk.refusal("run_workflow", approval_id=row.approval_id, **more)
        job = await desk.ask("run_workflow", approval_id=row.approval_id, workflow="color_card")

    assert "give the id alone" in text
    assert job["status"] == "completed"
    (ran,) = submitted(host)
    assert ran["6"]["inputs"]["width"] == 96


async def test_the_id_of_another_agents_request_and_of_another_tools_is_unknown(
    sit: Sit, host: EmbeddedHost
) -> None:
    tools = {**ASKS["tools"], "cancel_job": {"require_approval": True}}

    async with sit({**ASKS, "tools": tools}) as desk, sit(ASKS, grant="other") as other:
        row = await parked(desk, workflow=card(1))
        stop = await parked(desk, "cancel_job", prompt_id=UNKNOWN)
        for one in (row, stop):
            await yes(desk, one.approval_id)
        texts = set()
        for who, one in ((other, row), (desk, stop)):
            text, body = await who.refusal("run_workflow", approval_id=one.approval_id)
            assert body["code"] == "approval_unknown"
            texts.add(text.replace(one.approval_id, "ID").rpartition("(")[0])
        assert len(texts) == 1
        await sound(desk)

    assert sent(host) == []


@pytest.mark.parametrize(
    ("first", "then"),
    [({"n": 1}, {"n": 1.0}), ({"n": 1}, {"n": True}), ({"n": "\u00e9"}, {"n": "e\u0301"})],
)
async def test_a_value_of_another_type_or_spelling_is_another_call(
    sit: Sit, host: EmbeddedHost, first: dict[str, Any], then: dict[str, Any]
) -> None:
    def odd(inputs: dict[str, Any]) -> dict[str, Any]:
        return {**card(1), "9": {"class_type": "PrimitiveString", "inputs": inputs}}

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=odd(first))
        await yes(desk, row.approval_id)
        assert (await parked(desk, workflow=odd(then))).approval_id != row.approval_id

    assert sent(host) == []


async def test_the_order_of_nodes_and_parameters_makes_no_other_call(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow="color_card", params={"width": 96, "height": 64})
        await yes(desk, row.approval_id)
        await desk.ask("run_workflow", workflow="color_card", params={"height": 64, "width": 96})
        inline = await parked(desk, workflow=card(1))
        await yes(desk, inline.approval_id)
        await desk.ask("run_workflow", workflow=dict(reversed(card(1).items())))

    assert submitted(host)[-1] == inline.payload["graph"]


async def test_a_workflow_that_left_the_library_runs_nothing_and_keeps_its_yes(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    folder = tmp_path / "workflows"
    folder.mkdir()
    file = folder / "own.json"
    file.write_text(json.dumps({"title": "Own", "parameters": [], "graph": card(1)}))

    async with sit(ASKS, workflows=(folder,)) as desk:
        row = await parked(desk, workflow="own")
        await yes(desk, row.approval_id)
        file.unlink()
        await desk.refusal("run_workflow", approval_id=row.approval_id)
        assert await status(desk, row) == "approved"

    assert sent(host) == []


async def test_with_a_key_in_the_retry_only_the_run_is_found_again(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=card(1))
        await yes(desk, row.approval_id)
        keyed = {"workflow": card(1), "idempotency_key": "once"}
        first = await desk.ask("run_workflow", **keyed)
        again = await desk.ask("run_workflow", **keyed)
        text, body = await desk.refusal(
            "run_workflow", workflow=card(2), idempotency_key="once", wait_seconds=0
        )

    assert first["prompt_id"] == again["prompt_id"]
    assert len(submitted(host)) == 1
    # Nobody is asked about a call that its key refuses.
    assert body["code"] == "idempotency_conflict", text


async def test_a_call_that_its_client_gives_up_while_it_waits_leaves_its_request(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(asking(wait_s=50)) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                await desk.call("run_workflow", workflow=card(1), wait_seconds=50)

            group.start_soon(call)
            row = await until_waiting(desk)
            group.cancel_scope.cancel()
        assert await status(desk, row) == "pending"
        assert sent(host) == []
        await yes(desk, row.approval_id)
        job = await desk.ask("run_workflow", workflow=card(1))

    assert job["status"] == "completed"


async def test_a_call_that_waits_runs_as_soon_as_somebody_says_yes(
    sit: Sit, host: EmbeddedHost
) -> None:
    jobs: list[dict[str, Any]] = []

    async with sit(asking(wait_s=50)) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                jobs.append(await desk.ask("run_workflow", workflow=card(1), wait_seconds=50))

            group.start_soon(call)
            row = await until_waiting(desk)
            await yes(desk, row.approval_id, **{"1.color": 2})
        assert (await job_of(desk, row)).prompt_id == jobs[0]["prompt_id"]

    assert jobs[0]["status"] == "completed"
    assert submitted(host)[0]["1"]["inputs"]["color"] == 2


async def test_a_large_workflow_is_parked_and_run_as_it_is(sit: Sit, host: EmbeddedHost) -> None:
    large = card(1)
    for at in range(10, 40):
        large[str(at)] = {"class_type": "PrimitiveString", "inputs": {"value": "x" * 50_000}}

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=large)
        await yes(desk, row.approval_id)
        job = await desk.ask("run_workflow", approval_id=row.approval_id)
        assert await only(desk)

    assert job["status"] == "completed"
    assert submitted(host) == [large]


async def test_without_its_state_the_server_runs_nothing_and_keeps_the_yes(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=card(1))
        await yes(desk, row.approval_id)
        (tmp_path / "state").rename(tmp_path / "elsewhere")
        for arguments in ({"workflow": card(1)}, {"approval_id": row.approval_id}):
            _, body = await desk.refusal("run_workflow", **arguments)
            assert body["code"] == "audit_unavailable"
        assert sent(host) == []

        (tmp_path / "elsewhere").rename(tmp_path / "state")
        job = await desk.ask("run_workflow", approval_id=row.approval_id)
        assert (await job_of(desk, row)).prompt_id == job["prompt_id"]
        await sound(desk)

    assert len(submitted(host)) == 1
