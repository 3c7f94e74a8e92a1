"""run_sweep and get_sweep: many variants, let through as a whole, in one table."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.embedded.desk import txt2img
from tests.tools.desk import Sit, card, sent
from tests.tools.person import yes
from tests.tools.sweeping import SWEEPS, policy

pytestmark = pytest.mark.anyio

LONG = txt2img(steps=4_000)
"""Takes minutes, and stops between two steps."""


async def test_twelve_runs_with_one_that_fails_are_one_table(sit: Sit, host: EmbeddedHost) -> None:
    colors = [1, 2, 3, 4, 5, -1, 7, 8, 9, 10, 11, 12]

    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes={"1.color": colors})

    assert swept["counts"] == {"completed": 11, "failed": 1}
    assert [row["changed"] for row in swept["table"]] == [{"1.color": color} for color in colors]
    assert [row["run"] for row in swept["table"]] == list(range(1, 13))
    (failed,) = [row for row in swept["table"] if row["status"] == "failed"]
    assert failed["changed"] == {"1.color": -1}
    assert "node 1 (EmptyImage), input color" in failed["error"]
    assert all(len(row["outputs"]) == 1 for row in swept["table"] if row is not failed)
    assert sent(host) == ["POST /prompt"] * 12
    uris = ", ".join(f'"{row["outputs"][0]}"' for row in swept["table"] if row is not failed)
    assert swept["next"] == f"See all on one sheet: view_output([{uris}])"


async def test_runs_are_queued_in_their_order_and_the_first_axis_is_the_slowest(
    sit: Sit, host: EmbeddedHost
) -> None:
    axes = {"1.color": [1, 2], "1.width": [32, 64]}

    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes=axes)

    values = [(row["changed"]["1.color"], row["changed"]["1.width"]) for row in swept["table"]]
    assert values == [(1, 32), (1, 64), (2, 32), (2, 64)]
    assert host.finished == tuple(row["prompt_id"] for row in swept["table"])


async def test_a_list_says_what_each_run_changes(sit: Sit) -> None:
    axes = [{"color": 255}, {"color": 128, "width": 64}, {}]

    async with sit(SWEEPS) as desk:
        params = {"height": 64}
        swept = await desk.ask("run_sweep", workflow="color_card", params=params, axes=axes)

    assert swept["workflow"] == "color_card"
    assert swept["counts"] == {"completed": 3}
    assert [row.get("changed", {}) for row in swept["table"]] == axes


async def test_seeds_by_chance_are_drawn_for_each_run_and_told(sit: Sit) -> None:
    async with sit(SWEEPS) as desk:
        swept = await desk.ask(
            "run_sweep",
            workflow=txt2img(steps=1, seed=3),
            params={"seed": "random"},
            axes=[{}, {}],
        )

    seeds = [row["changed"]["seed"] for row in swept["table"]]
    assert len(set(seeds)) == 2
    assert 3 not in seeds


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"axes": {"1.color": list(range(13))}}, "13 runs, more than max_runs=12"),
        ({"axes": {"1.color": list(range(300))}, "max_runs": 100}, "has at most 100"),
        ({"axes": {}}, "Say what is to differ"),
        ({"axes": []}, "Say what is to differ"),
        ({"axes": {"1.color": []}}, "no values"),
        ({"axes": {"1.color": [1]}, "params": {"1.color": 2}}, "Leave it out of params"),
        ({"axes": {"1.color": [1, "red"]}}, "Run 2 of 2: 1.color must be an integer"),
        ({"axes": {"colour": [1, 2]}}, "There is no parameter"),
    ],
)
async def test_a_sweep_that_cannot_be_is_refused_before_anything_is_sent(
    sit: Sit, host: EmbeddedHost, asked: dict[str, Any], words: str
) -> None:
    async with sit(SWEEPS) as desk:
        text, body = await desk.refusal("run_sweep", workflow=card(0), **asked)

    assert words in text
    assert body["code"] == "workflow"
    assert sent(host) == []


async def test_one_variant_that_the_policy_refuses_refuses_all(
    sit: Sit, host: EmbeddedHost
) -> None:
    small = {**SWEEPS, "gpu": {"max_width": 64}}

    async with sit(small) as desk:
        text, body = await desk.refusal(
            "run_sweep", workflow=card(0), axes={"1.width": [32, 64, 65]}
        )

    assert "Run 3 of 3 (1.width 65)" in text
    assert body["decision"] == "deny"
    assert sent(host) == []


async def test_who_may_not_run_workflows_may_not_run_many(sit: Sit, host: EmbeddedHost) -> None:
    none = policy()
    del none["tools"]["run_workflow"]

    async with sit(none) as desk:
        _, body = await desk.refusal("run_sweep", workflow=card(0), axes={"1.color": [1]})

    assert body["decision"] == "deny"
    assert sent(host) == []


async def test_more_runs_than_fit_are_refused_as_a_whole_and_take_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    two = {**SWEEPS, "gpu": {"max_in_flight": 2}}

    async with sit(two) as desk:
        _, body = await desk.refusal("run_sweep", workflow=card(0), axes={"1.color": [1, 2, 3]})
        fits = await desk.ask("run_sweep", workflow=card(0), axes={"1.color": [1, 2]})

    assert (body["code"], body["retryable"]) == ("never_fits", False)
    assert body["limit"]["fit"] == 2
    assert fits["counts"] == {"completed": 2}
    assert sent(host) == ["POST /prompt"] * 2


async def test_a_wait_that_runs_out_is_followed_by_another_process(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(SWEEPS) as desk:
        swept = await desk.ask(
            "run_sweep", workflow=card(0), axes={"1.color": [1, 2, 3]}, wait_seconds=0.05
        )
        assert set(swept["counts"]) <= {"pending", "in_progress"}
        assert "get_sweep" in swept["next"]

    host.faults = Faults()
    async with sit(SWEEPS) as desk:
        later = await desk.ask("get_sweep", sweep_id=swept["sweep_id"], wait_seconds=60)

    assert later["counts"] == {"completed": 3}
    assert [row["changed"] for row in later["table"]] == [{"1.color": one} for one in (1, 2, 3)]


async def test_a_wait_tells_how_many_have_ended(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=20)

    async with sit(SWEEPS) as desk:
        await desk.ask("run_sweep", workflow=card(0), axes={"1.color": [1, 2, 3]})

    words = [said for _, said in desk.progress]
    assert words[0].startswith("submitting 3 runs as swp_")
    assert words[-1] == "3 of 3 runs have ended"


async def test_anothers_sweep_is_as_unknown_as_none(sit: Sit) -> None:
    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=card(0), axes={"1.color": [1]})

    async with sit(SWEEPS, grant="other") as other:
        theirs, _ = await other.refusal("get_sweep", sweep_id=swept["sweep_id"])
        none, _ = await other.refusal("get_sweep", sweep_id="swp_0000000000000000")

    assert theirs.replace(swept["sweep_id"], "X") == none.replace("swp_0000000000000000", "X")


async def test_a_repeated_call_with_its_key_gets_its_sweep(sit: Sit, host: EmbeddedHost) -> None:
    asked = {"workflow": card(0), "axes": {"1.color": [1, 2]}, "idempotency_key": "mine"}

    async with sit(SWEEPS) as desk:
        first = await desk.ask("run_sweep", **asked)
        again = await desk.ask("run_sweep", **asked)
        _, other = await desk.refusal("run_sweep", **{**asked, "axes": {"1.color": [1, 3]}})

    assert again["sweep_id"] == first["sweep_id"]
    assert "nothing was submitted now" in again["warnings"][0]
    assert other["code"] == "idempotency_conflict"
    assert sent(host) == ["POST /prompt"] * 2


async def test_a_large_table_comes_in_pages(sit: Sit) -> None:
    texts = [f"{at} " + "long words " * 30 for at in range(60)]
    words = {
        "1": {"class_type": "PreviewAny", "inputs": {"source": "x"}},
    }

    async with sit(SWEEPS) as desk:
        page = await desk.ask(
            "run_sweep", workflow=words, axes={"1.source": texts}, max_runs=60, wait_seconds=120
        )
        assert len(json.dumps(page)) < 20_000
        runs = [row["run"] for row in page["table"]]
        while page.get("next_cursor"):
            cursor = page["next_cursor"]
            page = await desk.ask("get_sweep", sweep_id=page["sweep_id"], cursor=cursor)
            assert len(json.dumps(page)) < 20_000
            runs += [row["run"] for row in page["table"]]

    assert runs == list(range(1, 61))


async def test_cancelling_a_sweep_stops_what_runs_and_what_waits(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(SWEEPS) as desk:
        swept = await desk.ask(
            "run_sweep", workflow=LONG, axes={"seed": [1, 2, 3, 4]}, wait_seconds=0
        )
        stranger = await desk.ask("run_workflow", workflow=LONG, wait_seconds=0)
        report = await desk.ask("cancel_job", prompt_id=swept["sweep_id"])
        again = await desk.ask("cancel_job", prompt_id=swept["sweep_id"])
        after = await desk.ask("get_sweep", sweep_id=swept["sweep_id"])
        async with asyncio.timeout(20):
            while host.running is None:  # noqa: ASYNC110 - the host tells nobody
                await asyncio.sleep(0.01)
        left = {host.running, *host.pending}
        await desk.ask("cancel_job", prompt_id=stranger["prompt_id"])

    assert left == {stranger["prompt_id"]}
    assert report["outcome"] == "cancelled"
    assert report["counts"] == after["counts"] == {"cancelled": 4}
    assert again["outcome"] == "already_finished"


async def test_anothers_sweep_cannot_be_cancelled(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(SWEEPS) as desk:
        swept = await desk.ask(
            "run_sweep", workflow=card(0), axes={"1.color": [1, 2]}, wait_seconds=0
        )
        async with sit(SWEEPS, grant="other") as other:
            answer = await other.ask("cancel_job", prompt_id=swept["sweep_id"])
        counts = (await desk.ask("get_sweep", sweep_id=swept["sweep_id"]))["counts"]
        await desk.ask("cancel_job", prompt_id=swept["sweep_id"])

    assert answer["outcome"] == "not_found"
    assert sum(counts.values()) == counts.get("pending", 0) + counts.get("in_progress", 0)


async def test_comfyui_that_goes_away_in_the_middle_leaves_a_told_rest(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(SWEEPS) as desk:
        await desk.ask("run_workflow", workflow=card(50))
        await host.stop()
        swept = await desk.ask("run_sweep", workflow=card(0), axes={"1.color": [1, 2, 3]})
        status = await desk.ask("get_policy_status")
        await host.start()

    assert swept["counts"] == {"failed": 3}
    assert "No ComfyUI" in swept["table"][0]["error"]
    assert swept["table"][2]["error"].startswith("It was not sent")
    assert status.get("in_flight", {}).get("used", 0) == 0


async def test_a_sweep_that_needs_a_person_is_one_request(sit: Sit, host: EmbeddedHost) -> None:
    asks = {**policy(run_workflow={"require_approval": True}), "approvals": {"wait_s": 0}}
    asked = {"workflow": card(0), "axes": {"1.color": [1, 2, 3]}}

    async with sit(asks) as desk:
        words, body = await desk.refusal("run_sweep", **asked)
        listed = await desk.ask("list_approvals")
        assert [one["tool"] for one in listed["approvals"]] == ["run_sweep"]
        await yes(desk, body["approval_id"])
        swept = await desk.ask("run_sweep", **asked)
        spent, _ = await desk.refusal("run_sweep", **asked)

    assert "[APPROVAL NEEDED]" in words
    assert "3 variants" in listed["approvals"][0]["what"]
    assert swept["counts"] == {"completed": 3}
    assert "[APPROVAL NEEDED]" in spent
    assert sent(host) == ["POST /prompt"] * 3


async def test_of_many_pictures_as_many_are_offered_as_one_sheet_takes(sit: Sit) -> None:
    many = card(7)
    many["1"]["inputs"]["batch_size"] = 9

    async with sit(SWEEPS) as desk:
        one = await desk.ask("run_sweep", workflow=card(0), axes={"1.color": [1]})
        swept = await desk.ask("run_sweep", workflow=many, axes={"1.color": [1, 2]})
        uris = json.loads(swept["next"].partition("view_output(")[2].removesuffix(")"))
        sheet = await desk.call("view_output", uri=uris)

    assert one["next"] == f'See it: view_output("{one["table"][0]["outputs"][0]}")'
    assert swept["next"].startswith("See the first 16 on one sheet")
    assert len(uris) == 16
    assert not sheet.is_error


async def test_a_former_run_can_be_varied(sit: Sit) -> None:
    async with sit(SWEEPS) as desk:
        first = await desk.ask("run_workflow", workflow="color_card", params={"width": 64})
        swept = await desk.ask(
            "run_sweep", from_prompt_id=first["prompt_id"], axes={"height": [64, 128]}
        )

    assert swept["workflow"] == "color_card"
    assert swept["counts"] == {"completed": 2}


async def test_a_client_that_stops_waiting_leaves_the_sweep_running(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit(SWEEPS) as desk:
        with anyio.move_on_after(60) as scope:

            async def said() -> None:
                while len(host.pending) < 2:  # noqa: ASYNC110 - the host tells nobody
                    await anyio.sleep(0.01)
                scope.cancel()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(said)
                await desk.call(
                    "run_sweep", workflow=card(0), axes={"1.color": [1, 2, 3]}, wait_seconds=50
                )
        listed = await desk.ask("list_jobs")
        sweeps = {job["sweep_id"] for job in listed["jobs"]}
        host.faults = Faults()
        later = await desk.ask("get_sweep", sweep_id=sweeps.pop(), wait_seconds=60)

    assert not sweeps
    assert later["counts"] == {"completed": 3}


async def test_a_row_says_which_output_comfyui_dropped(sit: Sit) -> None:
    graph = card(0)
    graph["3"] = {"class_type": "LoadImage", "inputs": {"image": "nope.png"}}
    graph["4"] = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}

    async with sit(SWEEPS) as desk:
        swept = await desk.ask("run_sweep", workflow=graph, axes={"1.color": [1, 2]})
        whole = await desk.ask("run_sweep", workflow=card(0), axes={"1.color": [3]})

    assert swept["counts"] == {"completed": 2}
    for row in swept["table"]:
        assert row["warning"].startswith("ComfyUI dropped an output: node 3 (LoadImage)")
        assert len(row["warning"]) <= 200
    assert "warning" not in whole["table"][0]
