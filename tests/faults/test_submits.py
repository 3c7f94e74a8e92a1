"""A submit and its answer.

Nothing is ever sent twice: a job goes by an id that we chose, and is looked for by it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from comfy_mcp.embedded import CLOUD_KEY, BadAnswer, EmbeddedHost, Faults
from tests.faults.lines import latecomer
from tests.faults.promise import promised
from tests.faults.stage import FORGETFUL, TIMES, Stage, by_hand
from tests.faults.witness import WitnessedHost
from tests.tools.desk import EVERYTHING, card, sent

pytestmark = pytest.mark.anyio


KEY = {"X-API-Key": CLOUD_KEY}


def spoiled(what: str, *, after: bool = False) -> Faults:
    """One submit is answered wrongly; *after* it was taken."""
    return Faults(http=(BadAnswer(what, "POST", "/prompt", after=after, times=1),))


@promised(
    fault="The connection breaks before ComfyUI took the job",
    told="`answer_lost`, with the prompt_id to ask for; then `lost`, because `never_seen`",
    job="never ran; not sent again",
)
async def test_an_answer_that_is_lost_before_the_job_was_taken(
    stage: Stage, host: WitnessedHost
) -> None:
    host.faults = Faults(lose_answer="before")

    async with stage.sit(host, pace=FORGETFUL) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert "not sent again" in text
    assert (job["status"], job["error"]["type"]) == ("lost", "never_seen")
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The connection breaks after ComfyUI, of whatever version, took the job",
    told="nothing of it: `completed`",
    job="found by its id, or by the mark that we left on it; runs once",
)
@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33", "cloud"])
async def test_an_answer_that_is_lost_after_the_job_was_taken(stage: Stage, profile: str) -> None:
    host = await stage.comfyui(profile=profile)
    host.faults = spoiled("reset", after=True)

    async with stage.sit(host, headers=KEY) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The answer comes later than a minute (the submit's time-out)",
    told="nothing of it: `completed`",
    job="found by its id; runs once",
)
async def test_an_answer_that_comes_too_late(stage: Stage, host: WitnessedHost) -> None:
    late = BadAnswer("slow", "POST", "/prompt", after=True, delay_ms=60_000)
    host.faults = Faults(http=(late,))
    pace = replace(stage.pace, search=10)

    async with stage.sit(host, pace=pace, timeouts=replace(TIMES, submit=1)) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The same, and the agent does not want to wait that long",
    told="nothing of it: `completed`, as soon as the job has ended",
    job="followed by its id while the answer is still out; runs once",
)
async def test_an_answer_that_is_not_waited_for(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(http=(BadAnswer("mute", "POST", "/prompt", after=True),))

    async with stage.sit(host, timeouts=replace(TIMES, submit=60)) as desk:
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=10)
        # Ends the submit, so that the server need not wait for it.
        await host.restart()

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The answer is late, and ComfyUI takes the job only after we gave up looking for it",
    told="`answer_lost`; asked later: `completed`",
    job="runs once, under the id that the agent was told",
)
async def test_a_job_that_is_taken_after_its_answer_was_given_up(
    stage: Stage, host: WitnessedHost
) -> None:
    pace, times = replace(stage.pace, search=0.1), replace(TIMES, submit=1)

    async with (
        latecomer(host) as (url, through),
        stage.sit(host, url=url, pace=pace, timeouts=times) as desk,
    ):
        _, body = await desk.refusal("run_workflow", workflow=card(1))
        before = dict(host.starts)
        through.set()
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=15)

    assert body["code"] == "answer_lost"
    assert before == {}
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The connection is reset, and the job was not taken",
    told="`answer_lost`; then `lost`, because `never_seen`",
    job="never ran; not sent again",
)
async def test_a_reset_before_the_job_was_taken(stage: Stage, host: WitnessedHost) -> None:
    host.faults = spoiled("reset")

    async with stage.sit(host, pace=FORGETFUL) as desk:
        _, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert (job["status"], job["error"]["type"]) == ("lost", "never_seen")
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="ComfyUI's own 500, and the job was not taken",
    told="`not_comfyui`: it broke down over this request, its log says why",
    job="never ran; not sent again",
)
async def test_a_breakdown_before_the_job_was_taken(stage: Stage, host: WitnessedHost) -> None:
    host.faults = spoiled("500")

    async with stage.sit(host) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))

    assert body["code"] == "not_comfyui"
    assert "broke down" in text
    assert "log" in text
    assert [row.status for row in await stage.rows()] == ["refused"]
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="ComfyUI's own 500, and the job was taken",
    told="nothing of it: `completed`",
    job="found by its id; runs once",
)
async def test_a_breakdown_after_the_job_was_taken(stage: Stage, host: WitnessedHost) -> None:
    host.faults = spoiled("500", after=True)

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="A proxy's 502 or 503, and the job did not get through",
    told="`answer_lost`; then `lost`, because `never_seen`",
    job="never ran; not sent again",
)
@pytest.mark.parametrize("status", ["502", "503"])
async def test_a_proxys_page_for_a_job_that_did_not_get_through(
    stage: Stage, host: WitnessedHost, status: str
) -> None:
    host.faults = spoiled(status)

    async with stage.sit(host, pace=FORGETFUL) as desk:
        _, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert (job["status"], job["error"]["type"]) == ("lost", "never_seen")
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The same, or any other answer that is not ComfyUI's, and the job did get through",
    told="nothing of it: `completed`",
    job="found by its id; runs once",
)
@pytest.mark.parametrize("status", ["502", "503", "504", "408", "404", "302", "202"])
async def test_a_proxys_page_for_a_job_that_did_get_through(
    stage: Stage, host: WitnessedHost, status: str
) -> None:
    host.faults = spoiled(status, after=True)

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="413: the workflow is larger than ComfyUI or a proxy takes",
    told="`host_rejected`: it is too large, and what to do",
    job="never ran; not sent again",
)
async def test_a_workflow_that_is_too_large(stage: Stage, host: WitnessedHost) -> None:
    host.faults = spoiled("413")

    async with stage.sit(host) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))

    assert (body["code"], body["type"]) == ("host_rejected", "too_large")
    assert "--max-upload-size" in text
    assert [row.status for row in await stage.rows()] == ["refused"]
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="A page of HTML with status 200, and the job did not get through",
    told="`answer_lost`; then `lost`, because `never_seen`",
    job="never ran; not sent again",
)
async def test_a_page_instead_of_an_answer(stage: Stage, host: WitnessedHost) -> None:
    host.faults = spoiled("html")

    async with stage.sit(host, pace=FORGETFUL) as desk:
        _, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert (job["status"], job["error"]["type"]) == ("lost", "never_seen")
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="JSON that breaks off, JSON of another shape, or a page, after the job was taken",
    told="nothing of it: `completed`",
    job="found by its id; runs once",
)
@pytest.mark.parametrize("what", ["truncated", "wrong_types", "html"])
async def test_an_answer_that_cannot_be_read(stage: Stage, host: WitnessedHost, what: str) -> None:
    host.faults = spoiled(what, after=True)

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="An answer to the submit without end",
    told="nothing of it: `completed`",
    job="found by its id; runs once; no more than a bounded part is read",
)
async def test_an_answer_without_end(stage: Stage, host: WitnessedHost) -> None:
    bad = BadAnswer("huge", "POST", "/prompt", after=True, times=1, size=4 << 20)
    host.faults = Faults(http=(bad,))

    async with stage.sit(host, max_json=1 << 20) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="A redirect of everything, such as a proxy's login",
    told="`not_comfyui`: it sends us elsewhere, and what to set",
    job="not sent: neither workflow nor credentials went to the other address",
)
async def test_a_redirect(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(http=(BadAnswer("302"),))

    async with stage.sit(host) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))

    assert body["code"] == "not_comfyui"
    assert "sends us elsewhere" in text
    assert sent(host) == []


@promised(
    fault="A proxy gives up at once, and passes the submit on later",
    told="`answer_lost`; asked later: `completed`",
    job="runs once, under the id that the agent was told; its key stays with it",
)
@pytest.mark.parametrize("status", ["502", "504"])
async def test_a_submit_that_is_passed_on_later(
    stage: Stage, host: WitnessedHost, status: str
) -> None:
    host.faults = spoiled(status)
    asked = {"workflow": card(1), "idempotency_key": "one"}

    async with stage.sit(host) as desk:
        _, body = await desk.refusal("run_workflow", **asked)
        (posted,) = [seen for seen in host.seen if seen.method == "POST"]
        stage.by_hand.add(body.get("prompt_id", ""))
        await by_hand(host, posted.body)
        job = await desk.ask("run_workflow", **asked)

    assert body["code"] == "answer_lost"
    assert (job["prompt_id"], job["status"]) == (body["prompt_id"], "completed")
    assert sent(host) == ["POST /prompt"] * 2


@promised(
    fault="A proxy answers with ComfyUI's own words for 500, and passes the submit on soon after",
    told="nothing of it: `completed`",
    job="looked for a while before it counts as refused; runs once",
)
async def test_a_breakdown_that_was_none(stage: Stage, host: WitnessedHost) -> None:
    host.faults = spoiled("500")
    times = replace(TIMES, breakdown=10)

    async with stage.sit(host, timeouts=times) as desk, asyncio.TaskGroup() as group:
        running = group.create_task(desk.ask("run_workflow", workflow=card(1)))
        # Looked for once, and not found.
        await host.until(lambda now: looked_for_since_posted(now) > 0)
        (posted,) = [seen for seen in host.seen if seen.method == "POST"]
        stage.by_hand.add(posted.body["prompt_id"])
        await by_hand(host, posted.body)
        job = await running

    assert (job["status"], job["warnings"]) == ("completed", [])
    assert sent(host) == ["POST /prompt"] * 2


def looked_for_since_posted(host: EmbeddedHost) -> int:
    """Looks for the job that was posted."""
    asked = [f"{seen.method} {seen.path}" for seen in host.seen]
    posted = asked.index("POST /prompt") if "POST /prompt" in asked else len(asked)
    return sum(words.startswith("GET /jobs/") for words in asked[posted:])


@promised(
    fault="Nobody listens where ComfyUI should be",
    told="`host_unreachable`, which may be tried again",
    job="never ran, and takes nothing from a limit on unfinished jobs",
)
async def test_nobody_listens(stage: Stage, host: WitnessedHost) -> None:
    policy = {**EVERYTHING, "gpu": {"max_in_flight": 1}}

    async with stage.sit(host, policy=policy) as desk:
        async with host.away():
            _, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("run_workflow", workflow=card(2))

    assert (body["code"], body["retryable"]) == ("host_unreachable", True)
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="A repeated call with the same idempotency_key, after any of these",
    told="the first call's job: `completed`",
    job="runs once, however often it is asked for",
)
async def test_a_call_that_is_repeated_because_its_answer_was_lost(
    stage: Stage, host: WitnessedHost
) -> None:
    pace, times = replace(stage.pace, search=0.1), replace(TIMES, submit=1)
    asked = {"workflow": card(1), "idempotency_key": "one"}

    async with (
        latecomer(host) as (url, through),
        stage.sit(host, url=url, pace=pace, timeouts=times) as desk,
    ):
        _, body = await desk.refusal("run_workflow", **asked)
        repeated = asyncio.gather(*(desk.ask("run_workflow", **asked) for _ in range(4)))
        through.set()
        jobs = await repeated

    assert body["code"] == "answer_lost"
    assert {job["prompt_id"] for job in jobs} == {body["prompt_id"]}
    assert {job["status"] for job in jobs} == {"completed"}
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Comfy Cloud's queue is full for this account",
    told="`host_busy`, which may be tried again: when one of one's jobs has ended",
    job="never ran; not sent again",
)
async def test_a_full_queue_of_comfy_cloud(stage: Stage) -> None:
    host = await stage.comfyui(profile="cloud")
    host.faults = spoiled("429 QUEUE_LIMIT")

    async with stage.sit(host, headers=KEY) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))

    assert (body["code"], body["retryable"]) == ("host_busy", True)
    assert "queue" in text
    assert "when one of your jobs has ended" in text
    assert sent(host) == ["POST /prompt"]
