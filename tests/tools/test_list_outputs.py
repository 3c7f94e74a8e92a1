"""list_outputs and get_provenance: all of one's own, after every restart; of others nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph
from tests.tools.shown import moving, sounding

pytestmark = pytest.mark.anyio


async def run(desk: Desk, workflow: Any, **more: Any) -> dict[str, Any]:
    return await desk.ask("run_workflow", workflow=workflow, **more)


async def pages(desk: Desk, **asked: Any) -> list[dict[str, Any]]:
    """All outputs, page after page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await desk.ask("list_outputs", **asked, **cursor)
        assert len(json.dumps(page)) < 20_000
        found += page["outputs"]
        if "next_cursor" not in page:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_outputs_are_listed_newest_first(sit: Sit) -> None:
    async with sit() as desk:
        first = await run(desk, card(1))
        second = await run(desk, card(2))
        page = await desk.ask("list_outputs")

    assert [one["prompt_id"] for one in page["outputs"]] == [
        second["prompt_id"],
        first["prompt_id"],
    ]
    newest = page["outputs"][0]
    assert newest["uri"] == second["outputs"][0]["uri"]
    assert newest["filename"] == second["outputs"][0]["filename"]
    assert (newest["kind"], newest["workflow"]) == ("image", "inline")
    assert newest["when"].endswith("Z")
    assert "next_cursor" not in page


async def test_every_kind_is_listed_and_can_be_asked_for(sit: Sit) -> None:
    async with sit() as desk:
        await run(desk, sounding())
        await run(desk, graph("medium"))
        await run(desk, moving())
        kinds = {
            kind: len(await pages(desk, kind=kind))
            for kind in ("image", "audio", "latent", "text", "video", "3d", "file")
        }
        temp = [one for one in await pages(desk) if one.get("temp")]

    assert kinds == {
        "image": 3, "audio": 2, "latent": 1, "text": 1, "video": 0, "3d": 0, "file": 0,
    }  # fmt: skip
    assert {one["kind"] for one in temp} == {"image", "audio"}


async def test_pages_neither_repeat_nor_pass_over_an_output(sit: Sit) -> None:
    frames = graph("batch")
    frames["1"]["inputs"] |= {"batch_size": 7, "width": 16, "height": 16}

    async with sit() as desk:
        for color in range(3):
            frames["1"]["inputs"]["color"] = color
            await run(desk, frames)
        whole = await pages(desk, limit=50)
        for limit in (1, 4, 7, 8):
            assert await pages(desk, limit=limit) == whole

    assert len({one["uri"] for one in whole}) == 21


async def test_a_page_of_long_names_is_cut_short_and_goes_on(sit: Sit) -> None:
    frames = graph("batch")
    frames["1"]["inputs"] |= {"batch_size": 60, "width": 16, "height": 16}
    frames["2"]["inputs"]["filename_prefix"] = "n" * 200

    async with sit() as desk:
        await run(desk, frames)
        first = await desk.ask("list_outputs", limit=50)
        whole = await pages(desk, limit=50)

    assert 20 < len(first["outputs"]) < 50
    assert len({one["uri"] for one in whole}) == 60


async def test_new_outputs_do_not_move_a_page_that_was_begun(sit: Sit) -> None:
    async with sit() as desk:
        for color in range(3):
            await run(desk, card(color))
        first = await desk.ask("list_outputs", limit=2)
        await run(desk, card(9))
        rest = await desk.ask("list_outputs", limit=2, cursor=first["next_cursor"])

    assert len(rest["outputs"]) == 1
    assert rest["outputs"][0] not in first["outputs"]


async def test_names_texts_and_workflows_can_be_searched(sit: Sit) -> None:
    async with sit() as desk:
        await run(desk, card(1, "fox/Red"))
        await run(desk, card(2, "owl"))
        await run(desk, graph("medium"))
        fox = await pages(desk, query="FOX")
        text = await pages(desk, query="hell")
        none = await pages(desk, workflow="no such workflow")
        inline = await pages(desk, workflow="inline", query="owl")

    assert [one["filename"] for one in fox] == ["Red_00001_.png"]
    assert [one["text"] for one in text] == ["hello"]
    assert none == []
    assert len(inline) == 1


async def test_the_outputs_of_one_job_are_listed(sit: Sit) -> None:
    async with sit() as desk:
        job = await run(desk, graph("medium"))
        await run(desk, card(3))
        page = await pages(desk, prompt_id=job["prompt_id"], limit=1)

    assert [one["uri"] for one in page] == [one["uri"] for one in job["outputs"]]


async def test_others_outputs_are_neither_listed_nor_explained(sit: Sit) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        job = await run(alice, card(1))
        listed = await pages(bob)
        _, by_id = await bob.refusal("list_outputs", prompt_id=job["prompt_id"])
        _, how = await bob.refusal("get_provenance", uri=job["outputs"][0]["uri"])

    assert listed == []
    assert by_id["code"] == "job_not_found"
    assert how["code"] == "not_owner"


async def test_nobody_elses_run_is_explained_even_where_outputs_may_be_seen(sit: Sit) -> None:
    policy = {**EVERYTHING, "gpu": {"ownership": "any"}}

    async with sit(grant="alice") as alice:
        job = await run(alice, card(1))
    async with sit(policy, grant="bob") as bob:
        text, _ = await bob.refusal("get_provenance", uri=job["outputs"][0]["uri"])

    assert "not yours" in text


async def test_outputs_are_listed_after_restarts(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        await run(desk, card(4))
        before = await pages(desk)

    await host.restart()

    async with sit() as desk:
        assert await pages(desk) == before


@pytest.mark.parametrize("cursor", ["x", "WzEsMl0x", "WzEsLTFd", "e30", "WyJhIiwxXQ", "ä"])
async def test_what_is_no_cursor_is_told_so(sit: Sit, cursor: str) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("list_outputs", cursor=cursor)

    assert "no cursor of list_outputs" in text
    assert body["code"] == "workflow"


async def test_a_run_is_explained_by_the_journal(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await run(desk, card(0x123456))

    await host.restart()

    async with sit() as desk:
        uri = job["outputs"][0]["uri"]
        told = await desk.ask("get_provenance", uri=uri)
        whole = await desk.ask("get_provenance", uri=uri, include_graph=True)
        again = await desk.ask("run_workflow", workflow=whole["graph"])

    assert told["source"] == "journal"
    assert told["prompt_id"] == job["prompt_id"]
    assert told["node_classes"] == {"EmptyImage": 1, "SaveImage": 1}
    assert told["host"]["version"]
    assert "graph" not in told
    assert whole["graph"] == card(0x123456)
    assert again["status"] == "completed"


def forget(state: Path) -> None:
    """As it is once there were too many runs since, or for runs of an older version."""
    with closing(sqlite3.connect(state / "guard.db")) as connection:
        assert connection.execute("DELETE FROM texts").rowcount == 1
        connection.commit()


@pytest.mark.parametrize("workflow", [card(1), moving(), moving("SaveAnimatedPNG"), sounding()])
async def test_a_run_of_long_ago_is_explained_by_comfyui_or_the_file(
    sit: Sit, host: EmbeddedHost, workflow: Any, tmp_path: Path
) -> None:
    async with sit() as desk:
        job = await run(desk, workflow)
        forget(tmp_path / "state")
        (uri,) = [one["uri"] for one in job["outputs"] if one["type"] == "output"][:1]
        by_comfyui = await desk.ask("get_provenance", uri=uri)
        await host.restart()
        by_file = await desk.ask("get_provenance", uri=uri, include_graph=True)

    assert by_comfyui["source"] == "comfyui"
    assert by_file["source"] == "file"
    assert by_file["graph"] == workflow


async def test_what_nobody_remembers_is_told_so(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    async with sit() as desk:
        job = await run(desk, card(7))
        forget(tmp_path / "state")
        await host.restart()
        (host.folder / "output" / job["outputs"][0]["filename"]).unlink()
        told = await desk.ask("get_provenance", uri=job["outputs"][0]["uri"])

    assert "source" not in told
    assert "remembers how" in told["note"]
    assert "no longer has" in told["note"]
