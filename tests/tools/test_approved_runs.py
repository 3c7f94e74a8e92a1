"""What a yes lets through is what the person saw, or changed; whatever became of it since."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.server import now_ms
from comfy_mcp.store.protocol import ApprovalRow, JobRow
from comfy_mcp.tools.run_matter import MOST_FILES
from comfy_mcp.tools.table import TOOLS
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph, sent
from tests.tools.person import ASKS, asking, only, until_waiting, yes

pytestmark = pytest.mark.anyio

EVERY = {**EVERYTHING, "all_tools": {"require_approval": True}, "approvals": {"wait_s": 0}}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def ruled(rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A person is asked about every run, and this is ruled besides."""
    tools = {**EVERYTHING["tools"], "run_workflow": {"require_approval": True, **rule}}
    return {**ASKS, "tools": tools, **more}


async def parked(desk: Desk, tool: str = "run_workflow", **arguments: Any) -> ApprovalRow:
    """The new request that a call makes."""
    _, body = await desk.refusal(tool, **arguments)
    assert body["code"] == "approval_required", body
    row = await desk.services.store.approval(body["approval_id"], now_ms())
    assert row is not None
    return row


async def status(desk: Desk, row: ApprovalRow) -> str:
    found = await desk.services.store.approval_status(row.approval_id, now_ms())
    assert found is not None
    return found


async def sound(desk: Desk) -> None:
    """The audit log is whole, and has a row for each request that was made."""
    assert (await desk.services.store.verify())[1] is None
    rows = [row.record for row in await desk.services.store.tail(1_000)]
    asked = {row["approval_id"] for row in rows if row.get("action") == "requested"}
    found = await desk.services.store.approvals(now_ms(), count=1_000)
    assert {row.approval_id for row in found} == asked


def submitted(host: EmbeddedHost) -> list[dict[str, Any]]:
    """The graphs that were sent."""
    return [one.body["prompt"] for one in host.seen if one.path == "/prompt"]


async def job_of(desk: Desk, row: ApprovalRow) -> JobRow:
    """The job that a request was used for."""
    used = await desk.services.store.approval(row.approval_id, now_ms())
    assert used is not None
    assert (used.status, used.prompt_id is not None) == ("spent", True)
    job = await desk.services.store.job(used.prompt_id or "")
    assert job is not None
    return job


# -- what a person is shown ----------------------------------------------------------------------


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


# -- what a person changed -----------------------------------------------------------------------


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


# -- files that are read -------------------------------------------------------------------------


def put(host: EmbeddedHost, name: str, color: str, folder: str = "input") -> str:
    """A picture where ComfyUI finds it; its digest."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(buffer, "PNG")
    path = host.folder / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def loads(*names: str, kind: str = "LoadImage") -> dict[str, Any]:
    """A workflow that reads pictures and saves them again."""
    nodes: dict[str, Any] = {}
    for at, name in enumerate(names):
        nodes[f"r{at}"] = {"class_type": kind, "inputs": {"image": name}}
        saver = {"images": [f"r{at}", 0], "filename_prefix": "x"}
        nodes[f"s{at}"] = {"class_type": "SaveImage", "inputs": saver}
    return nodes


async def test_a_swapped_picture_is_a_new_request_with_its_new_digest(
    sit: Sit, host: EmbeddedHost
) -> None:
    red = put(host, "photo.png", "red")

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=loads("photo.png"))
        assert row.facts["inputs"] == [
            {
                "name": "photo.png",
                "type": "input",
                "sha256": red,
                "bytes": (host.folder / "input" / "photo.png").stat().st_size,
                "picture": True,
                "why": "",
            }
        ]
        assert row.payload["files"] == {"photo.png": red}
        await yes(desk, row.approval_id)
        blue = put(host, "photo.png", "blue")
        again = await parked(desk, workflow=loads("photo.png"))
        assert again.facts["inputs"][0]["sha256"] == blue != red
        assert await status(desk, row) == "approved"
        assert sent(host) == []

        # What was approved is there again, and is what runs.
        put(host, "photo.png", "red")
        job = await desk.ask("run_workflow", workflow=loads("photo.png"))
        assert (await job_of(desk, row)).prompt_id == job["prompt_id"]
        assert await status(desk, again) == "pending"
        await sound(desk)


async def test_a_picture_that_is_swapped_while_the_call_waits_runs_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    put(host, "photo.png", "red")
    codes: list[str] = []

    async with sit(asking(wait_s=50)) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                _, body = await desk.refusal(
                    "run_workflow", workflow=loads("photo.png"), wait_seconds=50
                )
                codes.append(body["code"])

            group.start_soon(call)
            row = await until_waiting(desk)
            put(host, "photo.png", "blue")
            await yes(desk, row.approval_id)

        assert codes == ["approval_outdated"]
        assert await status(desk, row) == "approved"
        new = await parked(desk, workflow=loads("photo.png"), wait_seconds=0)
        assert new.approval_id != row.approval_id
    assert sent(host) == []


async def test_a_plain_name_of_load_image_output_is_bound_in_both_folders(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        made = await desk.ask("run_workflow", workflow=card(1, prefix="own"))
    name = made["outputs"][0]["filename"]
    put(host, name, "red")
    run = loads(name, kind="LoadImageOutput")

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=run)
        assert [one["name"] for one in row.facts["inputs"]] == [name, f"{name} [output]"]
        assert [one["type"] for one in row.facts["inputs"]] == ["input", "output"]
        await yes(desk, row.approval_id)
        for folder in ("input", "output"):
            before = (host.folder / folder / name).read_bytes()
            put(host, name, "blue", folder)
            assert (await parked(desk, workflow=run)).approval_id != row.approval_id
            (host.folder / folder / name).write_bytes(before)


async def test_a_file_that_cannot_be_told_is_shown_as_such_and_is_another_once_it_can(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=loads("later.png"))
        (shown,) = row.facts["inputs"]
        assert (shown["sha256"], shown["why"]) == (None, "ComfyUI has no such file")
        await yes(desk, row.approval_id)
        put(host, "later.png", "red")
        assert (await parked(desk, workflow=loads("later.png"))).approval_id != row.approval_id
    assert sent(host) == []


async def test_more_files_than_a_person_can_look_at_are_refused_not_left_out(
    sit: Sit, host: EmbeddedHost
) -> None:
    many = [f"{at}.png" for at in range(MOST_FILES + 1)]

    async with sit(ASKS) as desk:
        text, _ = await desk.refusal("run_workflow", workflow=loads(*many))
        assert f"names {MOST_FILES + 1} files" in text
        row = await parked(desk, workflow=loads(*many[:-1]))
        assert len(row.facts["inputs"]) == MOST_FILES
        assert len(await desk.services.store.approvals(now_ms(), count=9)) == 1
    assert sent(host) == []


# -- the same call, and another ------------------------------------------------------------------


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
    "more", [{"params": {"width": 97}}, {"front": True}, {"workflow": "color_card"}]
)
async def test_whatever_is_given_beside_the_id_makes_another_call_of_it(
    sit: Sit, host: EmbeddedHost, more: dict[str, Any]
) -> None:
    async with sit({**ASKS, "gpu": {"queue_jump": "allow"}}) as desk:
        row = await parked(desk, workflow="color_card", params={"width": 96})
        await yes(desk, row.approval_id)
        other = await parked(desk, approval_id=row.approval_id, **more)

    assert other.approval_id != row.approval_id
    assert sent(host) == []


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


# -- tools that stop, and tools that read --------------------------------------------------------


async def test_an_interrupt_of_whatever_runs_is_for_the_job_that_ran_then(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(asking("interrupt_execution")) as desk:
        first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running == first["prompt_id"])
        row = await parked(desk, "interrupt_execution")
        assert [one["prompt_id"] for one in row.facts["targets"]] == [first["prompt_id"]]
        await yes(desk, row.approval_id)
        host.faults = Faults()
        await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=20)
        host.faults = Faults(node_ms=60_000)
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        await host.until(lambda now: now.running == second["prompt_id"])
        before = sent(host)

        other = await parked(desk, "interrupt_execution")

        assert other.facts["targets"][0]["prompt_id"] == second["prompt_id"]
        assert sent(host) == before
        assert await status(desk, row) == "approved"
        host.faults = Faults()
        await desk.ask("get_job", prompt_id=second["prompt_id"], wait_seconds=20)


async def test_nobody_is_asked_about_stopping_nothing(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(EVERY) as desk:
        stopped = await desk.ask("interrupt_execution")
        cleared = await desk.ask("clear_queue")
        assert await desk.services.store.approvals(now_ms(), count=9) == ()

    assert (stopped["was"], cleared["cleared"]) == ("not_found", 0)
    assert sent(host) == []


async def test_a_stop_by_its_other_name_spends_the_same_yes_once(sit: Sit) -> None:
    async with sit(asking("cancel_job")) as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        row = await parked(desk, "cancel_job", prompt_id=job["prompt_id"], wait_seconds=1)
        await yes(desk, row.approval_id)
        report = await desk.ask("comfy_cancel_generation", prompt_id=job["prompt_id"])
        assert report["outcome"] in {"cancelled", "already_finished"}
        assert await status(desk, row) == "spent"
        again = await parked(desk, "comfy_cancel_generation", prompt_id=job["prompt_id"])
        assert again.approval_id != row.approval_id


async def test_a_yes_to_clearing_leaves_jobs_that_came_later_alone(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(asking("clear_queue")) as desk:
        jobs = [
            (await desk.ask("run_workflow", workflow=card(color), wait_seconds=0))["prompt_id"]
            for color in range(3)
        ]
        await host.until(lambda now: now.running == jobs[0])
        row = await parked(desk, "clear_queue")
        assert row.payload["targets"] == jobs[1:]
        await yes(desk, row.approval_id)
        later = await desk.ask("run_workflow", workflow=card(9), wait_seconds=0)
        report = await desk.ask("clear_queue")
        waits = await desk.ask("get_job", prompt_id=later["prompt_id"])
        host.faults = Faults()

    assert sorted(report["prompt_ids"]) == sorted(jobs[1:])
    assert waits["status"] == "pending"


async def test_on_cancel_stops_nothing_that_a_person_decides_and_asks_nobody(
    sit: Sit, host: EmbeddedHost, caplog: pytest.LogCaptureFixture
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(asking("cancel_job")) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                await desk.call("run_workflow", workflow=card(1), on_cancel="cancel")

            group.start_soon(call)
            await host.until(lambda now: now.running is not None)
            group.cancel_scope.cancel()
        with anyio.fail_after(20):
            while "a person decides stops" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
                await anyio.sleep(0.01)
        assert await desk.services.store.approvals(now_ms(), count=1) == ()
        assert host.running is not None
        assert sent(host) == ["POST /prompt"]
        host.faults = Faults()


async def test_a_resource_is_read_with_a_yes_to_reading_it_only(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(asking("view_output")) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
        uri = job["outputs"][0]["uri"]
        viewed = await parked(desk, "view_output", uri=uri)
        await yes(desk, viewed.approval_id)
        with pytest.raises(MCPError) as caught:
            await desk.client.read_resource(uri)
        told = caught.value.error.data["comfy-mcp-guard/denial"]
        assert told["code"] == "approval_required"
        assert told["approval_id"] != viewed.approval_id
        assert not [one for one in host.seen if one.path == "/view"]

        await yes(desk, told["approval_id"])
        read = await desk.client.read_resource(uri)
        assert len(read.contents) == 1
        with pytest.raises(MCPError):
            await desk.client.read_resource(uri)
        assert not (await desk.call("view_output", uri=uri)).is_error
        await desk.refusal("view_output", uri=uri)
        await sound(desk)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "run_workflow": {"workflow": card(1)},
    "get_job": {"prompt_id": UNKNOWN},
    "view_output": {"uri": f"comfy://jobs/{UNKNOWN}/outputs/0"},
    "cancel_job": {"prompt_id": UNKNOWN, "wait_seconds": 0},
    "interrupt_execution": {"prompt_id": UNKNOWN, "cleanup_after_ms": 0},
    "get_approval": {"approval_id": "apr_0000000000000000"},
    "cancel_approval": {"approval_id": "apr_0000000000000000"},
    "request_approval": {"action": "May I?"},
}


@pytest.mark.parametrize("tool", [tool.name for tool in TOOLS])
async def test_no_tool_does_anything_without_a_yes_of_its_own_and_with_it_once(
    sit: Sit, host: EmbeddedHost, tool: str
) -> None:
    arguments = ARGUMENTS.get(tool, {})

    async with sit() as desk:
        host.faults = Faults(node_ms=60_000)
        jobs = [await desk.ask("run_workflow", workflow=card(n), wait_seconds=0) for n in (7, 8)]
        await host.until(lambda now: now.running == jobs[0]["prompt_id"])
    before = sent(host)

    async with sit(EVERY) as desk:
        row = await parked(desk, tool, **arguments)
        assert row.tool == tool
        for _ in range(2):
            _, body = await desk.refusal(tool, **arguments)
            assert (body["code"], body["approval_id"]) == ("approval_pending", row.approval_id)
        assert sent(host) == before
        assert [one.path for one in host.seen if one.path == "/view"] == []
        await yes(desk, row.approval_id)
        host.faults = Faults()

        result = await desk.call(tool, **arguments)
        body = json.loads(result.content[-1].text) if result.is_error else {}
        # It was let through, to whatever became of it.
        assert not str(body.get("code", "")).startswith("approval_") or (
            body["code"] == "approval_not_found"
        )
        assert await status(desk, row) == "spent"
        if tool != "clear_queue":  # By now there is nothing to clear.
            assert (await parked(desk, tool, **arguments)).approval_id != row.approval_id
        await sound(desk)


# -- waiting, size -------------------------------------------------------------------------------


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
