"""Looking what became of a job.

Polling is the truth; what cannot be read is no truth, and is looked up another way or said so.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from comfy_mcp.embedded import BadAnswer, Faults
from comfy_mcp.host.transport import MAX_JSON
from tests.faults.promise import promised
from tests.faults.stage import BUSY, HELD, TIMES, Stage, by_hand, lengthy
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, graph, sent

pytestmark = pytest.mark.anyio

COPY = "22222222-2222-4222-8222-222222222222"
LOOKS = ("/jobs*", "/queue", "/history*")


def spoiled(what: str, *, times: int | None = None, size: int = 0) -> Faults:
    """Every look is answered wrongly."""
    bad = (BadAnswer(what, "GET", path, times=times, size=size) for path in LOOKS)
    return Faults(http=tuple(bad))


@promised(
    fault="Another job, sent with `extra_pnginfo: null`, breaks every `/api/jobs` answer",
    told="nothing of it: `completed`",
    job="followed by queue and history instead",
)
async def test_jobs_routes_that_another_job_poisoned(stage: Stage, host: WitnessedHost) -> None:
    poison = {"prompt": card(9), "extra_data": {"extra_pnginfo": None}}

    async with stage.sit(host) as desk:
        human = (await by_hand(host, poison))["prompt_id"]
        await host.until(lambda now: human in now.finished)
        first = await desk.ask("run_workflow", workflow=card(1))
        slow = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        report = await desk.ask("cancel_job", prompt_id=slow["prompt_id"])

    assert first["status"] == "completed"
    assert report["outcome"] == "cancelled"
    assert sent(host).count("POST /prompt") == 3


@promised(
    fault=f"Outputs too large to be read (more than {MAX_JSON >> 20} MiB)",
    told="`completed`, with a warning that what it put out is too large to be read",
    job="runs once; its end is told from a shorter answer",
)
@pytest.mark.parametrize("profile", ["0.33", "0.3.64"])
async def test_an_answer_that_is_too_large_to_be_read(stage: Stage, profile: str) -> None:
    host = await stage.comfyui(profile=profile)
    huge = (BadAnswer("huge", "GET", path, size=1 << 19) for path in ("/jobs/*", "/history/*"))
    host.faults = Faults(http=tuple(huge))

    async with stage.sit(host, max_json=1 << 16) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert job["status"] == "completed"
    assert any("too large to be read" in warning for warning in job["warnings"])


@promised(
    fault="A proxy answers looks with 404, 502, pages, half or wrong JSON, for a while",
    told="the job as it was last seen, with a warning; then `completed`",
    job="untouched; never told to be lost",
)
@pytest.mark.parametrize(
    "what", ["404", "404 NO_ROUTE", "502", "html", "truncated", "wrong_types", "reset"]
)
async def test_looks_that_are_answered_wrongly_for_a_while(
    stage: Stage, host: WitnessedHost, what: str
) -> None:
    host.faults = BUSY

    async with stage.sit(host) as desk:
        await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        running = host.running
        host.faults = replace(BUSY, http=spoiled(what).http)
        meanwhile = await desk.ask("get_job", prompt_id=running, wait_seconds=0.3)
        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=running, wait_seconds=10)

    assert meanwhile["status"] in {"pending", "in_progress"}
    assert meanwhile["warnings"] != []
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Looks are not answered at all",
    told="after a bounded time the job as it was last known, with a warning; then `completed`",
    job="untouched; never told to be lost",
)
async def test_looks_that_are_not_answered(stage: Stage, host: WitnessedHost) -> None:
    host.faults = BUSY

    async with stage.sit(host) as desk:
        await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        await host.until(lambda now: now.running is not None)
        running = host.running
    host.faults = replace(BUSY, http=spoiled("mute").http)
    async with stage.sit(host, timeouts=replace(TIMES, answer=1)) as impatient:
        meanwhile = await impatient.ask("get_job", prompt_id=running)
    host.faults = Faults()
    async with stage.sit(host) as desk:
        job = await desk.ask("get_job", prompt_id=running, wait_seconds=15)

    assert meanwhile["status"] in {"pending", "in_progress"}
    assert meanwhile["warnings"] != []
    assert job["status"] == "completed"


@promised(
    fault="ComfyUI forgets a finished job (its history is full) before anybody looked",
    told="`lost`: it may have been removed; run it again if that was not meant",
    job="ran once; never told to be done, since nobody can know",
)
async def test_a_history_that_forgot_the_job(stage: Stage) -> None:
    host = await stage.comfyui(max_history=1)
    host.faults = BUSY

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
    host.faults = Faults()
    await host.until(lambda now: job["prompt_id"] in now.finished)
    for color in range(2, 5):
        last = (await by_hand(host, {"prompt": card(color)}))["prompt_id"]
        await host.until(lambda now, last=last: last in now.finished)
    async with stage.sit(host) as desk:
        told = await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=5)

    assert job["prompt_id"] not in host.finished
    assert told["status"] == "lost"
    assert told["error"]["hint"]


@promised(
    fault="Somebody takes the waiting job out of ComfyUI's queue",
    told="`lost`, because `removed`",
    job="never ran; told neither as done nor as our own cancel",
)
async def test_a_job_that_somebody_removed(stage: Stage, host: WitnessedHost) -> None:
    host.faults = BUSY

    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        assert host.queue.delete(second["prompt_id"])
        told = await desk.ask("get_job", prompt_id=second["prompt_id"], wait_seconds=10)
        host.faults = Faults()
        await desk.ask("get_job", prompt_id=first["prompt_id"], wait_seconds=10)

    assert (told["status"], told["error"]["type"]) == ("lost", "removed")


@promised(
    fault="A job with our job's id is sent by somebody else, too (ComfyUI takes ids twice)",
    told="`cancelled`, once neither of the two is left",
    job="both are taken out of the queue, neither runs",
)
async def test_an_id_that_stands_in_the_queue_twice(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == first["prompt_id"])
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        twice = second["prompt_id"]
        body = {"prompt": card(3), "prompt_id": twice, "extra_data": {}}
        await by_hand(host, body)
        assert host.pending == (twice, twice)
        report = await desk.ask("cancel_job", prompt_id=twice)
        left = host.pending
        await asyncio.gather(*(desk.ask("cancel_job", prompt_id=first["prompt_id"]),))

    assert report["outcome"] == "cancelled"
    assert report["job"]["status"] == "cancelled"
    assert left == ()
    stage.by_hand.add(twice)


@promised(
    fault="The file of a finished job was deleted in ComfyUI's folder",
    told="`completed`, and for view_output `output`: the file is not there any more",
    job="ran once",
)
async def test_an_output_that_was_deleted(stage: Stage, host: WitnessedHost) -> None:
    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
        (output,) = job["outputs"]
        (host.folder / "output" / output["filename"]).unlink()
        _, body = await desk.refusal("view_output", uri=output["uri"])
        again = await desk.ask("get_job", prompt_id=job["prompt_id"])

    assert body["code"] == "output"
    assert again["status"] == "completed"


@promised(
    fault="A gateway answers for the jobs routes only, with a 404 of its own in JSON",
    told="nothing of it: `completed`",
    job="followed by queue and history; a stranger's 404 loses no job",
)
async def test_a_404_that_is_not_comfyuis(stage: Stage, host: WitnessedHost) -> None:
    host.faults = Faults(node_ms=200, http=(BadAnswer("404 NO_ROUTE", "GET", "/jobs*"),))

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="Somebody queues a copy of our job, with our mark in it, under an id of their own",
    told="each job under its own id; a cancel of ours: `cancelled`",
    job="the copy is never taken for ours, nor stopped instead of it",
)
@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
async def test_a_copy_of_our_job(stage: Stage, profile: str) -> None:
    host = await stage.comfyui(profile=profile)
    host.faults = HELD

    async with stage.sit(host) as desk:
        first = await desk.ask("run_workflow", workflow=lengthy(), wait_seconds=0)
        await host.until(lambda now: now.running == first["prompt_id"])
        second = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0)
        (posted,) = [
            seen.body
            for seen in host.seen
            if seen.method == "POST" and seen.body.get("prompt_id") == second["prompt_id"]
        ]
        body = {**posted, "prompt_id": COPY, "prompt": card(3)}
        await by_hand(host, body)
        report = await desk.ask("cancel_job", prompt_id=second["prompt_id"])
        left = host.pending
        await desk.ask("cancel_job", prompt_id=first["prompt_id"])
        await host.until(lambda now: COPY in now.finished)

    assert report["outcome"] == "cancelled"
    assert left == (COPY,)
    assert host.ends[COPY] == "success"
