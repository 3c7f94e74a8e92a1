"""What a guard asks of a host before it lets a workflow through, and that the answers are true."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.settings import Address
from comfy_mcp.workflow import Asked, ClassInfo, Known
from tests.contract.probe import fresh, new_id
from tests.contract.test_files import png, upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def guarded(comfyui: Comfy) -> AsyncIterator[ComfyHost]:
    """The host as the guard sees it."""
    host = ComfyHost(Address(comfyui.url), now_ms=lambda: 0)
    try:
        yield host
    finally:
        await host.close()


async def known(comfyui: Comfy, asked: Asked) -> Known:
    async with guarded(comfyui) as host:
        return await host.known(asked)


async def test_classes_are_known_and_those_that_are_not_there_are_none(comfyui: Comfy) -> None:
    found = await known(comfyui, Asked(frozenset({"KSampler", "SaveImage", "Contract/Nope?"})))

    assert found.classes == {
        "KSampler": ClassInfo(defaults={"seed": 0, "steps": 20, "cfg": 8.0, "denoise": 1.0}),
        "SaveImage": ClassInfo(output_node=True, defaults={"filename_prefix": "ComfyUI"}),
        "Contract/Nope?": None,
    }


async def test_a_class_that_would_run_as_another_is_not_known(comfyui: Comfy) -> None:
    told = await comfyui.get("/api/node_replacements")
    names = frozenset(told.body) if told.status == 200 else frozenset[str]()

    found = (await known(comfyui, Asked(names))).classes

    assert (told.status == 200) is comfyui.since("0.14.0")
    assert None not in found.values()


async def test_a_picture_in_a_folder_below_is_found(comfyui: Comfy) -> None:
    file = f"{new_id()}.png"
    await upload(comfyui, png("red"), file, subfolder="contract")
    there = {f"contract/{file}", f"contract/{file} [input]"}
    elsewhere = {file, f"contract/{file} [temp]", f"contract/{file} [output]"}

    found = (await known(comfyui, Asked(pictures=frozenset(there | elsewhere)))).pictures

    assert found == dict.fromkeys(there, (8, 8, 1)) | dict.fromkeys(elsewhere)


async def test_the_depth_of_the_queue_is_what_the_queue_shows(comfyui: Comfy) -> None:
    ids = [new_id() for _ in range(2)]
    async with comfyui.busy(), guarded(comfyui) as host:
        for prompt_id in ids:
            await comfyui.submit(fresh("small"), prompt_id=prompt_id)
        depth = await host.queue_depth()
        running, pending = await comfyui.running(), await comfyui.pending()
        await comfyui.post("/queue", {"delete": ids})

    assert depth >= 3
    assert depth == len(running) + len(pending)


async def test_jobs_in_front_run_before_the_others_the_newest_first(comfyui: Comfy) -> None:
    first, second, front, newest = ids = [new_id() for _ in range(4)]
    async with comfyui.busy() as (slow, listener):
        for prompt_id in ids:
            more = {"front": True} if prompt_id in {front, newest} else {}
            more = {"prompt_id": prompt_id, "client_id": listener.sid, **more}
            await comfyui.submit(fresh("small"), **more)
        await comfyui.post("/interrupt", {"prompt_id": slow})
        await listener.until_end(second)

    began = [each["data"]["prompt_id"] for each in listener.messages if began_one(each)]
    assert [each for each in began if each in ids] == [newest, front, first, second]


def began_one(message: dict[str, object]) -> bool:
    return message["type"] == "execution_start"
