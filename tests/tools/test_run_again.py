"""run_workflow with from_prompt_id: a former run of one's own, once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.embedded.desk import txt2img
from tests.tools.desk import EVERYTHING, Desk, Sit, card, sent
from tests.tools.person import ASKS, yes
from tests.tools.sweeping import graph_of

pytestmark = pytest.mark.anyio

CARDS_ONLY = {"path": "args.workflow", "op": "in", "value": ["color_card", "mine"]}


def only_cards() -> dict[str, Any]:
    """Runs of two workflows of the operator's, by name, and nothing else."""
    tools = {**EVERYTHING["tools"], "run_workflow": {"require": [CARDS_ONLY]}}
    return {**EVERYTHING, "tools": tools}


async def test_a_run_is_repeated_as_it_was_seed_and_all(sit: Sit) -> None:
    async with sit() as desk:
        params = {"seed": "random", "steps": 1}
        first = await desk.ask("run_workflow", workflow=txt2img(), params=params)
        again = await desk.ask("run_workflow", from_prompt_id=first["prompt_id"])
        graphs = [await graph_of(desk, one["prompt_id"]) for one in (first, again)]

    assert graphs[0] == graphs[1]
    assert again["prompt_id"] != first["prompt_id"]
    assert again["warnings"] == [f"This repeats job {first['prompt_id']} as it was, seed and all."]


async def test_only_what_is_named_changes(sit: Sit) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow=txt2img(steps=1, seed=7))
        params = {"prompt": "a fox", "5.cfg": 3}
        again = await desk.ask("run_workflow", from_prompt_id=first["prompt_id"], params=params)
        graph = await graph_of(desk, again["prompt_id"])

    expected = txt2img("a fox", steps=1, seed=7, cfg=3.0)
    assert graph == expected
    assert "with prompt=a fox, 5.cfg=3; all else is as it was" in again["warnings"][0]


async def test_a_new_seed_is_drawn_only_if_asked_for(sit: Sit) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow=txt2img(steps=1, seed=7))
        again = await desk.ask(
            "run_workflow", from_prompt_id=first["prompt_id"], params={"seed": "random"}
        )
        seed = (await graph_of(desk, again["prompt_id"]))["5"]["inputs"]["seed"]

    assert seed != 7
    assert f"seed {seed} was drawn at random" in again["warnings"]


async def test_a_run_by_name_keeps_its_name_and_its_parameters(sit: Sit) -> None:
    async with sit() as desk:
        first = await desk.ask(
            "run_workflow", workflow="color_card", params={"color": 5, "width": 64}
        )
        again = await desk.ask(
            "run_workflow", from_prompt_id=first["prompt_id"], params={"height": 64}
        )
        wrong, _ = await desk.refusal(
            "run_workflow", from_prompt_id=first["prompt_id"], params={"1.width": 64}
        )
        origin = await (await desk.services.jobs()).origin(again["prompt_id"], "local")

    assert again["workflow"] == "color_card"
    assert origin is not None
    assert {name: origin["values"][name] for name in ("color", "width", "height")} == {
        "color": 5,
        "width": 64,
        "height": 64,
    }
    assert origin["again"] == first["prompt_id"]
    assert "There is no parameter" in wrong


async def test_a_repeat_of_a_repeat_is_the_same_again(sit: Sit) -> None:
    async with sit() as desk:
        one = await desk.ask("run_workflow", workflow="color_card", params={"width": 64})
        two = await desk.ask("run_workflow", from_prompt_id=one["prompt_id"])
        three = await desk.ask("run_workflow", from_prompt_id=two["prompt_id"])
        graphs = [await graph_of(desk, job["prompt_id"]) for job in (one, two, three)]

    assert graphs[0] == graphs[1] == graphs[2]


async def test_a_rule_about_names_holds_for_repeats(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        inline = await desk.ask("run_workflow", workflow=card(1))
        named = await desk.ask("run_workflow", workflow="color_card", params={"width": 64})
    before = len(sent(host))

    async with sit(only_cards()) as desk:
        _, body = await desk.refusal("run_workflow", from_prompt_id=inline["prompt_id"])
        again = await desk.ask("run_workflow", from_prompt_id=named["prompt_id"])

    assert body["code"] == "require_failed"
    assert again["workflow"] == "color_card"
    assert len(sent(host)) == before + 1


async def test_a_denial_by_name_holds_for_repeats(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        named = await desk.ask("run_workflow", workflow="color_card", params={"width": 64})
    before = len(sent(host))
    rule = {"path": "args.workflow", "op": "eq", "value": "color_card"}
    tools = {**EVERYTHING["tools"], "run_workflow": {"deny_if": [rule]}}

    async with sit({**EVERYTHING, "tools": tools}) as desk:
        _, body = await desk.refusal("run_workflow", from_prompt_id=named["prompt_id"])

    assert body["code"] == "deny_if"
    assert len(sent(host)) == before


async def test_rules_see_the_parameters_that_a_repeat_takes_over(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        named = await desk.ask("run_workflow", workflow="color_card", params={"width": 512})
    before = len(sent(host))
    rule = {"path": "args.params.width", "op": "gt", "value": 256}
    tools = {**EVERYTHING["tools"], "run_workflow": {"deny_if": [rule]}}

    async with sit({**EVERYTHING, "tools": tools}) as desk:
        _, wide = await desk.refusal("run_workflow", from_prompt_id=named["prompt_id"])
        await desk.ask("run_workflow", from_prompt_id=named["prompt_id"], params={"width": 64})

    assert wide["code"] == "deny_if"
    assert len(sent(host)) == before + 1


def library_file(folder: Path, color: int, **more: object) -> None:
    """The operator's workflow ``mine``; *more* is said of its parameter."""
    fills = [{"node": "1", "input": "width"}]
    width: dict[str, Any] = {
        "name": "width",
        "type": "integer",
        "description": "W.",
        "default": 64,
        "fills": fills,
    }
    width.update(more)
    file = {"title": "Mine", "parameters": [width], "graph": card(color)}
    folder.mkdir(exist_ok=True)
    (folder / "mine.json").write_text(json.dumps(file))


async def test_a_name_is_trusted_only_while_it_means_the_same(sit: Sit, tmp_path: Path) -> None:
    folder = tmp_path / "workflows"
    library_file(folder, 1)
    async with sit(only_cards(), workflows=(folder,)) as desk:
        first = await desk.ask("run_workflow", workflow="mine")
        await desk.ask("run_workflow", from_prompt_id=first["prompt_id"])
        library_file(folder, 22)
        _, body = await desk.refusal("run_workflow", from_prompt_id=first["prompt_id"])
    assert body["code"] == "require_failed"

    async with sit(workflows=(folder,)) as desk:
        job = await desk.ask(
            "run_workflow", from_prompt_id=first["prompt_id"], params={"width": 32}
        )
        graph = await graph_of(desk, job["prompt_id"])

    assert job["workflow"] == "inline"
    assert any("mine has changed since" in one for one in job["warnings"])
    assert graph["1"]["inputs"] == {**card(1)["1"]["inputs"], "width": 32}


async def test_a_repeat_holds_to_what_the_workflow_allows_by_now(sit: Sit, tmp_path: Path) -> None:
    folder = tmp_path / "workflows"
    library_file(folder, 1)

    async with sit(only_cards(), workflows=(folder,)) as desk:
        first = await desk.ask("run_workflow", workflow="mine", params={"width": 96})
        library_file(folder, 1, max=80)
        words, _ = await desk.refusal("run_workflow", from_prompt_id=first["prompt_id"])
        job = await desk.ask(
            "run_workflow", from_prompt_id=first["prompt_id"], params={"width": 80}
        )

    assert "must be at most 80" in words
    assert job["workflow"] == "mine"


async def test_anothers_run_cannot_be_repeated(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
    before = len(sent(host))

    any_owner = {**EVERYTHING, "gpu": {"ownership": "any"}}
    async with sit(any_owner, grant="other") as other:
        theirs, _ = await other.refusal("run_workflow", from_prompt_id=job["prompt_id"])
        none, _ = await other.refusal("run_workflow", from_prompt_id="nobody")

    assert theirs.replace(job["prompt_id"], "X") == none.replace("nobody", "X")
    assert len(sent(host)) == before


async def test_what_the_journal_has_forgotten_comes_from_comfyui(sit: Sit) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow="color_card", params={"width": 64})
        graph = await graph_of(desk, first["prompt_id"])
        await forget_origins(desk)
        again = await desk.ask("run_workflow", from_prompt_id=first["prompt_id"])

        assert again["workflow"] == "inline"
        assert await graph_of(desk, again["prompt_id"]) == graph


async def forget_origins(desk: Desk) -> None:
    """As if so many jobs had come since that there was no room left for their origins."""
    import sqlite3  # noqa: PLC0415 - only here

    file = desk.services.settings.state / "guard.db"
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM texts")


async def test_a_repeat_that_needs_a_person_is_asked_about_as_a_whole(sit: Sit) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow="color_card", params={"width": 64})

    async with sit(ASKS) as desk:
        asked = {"from_prompt_id": first["prompt_id"], "params": {"height": 64}}
        _, body = await desk.refusal("run_workflow", **asked)
        await yes(desk, body["approval_id"], width=32)
        job = await desk.ask("run_workflow", approval_id=body["approval_id"])
        graph = await graph_of(desk, job["prompt_id"])

    assert job["status"] == "completed"
    assert job["workflow"] == "color_card"
    assert 32 in [node["inputs"].get("width") for node in graph.values()]


async def test_a_repeated_call_with_its_key_gets_its_job(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        first = await desk.ask("run_workflow", workflow=card(1))
        asked = {"from_prompt_id": first["prompt_id"], "idempotency_key": "again"}
        one = await desk.ask("run_workflow", **asked)
        two = await desk.ask("run_workflow", **asked)
        _, other = await desk.refusal("run_workflow", **asked, params={"width": 32})

    assert one["prompt_id"] == two["prompt_id"]
    assert other["code"] == "idempotency_conflict"
    assert sent(host) == ["POST /prompt"] * 2


async def test_a_yes_for_what_a_name_meant_gives_no_name_to_what_it_means_now(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    folder = tmp_path / "workflows"
    library_file(folder, 1)
    swept = {"workflow": "mine", "axes": {"width": [32, 48]}}
    asks: dict[str, Any] = {**ASKS, "tools": {**ASKS["tools"], "run_sweep": {}, "get_sweep": {}}}

    async with sit(asks, workflows=(folder,)) as desk:
        _, one = await desk.refusal("run_workflow", workflow="mine")
        _, many = await desk.refusal("run_sweep", **swept)
        for body in (one, many):
            await yes(desk, body["approval_id"])
        library_file(folder, 22)
        job = await desk.ask("run_workflow", approval_id=one["approval_id"])
        table = (await desk.ask("run_sweep", **swept))["table"]
    before = len(sent(host))

    ran = [job["prompt_id"], table[0]["prompt_id"]]
    async with sit(only_cards(), workflows=(folder,)) as desk:
        for prompt_id in ran:
            _, body = await desk.refusal("run_workflow", from_prompt_id=prompt_id)
            assert body["code"] == "require_failed"
    async with sit(workflows=(folder,)) as desk:
        again = [
            await desk.ask("run_workflow", from_prompt_id=one, params={"1.height": 32})
            for one in ran
        ]
        graphs = [await graph_of(desk, each["prompt_id"]) for each in again]

    assert before == 3
    for each, graph in zip(again, graphs, strict=True):
        assert each["workflow"] == "inline"
        assert any("mine has changed since" in words for words in each["warnings"])
        assert graph["1"]["inputs"]["color"] == 1


async def test_a_yes_for_what_a_name_still_means_keeps_the_name(sit: Sit, tmp_path: Path) -> None:
    folder = tmp_path / "workflows"
    library_file(folder, 1)

    async with sit(ASKS, workflows=(folder,)) as desk:
        _, body = await desk.refusal("run_workflow", workflow="mine")
        await yes(desk, body["approval_id"])
        job = await desk.ask("run_workflow", approval_id=body["approval_id"])
    async with sit(only_cards(), workflows=(folder,)) as desk:
        again = await desk.ask("run_workflow", from_prompt_id=job["prompt_id"])

    assert again["workflow"] == "mine"
