"""The answer to a submit

Nothing is ever sent twice: a job goes by an id that we chose, and is looked for by it.
"""

from __future__ import annotations

import pytest

from comfy_mcp.embedded import BadAnswer, Faults
from comfy_mcp.host.transport import Timeouts
from tests.faults.promise import promised
from tests.faults.stage import Stage
from tests.faults.witness import WitnessedHost
from tests.tools.desk import card, sent

pytestmark = pytest.mark.anyio


def spoiled(what: str, *, after: bool) -> Faults:
    """One submit is answered wrongly."""
    return Faults(http=(BadAnswer(what, "POST", "/prompt", after=after, times=1),))


async def runs_all_the_same(stage: Stage, host: WitnessedHost, faults: Faults) -> None:
    """The agent does not notice."""
    host.faults = faults

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert job["status"] == "completed"
    assert job["warnings"] == []
    assert sent(host) == ["POST /prompt"]


async def is_lost_and_said_so(stage: Stage, host: WitnessedHost, faults: Faults) -> None:
    """The agent is told that nobody knows, and later that it never ran."""
    host.faults = faults

    async with stage.sit(host) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert "not sent again" in text
    assert job["status"] == "lost"
    assert job["error"]["type"] == "never_seen"
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The connection breaks before ComfyUI took the job",
    told="`answer_lost`, with the prompt_id to ask for; later `lost`, because `never_seen`",
    job="never ran; not sent again",
)
async def test_an_answer_that_is_lost_before_the_job_was_taken(
    stage: Stage, host: WitnessedHost
) -> None:
    host.faults = Faults(lose_answer="before")

    async with stage.sit(host) as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(1))
        job = await desk.ask("get_job", prompt_id=body["prompt_id"], wait_seconds=10)

    assert body["code"] == "answer_lost"
    assert "not sent again" in text
    assert (job["status"], job["error"]["type"]) == ("lost", "never_seen")
    assert sent(host) == ["POST /prompt"]


@promised(
    fault="The connection breaks after ComfyUI took the job",
    told="nothing: `completed`",
    job="found by its id, runs once",
)
async def test_an_answer_that_is_lost_after_the_job_was_taken(
    stage: Stage, host: WitnessedHost
) -> None:
    host.faults = Faults(lose_answer="after")

    async with stage.sit(host) as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]
