"""Completions: what is offered while somebody types, and what is never given away."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.types import PromptReference, ResourceTemplateReference

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.tools import completing
from comfy_mcp.tools.front import OUTPUT_TEMPLATE
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph

pytestmark = pytest.mark.anyio

DIAGNOSE = PromptReference(name="diagnose_failed_job")
GENERATE = PromptReference(name="generate_and_refine")
BUILD = PromptReference(name="build_workflow")
OUTPUT = ResourceTemplateReference(uri=OUTPUT_TEMPLATE)


async def values(desk: Desk, ref: Any, name: str, typed: str = "", **known: str) -> list[str]:
    """What is offered."""
    found = await desk.client.complete(
        ref, {"name": name, "value": typed}, context_arguments=known or None
    )
    assert len(found.completion.values) <= 100
    return list(found.completion.values)


async def audited(desk: Desk) -> int:
    """How many rows the audit has."""
    return len(await desk.services.store.tail(1_000))


def without(*tools: str, **entries: Any) -> dict[str, Any]:
    """A policy that has all tools but these."""
    left: dict[str, Any] = {name: {} for name in EVERYTHING["tools"] if name not in tools}
    return {**EVERYTHING, "tools": {**left, **entries}}


async def test_own_jobs_are_offered_those_that_failed_first(sit: Sit) -> None:
    async with sit() as desk:
        failed = await desk.ask("run_workflow", workflow=graph("fails_at_execution"))
        good = await desk.ask("run_workflow", workflow=card(1))
        found = await values(desk, DIAGNOSE, "prompt_id")
        begun = await values(desk, DIAGNOSE, "prompt_id", good["prompt_id"][:8])

    assert (failed["status"], good["status"]) == ("failed", "completed")
    assert found == [failed["prompt_id"], good["prompt_id"]]
    assert begun == [good["prompt_id"]]


async def test_others_jobs_are_not_offered(sit: Sit) -> None:
    async with sit(grant="one") as one:
        job = await one.ask("run_workflow", workflow=card(1))
        async with sit(grant="two") as two:
            assert await values(two, DIAGNOSE, "prompt_id") == []
            assert await values(two, OUTPUT, "prompt_id") == []
            assert await values(two, OUTPUT, "number", prompt_id=job["prompt_id"]) == []
        assert await values(one, OUTPUT, "prompt_id") == [job["prompt_id"]]


async def test_outputs_of_a_job_are_offered_by_number(sit: Sit) -> None:
    many = card(3)
    many["1"]["inputs"]["batch_size"] = 3
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=many)

        assert await values(desk, OUTPUT, "number", prompt_id=job["prompt_id"]) == ["0", "1", "2"]
        assert await values(desk, OUTPUT, "number") == []


async def test_workflows_are_offered_by_name(sit: Sit) -> None:
    async with sit() as desk:
        every = await values(desk, GENERATE, "workflow")
        some = await values(desk, GENERATE, "workflow", every[0][:3].upper())

    assert every == sorted(desk.services.library.names())
    assert every[0] in some


async def test_own_saved_workflows_are_offered_and_nobody_elses(sit: Sit) -> None:
    async with sit(grant="one") as one:
        await one.ask("save_workflow", name="sun-blend", workflow=card(1))
        assert "saved/sun-blend" in await values(one, GENERATE, "workflow")
        assert await values(one, GENERATE, "workflow", "sun") == ["saved/sun-blend"]
        async with sit(grant="two") as two:
            assert await values(two, GENERATE, "workflow", "sun") == []


async def test_node_classes_are_offered_best_first(sit: Sit) -> None:
    async with sit() as desk:
        found = await values(desk, BUILD, "node", "blur")
        every = await values(desk, BUILD, "node")

    assert found[0] == "ImageBlur"
    assert len(every) > len(found)


async def test_nodes_that_the_policy_denies_are_not_offered(sit: Sit) -> None:
    async with sit({**EVERYTHING, "gpu": {"deny_node_classes": ["ImageBlur"]}}) as desk:
        assert "ImageBlur" not in await values(desk, BUILD, "node", "ImageBlur")


async def test_many_values_are_cut_and_counted(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "MOST", 5)
    async with sit() as desk:
        found = (await desk.client.complete(BUILD, {"name": "node", "value": ""})).completion

    assert len(found.values) == 5
    assert found.total is not None
    assert found.total > 5
    assert found.has_more is True


@pytest.mark.parametrize(
    ("ref", "name", "typed"),
    [
        (DIAGNOSE, "nope", ""),
        (PromptReference(name="nope"), "prompt_id", ""),
        (ResourceTemplateReference(uri="file:///{prompt_id}"), "prompt_id", ""),
        (GENERATE, "idea", ""),
        (GENERATE, "workflow", "x" * 10_000),
    ],
)
async def test_where_there_is_nothing_to_complete_nothing_is_offered(
    sit: Sit, ref: Any, name: str, typed: str
) -> None:
    async with sit() as desk:
        assert await values(desk, ref, name, typed) == []
        assert await audited(desk) == 0


@pytest.mark.parametrize(
    ("tools", "ref", "name"),
    [
        (["list_jobs"], DIAGNOSE, "prompt_id"),
        (["get_job"], DIAGNOSE, "prompt_id"),
        (["list_workflows"], GENERATE, "workflow"),
        (["run_workflow"], GENERATE, "workflow"),
        (["search_nodes"], BUILD, "node"),
        (["describe_node"], BUILD, "node"),
        (["list_jobs"], OUTPUT, "prompt_id"),
    ],
)
async def test_what_a_tool_would_not_tell_is_not_offered(
    sit: Sit, host: EmbeddedHost, tools: list[str], ref: Any, name: str
) -> None:
    for strict in (without(*tools), {**EVERYTHING, "hide": tools}):
        async with sit(strict) as desk:
            assert await values(desk, ref, name) == []

    assert host.seen == []


async def test_nobody_is_asked_about_a_completion(sit: Sit) -> None:
    asking = without(list_jobs={"action": "require_approval"})
    async with sit(asking) as desk:
        assert await values(desk, DIAGNOSE, "prompt_id") == []
        assert await desk.services.store.approvals_mark(0) == (0, 0)


async def test_a_comfyui_that_is_away_has_no_node_to_offer(sit: Sit) -> None:
    async with sit(url="http://127.0.0.1:9") as desk:
        assert await values(desk, BUILD, "node", "blur") == []


async def test_typing_on_costs_one_look(sit: Sit) -> None:
    async with sit() as desk:
        for typed in ("", "s", "se", "sea"):
            await values(desk, GENERATE, "workflow", typed)
        rows = await audited(desk)

    assert rows == 2
