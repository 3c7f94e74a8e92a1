"""A yes to a run is bound to what is in the files that it reads."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import anyio
import pytest
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from comfy_mcp.tools.run_matter import MOST_FILES
from tests.tools.desk import Sit, card, sent
from tests.tools.parked import job_of, parked, sound, status
from tests.tools.person import ASKS, asking, until_waiting, yes

pytestmark = pytest.mark.anyio


def put(host: EmbeddedHost, name: str, color: str, folder: str = "input") -> str:
    """A picture where ComfyUI finds it; its digest."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(buffer, "PNG")
    path = host.folder / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def loads(*names: str, kind: str = "LoadImage") -> dict[str, Any]:
    """A workflow that reads pictures and saves them again."""
    nodes: dict[str, Any] = {}
    for at, name in enumerate(names):
        nodes[f"r{at}"] = {"class_type": kind, "inputs": {"image": name}}
        saver = {"images": [f"r{at}", 0], "filename_prefix": "x"}
        nodes[f"s{at}"] = {"class_type": "SaveImage", "inputs": saver}
    return nodes


async def test_a_swapped_picture_is_a_new_request_with_its_new_digest(
    sit: Sit, host: EmbeddedHost
) -> None:
    red = put(host, "photo.png", "red")

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=loads("photo.png"))
        assert row.facts["inputs"] == [
            {
                "name": "photo.png",
                "type": "input",
                "sha256": red,
                "bytes": (host.folder / "input" / "photo.png").stat().st_size,
                "picture": True,
                "why": "",
            }
        ]
        assert row.payload["files"] == {"photo.png": red}
        await yes(desk, row.approval_id)
        blue = put(host, "photo.png", "blue")
        again = await parked(desk, workflow=loads("photo.png"))
        assert again.facts["inputs"][0]["sha256"] == blue != red
        assert await status(desk, row) == "approved"
        assert sent(host) == []

        # What was approved is there again, and is what runs.
        put(host, "photo.png", "red")
        job = await desk.ask("run_workflow", workflow=loads("photo.png"))
        assert (await job_of(desk, row)).prompt_id == job["prompt_id"]
        assert await status(desk, again) == "pending"
        await sound(desk)


async def test_a_picture_that_is_swapped_while_the_call_waits_runs_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    put(host, "photo.png", "red")
    codes: list[str] = []

    async with sit(asking(wait_s=50)) as desk:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                _, body = await desk.refusal(
                    "run_workflow", workflow=loads("photo.png"), wait_seconds=50
                )
                codes.append(body["code"])

            group.start_soon(call)
            row = await until_waiting(desk)
            put(host, "photo.png", "blue")
            await yes(desk, row.approval_id)

        assert codes == ["approval_outdated"]
        assert await status(desk, row) == "approved"
        new = await parked(desk, workflow=loads("photo.png"), wait_seconds=0)
        assert new.approval_id != row.approval_id
    assert sent(host) == []


async def test_a_plain_name_of_load_image_output_is_bound_in_both_folders(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        made = await desk.ask("run_workflow", workflow=card(1, prefix="own"))
    name = made["outputs"][0]["filename"]
    put(host, name, "red")
    run = loads(name, kind="LoadImageOutput")

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=run)
        assert [one["name"] for one in row.facts["inputs"]] == [name, f"{name} [output]"]
        assert [one["type"] for one in row.facts["inputs"]] == ["input", "output"]
        await yes(desk, row.approval_id)
        for folder in ("input", "output"):
            before = (host.folder / folder / name).read_bytes()
            put(host, name, "blue", folder)
            assert (await parked(desk, workflow=run)).approval_id != row.approval_id
            (host.folder / folder / name).write_bytes(before)


async def test_a_file_that_is_not_there_is_shown_as_such_and_is_another_once_it_is(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        made = await desk.ask("run_workflow", workflow=card(1, prefix="own"))
    name = made["outputs"][0]["filename"]
    run = loads(name, kind="LoadImageOutput")

    async with sit(ASKS) as desk:
        row = await parked(desk, workflow=run)
        shown = row.facts["inputs"][0]
        assert (shown["sha256"], shown["why"]) == (None, "ComfyUI has no such file")
        await yes(desk, row.approval_id)
        put(host, name, "red")
        assert (await parked(desk, workflow=run)).approval_id != row.approval_id
    assert len(sent(host)) == 1


async def test_more_files_than_a_person_can_look_at_are_refused_not_left_out(
    sit: Sit, host: EmbeddedHost
) -> None:
    many = [f"{at}.png" for at in range(MOST_FILES + 1)]
    for name in many:
        put(host, name, "red")

    async with sit(ASKS) as desk:
        text, _ = await desk.refusal("run_workflow", workflow=loads(*many))
        assert f"names {MOST_FILES + 1} files" in text
        row = await parked(desk, workflow=loads(*many[:-1]))
        assert len(row.facts["inputs"]) == MOST_FILES
        assert len(await desk.services.store.approvals(now_ms(), count=9)) == 1
    assert sent(host) == []
