"""The queue shows what waits and runs; deleting and interrupting say 200 whatever they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def test_items_have_five_parts_and_keep_what_the_client_added(comfyui: Comfy) -> None:
    prompt_id, graph = new_id(), fresh("small")
    extra = {"extra_pnginfo": {"workflow": {"id": "wf"}}}
    async with comfyui.busy():
        await comfyui.submit(graph, prompt_id=prompt_id, client_id="c", extra_data=extra, number=9)
        item = next(each for each in await comfyui.pending() if each[1] == prompt_id)
        await comfyui.post("/queue", {"delete": [prompt_id]})

    assert item[0] == 9.0
    assert item[2] == graph
    assert {"client_id", "extra_pnginfo"} <= set(item[3])
    assert ("create_time" in item[3]) is comfyui.since("0.3.69")
    assert item[4] == ["2"]
    assert len(item) == 5


async def test_pending_jobs_are_listed_as_a_heap(comfyui: Comfy) -> None:
    ids = {number: new_id() for number in (1e9, 1e9 + 3, 1e9 + 1, 1e9 + 2)}
    async with comfyui.busy():
        for number, prompt_id in ids.items():
            await comfyui.submit(fresh("small"), prompt_id=prompt_id, number=number)
        items = [each[:2] for each in await comfyui.pending() if each[1] in ids.values()]
        await comfyui.post("/queue", {"delete": list(ids.values())})

    assert items != sorted(items), "not in the order of running"
    assert sorted(items) == sorted([number, prompt_id] for number, prompt_id in ids.items())


async def test_a_deleted_pending_job_leaves_no_trace(comfyui: Comfy) -> None:
    prompt_id = new_id()
    async with comfyui.busy():
        await comfyui.submit(fresh("small"), prompt_id=prompt_id)
        answer = await comfyui.post("/queue", {"delete": [prompt_id]})
        waiting = [each[1] for each in await comfyui.pending()]

    assert (answer.status, answer.body) == (200, "")
    assert prompt_id not in waiting
    assert (await comfyui.get(f"/history/{prompt_id}")).body == {}
    assert (await comfyui.get(f"/api/jobs/{prompt_id}")).status == 404


async def test_deleting_a_job_queued_twice_takes_the_first_only(comfyui: Comfy) -> None:
    prompt_id = new_id()
    async with comfyui.busy():
        for _ in range(2):
            assert (await comfyui.submit(fresh("small"), prompt_id=prompt_id)).status == 200
        await comfyui.post("/queue", {"delete": [prompt_id]})
        left = [each[1] for each in await comfyui.pending()].count(prompt_id)
        await comfyui.post("/queue", {"delete": [prompt_id]})

    assert left == 1


@pytest.mark.parametrize("body", [{}, {"delete": [new_id()]}, {"delete": "abc"}])
async def test_what_is_not_there_is_deleted_in_silence(comfyui: Comfy, body: Any) -> None:
    answer = await comfyui.post("/queue", body)

    assert (answer.status, answer.body) == (200, "")


@pytest.mark.parametrize("path", ["/queue", "/history", "/free"])
async def test_a_body_is_needed(comfyui: Comfy, path: str) -> None:
    answer = await comfyui.ask("POST", path)

    assert answer.status == 500


async def test_deleting_a_running_job_does_nothing(comfyui: Comfy) -> None:
    async with comfyui.busy() as (prompt_id, _listener):
        answer = await comfyui.post("/queue", {"delete": [prompt_id]})
        running = await comfyui.running()

    assert answer.status == 200
    assert prompt_id in running


async def test_a_targeted_interrupt_stops_the_job(comfyui: Comfy) -> None:
    async with comfyui.busy() as (prompt_id, listener):
        answer = await comfyui.post("/interrupt", {"prompt_id": prompt_id})
        await listener.until_end(prompt_id)

    assert (answer.status, answer.body) == (200, "")
    status = (await comfyui.get(f"/history/{prompt_id}")).body[prompt_id]["status"]
    assert (status["status_str"], status["completed"]) == ("error", False)
    event, data = status["messages"][-1]
    assert event == "execution_interrupted"
    expected = {"prompt_id", "node_id", "node_type", "executed", "timestamp"}
    assert set(data) == expected
    assert (data["node_id"], data["node_type"]) == ("3", "ImageBlur")


async def test_an_interrupt_of_another_job_leaves_the_running_one_alone(comfyui: Comfy) -> None:
    pending = new_id()
    async with comfyui.busy() as (prompt_id, listener):
        await comfyui.submit(fresh("small"), prompt_id=pending)
        for other in (new_id(), pending):
            assert (await comfyui.post("/interrupt", {"prompt_id": other})).status == 200
        async with comfyui.listen() as second:
            await second.until_type("status")
            running, waiting = await comfyui.running(), [e[1] for e in await comfyui.pending()]
        await comfyui.post("/queue", {"delete": [pending]})
        kinds = [message["type"] for message in listener.messages]

    assert prompt_id in running
    assert pending in waiting, "an interrupt does not dequeue"
    assert "execution_interrupted" not in kinds


async def test_an_interrupt_before_a_job_does_not_reach_it(comfyui: Comfy) -> None:
    await comfyui.post("/interrupt", {"prompt_id": new_id()})

    ended = await comfyui.run(fresh("small"))

    assert ended.entry["status"]["status_str"] == "success"


async def test_a_list_is_no_interrupt(comfyui: Comfy) -> None:
    assert (await comfyui.post("/interrupt", [])).status == 500


async def test_what_only_takes_post_is_unknown_to_get(comfyui: Comfy) -> None:
    answer = await comfyui.get("/interrupt")

    assert (answer.status, answer.body) == (404, "")
    assert answer.headers["Content-Type"] == "application/octet-stream"


async def test_an_unknown_path_is_405_to_post(comfyui: Comfy) -> None:
    answer = await comfyui.post("/api/contract-nope", {})

    assert (answer.status, answer.body) == (405, "405: Method Not Allowed")
    assert answer.headers["Allow"] == "GET,HEAD"


async def test_the_count_covers_what_runs_and_what_waits(comfyui: Comfy) -> None:
    async with comfyui.busy():
        answer = await comfyui.get("/prompt")

    assert set(answer.body) == {"exec_info"}
    assert answer.body["exec_info"]["queue_remaining"] >= 1


async def test_the_count_rises_with_what_waits_and_falls_with_what_is_taken_out(
    comfyui: Comfy,
) -> None:
    ids = [new_id() for _ in range(2)]
    async with comfyui.busy():
        before = await remaining(comfyui)
        for prompt_id in ids:
            await comfyui.submit(fresh("small"), prompt_id=prompt_id)
        during = await remaining(comfyui)
        await comfyui.post("/queue", {"delete": ids})
        after = await remaining(comfyui)

    assert (during, after) == (before + 2, before)
    assert isinstance(during, int)


async def remaining(comfyui: Comfy) -> int:
    """How many jobs run or wait."""
    return (await comfyui.get("/api/prompt")).body["exec_info"]["queue_remaining"]


async def test_jobs_that_go_first_are_next_the_newest_before_the_others(comfyui: Comfy) -> None:
    plain, first, newest = ids = [new_id() for _ in range(3)]
    async with comfyui.busy():
        await comfyui.submit(fresh("small"), prompt_id=plain)
        for prompt_id in (first, newest):
            answer = await comfyui.submit(fresh("small"), prompt_id=prompt_id, front=True)
            assert answer.body["number"] < 0
        turns = sorted((each[0], each[1]) for each in await comfyui.pending() if each[1] in ids)
        await comfyui.post("/queue", {"delete": ids})

    assert [prompt_id for _, prompt_id in turns] == [newest, first, plain]


@pytest.mark.parametrize("front", [False, None, 0, ""])
async def test_a_job_that_does_not_ask_to_go_first_does_not(comfyui: Comfy, front: Any) -> None:
    assert (await comfyui.submit(fresh("small"), front=front)).body["number"] >= 0
