"""The jobs routes: one form for queue and history; a host without them never heard of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


@pytest.fixture
def modern(comfyui: Comfy) -> Comfy:
    """A host that has the routes."""
    if not comfyui.since("0.33.0"):
        pytest.skip("this version has no such routes")
    return comfyui


async def test_a_version_without_the_routes_answers_404_and_405(comfyui: Comfy) -> None:
    if comfyui.since("0.6.0"):
        pytest.skip("this version has the routes")
    for path in ("/api/jobs", f"/api/jobs/{new_id()}"):
        answer = await comfyui.get(path)
        assert (answer.status, answer.body) == (404, "")
    for path in (f"/api/jobs/{new_id()}/cancel", "/api/jobs/cancel"):
        answer = await comfyui.post(path, {})
        assert (answer.status, answer.body) == (405, "405: Method Not Allowed")


async def test_a_finished_job_is_told_whole(modern: Comfy) -> None:
    extra = {"extra_pnginfo": {"workflow": {"id": "wf"}}}
    ended = await modern.run(fresh("small"), extra_data=extra)

    job = (await modern.get(f"/api/jobs/{ended.prompt_id}")).body

    [image] = ended.entry["outputs"]["2"]["images"]
    times = [data["timestamp"] for _event, data in ended.entry["status"]["messages"]]
    assert job == {
        "id": ended.prompt_id,
        "status": "completed",
        "priority": ended.entry["prompt"][0],
        "create_time": ended.entry["prompt"][3]["create_time"],
        "execution_start_time": times[0],
        "execution_end_time": times[-1],
        "outputs_count": 1,
        "previewable_outputs_count": 1,
        "preview_output": {**image, "nodeId": "2", "mediaType": "images"},
        "workflow_id": "wf",
        "outputs": ended.entry["outputs"],
        "execution_status": ended.entry["status"],
        "workflow": {"prompt": ended.entry["prompt"][2], "extra_data": ended.entry["prompt"][3]},
    }


async def test_a_failed_job_carries_its_error_and_text_is_no_output(modern: Comfy) -> None:
    ended = await modern.run(fresh("fails_at_execution"))

    job = (await modern.get(f"/api/jobs/{ended.prompt_id}")).body

    assert job["status"] == "failed"
    assert job["execution_error"] == ended.entry["status"]["messages"][-1][1]
    assert job["outputs_count"] == 0
    assert job["preview_output"]["mediaType"] == "text"
    assert job["preview_output"]["content"] == ended.entry["outputs"]["4"]["text"][0]


async def test_saved_files_are_shown_before_previews(modern: Comfy) -> None:
    ended = await modern.run(fresh("medium"))

    job = (await modern.get(f"/api/jobs/{ended.prompt_id}")).body

    assert (job["outputs_count"], job["previewable_outputs_count"]) == (2, 2)
    assert job["preview_output"]["type"] == "output"


async def test_a_running_and_a_pending_job_are_told_in_short(modern: Comfy) -> None:
    pending = new_id()
    short = {
        "id",
        "status",
        "priority",
        "create_time",
        "outputs_count",
        "previewable_outputs_count",
    }
    async with modern.busy() as (running, _listener):
        await modern.submit(fresh("small"), prompt_id=pending)
        first = (await modern.get(f"/api/jobs/{running}")).body
        second = (await modern.get(f"/api/jobs/{pending}")).body
        listed = (await modern.get("/api/jobs", status="in_progress,pending")).body["jobs"]
        await modern.post("/queue", {"delete": [pending]})

    assert (first["status"], second["status"]) == ("in_progress", "pending")
    assert set(first) == set(second) == short
    assert {running, pending} <= {job["id"] for job in listed}


async def test_cancelling_works_whatever_the_job_does(modern: Comfy) -> None:
    pending = new_id()
    async with modern.busy() as (running, listener):
        await modern.submit(fresh("small"), prompt_id=pending)
        dequeued = await modern.post(f"/api/jobs/{pending}/cancel", {})
        stopped = await modern.post(f"/api/jobs/{running}/cancel", {})
        await listener.until_end(running)
    again = await modern.post(f"/api/jobs/{running}/cancel", {})

    assert (dequeued.status, dequeued.body) == (200, {"cancelled": True})
    assert (stopped.status, stopped.body) == (200, {"cancelled": True})
    assert (again.status, again.body) == (200, {"cancelled": False})
    assert (await modern.get(f"/api/jobs/{running}")).body["status"] == "cancelled"
    assert (await modern.get(f"/api/jobs/{pending}")).status == 404


async def test_many_can_be_cancelled_at_once_and_unknown_ones_are_no_error(modern: Comfy) -> None:
    ids = [new_id(), new_id()]
    async with modern.busy():
        for each in ids:
            await modern.submit(fresh("small"), prompt_id=each)
        answer = await modern.post("/api/jobs/cancel", {"job_ids": [*ids, new_id()]})
        waiting = [item[1] for item in await modern.pending()]
    nothing = await modern.post("/api/jobs/cancel", {"job_ids": []})

    assert answer.body == {"cancelled": True}
    assert not set(ids) & set(waiting)
    assert nothing.body == {"cancelled": False}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", {"error": "Request body must be valid JSON"}),
        (b'{"job_ids": "x"}', {"error": "job_ids must be a list"}),
        (b"[]", {"error": "job_ids must be a list"}),
        (
            b'{"job_ids": ["x", 5]}',
            {"error": "job_ids contains invalid id(s)", "invalid_ids": ["x", "5"]},
        ),
    ],
)
async def test_a_batch_that_is_none_is_refused(modern: Comfy, body: bytes, told: Any) -> None:
    answer = await modern.ask("POST", "/api/jobs/cancel", data=body)

    assert (answer.status, answer.body) == (400, told)


@pytest.mark.parametrize("job_id", ["0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f", "nonsense"])
async def test_an_unknown_job_is_404_to_look_at_and_false_to_cancel(
    modern: Comfy, job_id: str
) -> None:
    look = await modern.get(f"/api/jobs/{job_id}")
    cancel = await modern.post(f"/api/jobs/{job_id}/cancel", {})

    assert (look.status, look.body) == (404, {"error": "Job not found"})
    assert (cancel.status, cancel.body) == (200, {"cancelled": False})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            {"status": "foo"},
            (
                "Invalid status value(s): foo. "
                "Valid values: pending, in_progress, completed, failed, cancelled"
            ),
        ),
        ({"sort_by": "x"}, "sort_by must be 'created_at' or 'execution_duration'"),
        ({"sort_order": "x"}, "sort_order must be 'asc' or 'desc'"),
        ({"limit": "0"}, "limit must be a positive integer"),
        ({"limit": "x"}, "limit must be an integer"),
        ({"offset": "x"}, "offset must be an integer"),
    ],
)
async def test_a_bad_query_is_told(modern: Comfy, query: dict[str, str], told: str) -> None:
    answer = await modern.get("/api/jobs", **query)

    assert (answer.status, answer.body) == (400, {"error": told})


async def test_the_list_is_newest_first_and_comes_in_pages(modern: Comfy) -> None:
    workflow_id = new_id()
    extra = {"extra_pnginfo": {"workflow": {"id": workflow_id}}}
    ids = [(await modern.run(fresh("small"), extra_data=dict(extra))).prompt_id for _ in range(3)]

    page = (await modern.get("/api/jobs", workflow_id=workflow_id, limit=2)).body
    rest = (await modern.get("/api/jobs", workflow_id=workflow_id, offset=2)).body
    by_time = await modern.get("/api/jobs", workflow_id=workflow_id, sort_by="execution_duration")
    rising = (await modern.get("/api/jobs", workflow_id=workflow_id, sort_order="asc")).body

    assert [job["id"] for job in page["jobs"]] == [ids[2], ids[1]]
    assert page["pagination"] == {"offset": 0, "limit": 2, "total": 3, "has_more": True}
    assert [job["id"] for job in rest["jobs"]] == [ids[0]]
    assert rest["pagination"] == {"offset": 2, "limit": None, "total": 3, "has_more": False}
    assert [job["id"] for job in rising["jobs"]] == ids
    took = [job["execution_end_time"] - job["execution_start_time"] for job in by_time.body["jobs"]]
    assert took == sorted(took, reverse=True)
    assert "outputs" not in page["jobs"][0]


async def test_one_workflow_that_is_null_poisons_the_list_until_it_is_gone(modern: Comfy) -> None:
    ended = await modern.run(fresh("small"), extra_data={"extra_pnginfo": None})

    poisoned = await modern.get("/api/jobs")
    await modern.post("/history", {"delete": [ended.prompt_id]})

    assert poisoned.status == 500
    assert (await modern.get("/api/jobs", limit=1)).status == 200


async def test_the_jobs_are_not_found_without_api(modern: Comfy) -> None:
    assert (await modern.get("/jobs")).status == 404
    assert (await modern.get("/api/api/jobs", limit=1)).status == 200
