"""idempotency_key: a call that is repeated gets the job of the first one, never a second job."""

from __future__ import annotations

import asyncio

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.tools.desk import EVERYTHING, Sit, card, sent

pytestmark = pytest.mark.anyio


async def test_a_repeated_call_gets_the_job_of_the_first_one(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow=card(1), idempotency_key="card-1")
        again = await desk.ask("run_workflow", workflow=card(1), idempotency_key="card-1")

    assert again["prompt_id"] == first["prompt_id"]
    assert again["outputs"] == first["outputs"]
    assert first["warnings"] == []
    assert any("earlier call" in warning for warning in again["warnings"])
    assert sent(host) == ["POST /prompt"]


async def test_calls_with_one_key_at_the_same_time_make_one_job(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=200)

    async with sit() as desk:
        jobs = await asyncio.gather(
            *(desk.ask("run_workflow", workflow=card(2), idempotency_key="k") for _ in range(6))
        )

    assert len({job["prompt_id"] for job in jobs}) == 1
    assert {job["status"] for job in jobs} == {"completed"}
    assert sent(host) == ["POST /prompt"]


@pytest.mark.parametrize(
    "other",
    [
        {"workflow": card(4)},
        {"workflow": card(3), "front": True},
        {"workflow": "color_card"},
    ],
    ids=["graph", "front", "library"],
)
async def test_the_same_key_for_something_else_is_refused(
    sit: Sit, host: EmbeddedHost, other: dict[str, object]
) -> None:
    policy = {**EVERYTHING, "gpu": {"queue_jump": "allow"}}

    async with sit(policy) as desk:
        await desk.ask("run_workflow", workflow=card(3), idempotency_key="three")
        text, body = await desk.refusal("run_workflow", idempotency_key="three", **other)

    assert body["code"] == "idempotency_conflict"
    assert "key" in text
    assert sent(host) == ["POST /prompt"]


async def test_a_key_belongs_to_the_grant_that_used_it(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        hers = await alice.ask("run_workflow", workflow=card(5), idempotency_key="mine")
        his = await bob.ask("run_workflow", workflow=card(6), idempotency_key="mine")

    assert hers["prompt_id"] != his["prompt_id"]
    assert sent(host).count("POST /prompt") == 2


async def test_a_repeated_call_takes_nothing_from_a_limit(sit: Sit) -> None:
    rules = {**EVERYTHING["tools"], "run_workflow": {"rate_limit": "1/hour"}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        first = await desk.ask("run_workflow", workflow=card(7), idempotency_key="seven")
        again = await desk.ask("run_workflow", workflow=card(7), idempotency_key="seven")
        _, body = await desk.refusal("run_workflow", workflow=card(8), idempotency_key="eight")

    assert again["prompt_id"] == first["prompt_id"]
    assert body["code"] == "rate_limited"


async def test_without_a_key_every_call_is_a_run_of_its_own(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow=card(9))
        again = await desk.ask("run_workflow", workflow=card(9))

    assert first["prompt_id"] != again["prompt_id"]
    assert sent(host).count("POST /prompt") == 2


async def test_a_run_that_never_reached_comfyui_gives_its_key_back(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        await host.stop()
        _, body = await desk.refusal("run_workflow", workflow=card(10), idempotency_key="ten")
        await host.start()
        job = await desk.ask("run_workflow", workflow=card(10), idempotency_key="ten")

    assert body["code"] == "host_unreachable"
    assert job["status"] == "completed"


async def test_a_lost_answer_says_whether_the_call_may_be_repeated(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(lose_answer="before")

    async with sit() as desk:
        bare, told = await desk.refusal("run_workflow", workflow=card(11))
        keyed, body = await desk.refusal("run_workflow", workflow=card(12), idempotency_key="12")

    assert told["code"] == body["code"] == "answer_lost"
    assert told["prompt_id"] in bare
    assert "may be repeated" not in bare
    assert body["prompt_id"] in keyed
    assert "same idempotency_key may be repeated" in keyed


@pytest.mark.parametrize("key", ["", "two words", "ä", "x" * 129, "line\n", 7])
async def test_a_key_that_is_none_is_refused(sit: Sit, host: EmbeddedHost, key: object) -> None:
    async with sit() as desk:
        _, body = await desk.refusal("run_workflow", workflow=card(13), idempotency_key=key)

    assert body["code"] == "invalid_args"
    assert host.seen == []
