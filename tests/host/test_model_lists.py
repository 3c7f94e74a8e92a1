"""The model folders of a ComfyUI: what is listed, and what never is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from comfy_mcp.embedded.host import CLOUD_KEY
from comfy_mcp.errors import HostRejected, HostUnreachable, NotComfyUI
from comfy_mcp.host import model_lists as module
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.permit import FreePermit
from tests.host.conftest import Handler, Stranger

pytestmark = pytest.mark.anyio

Start = Callable[[Handler], Awaitable[Stranger]]
FOLDERS = "/api/models"


class Comfy:
    """A ComfyUI with these folders; what is no list is its whole answer."""

    def __init__(self, folders: Any, files: dict[str, Any] | None = None) -> None:
        self.folders = folders
        self.files = files or {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path == FOLDERS:
            return _answer(self.folders)
        name = request.path.removeprefix(f"{FOLDERS}/")
        return _answer(self.files[name]) if name in self.files else web.Response(status=404)


def _answer(content: Any) -> web.StreamResponse:
    body = content if isinstance(content, str) else json.dumps(content)
    return web.Response(text=body, content_type="application/json")


async def test_folders_that_hold_no_models_are_left_out(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    server = await stranger(Comfy(["checkpoints", "custom_nodes", "configs", "..", "", "loras"]))

    assert await client(server.url).model_folders() == ("checkpoints", "loras")


@pytest.mark.parametrize(
    "path", ["/home/a/x.sft", "C:\\models\\x.sft", "c:/x.sft", "\\\\nas\\x.sft", "~/x.sft"]
)
async def test_a_whole_path_is_never_told(
    stranger: Start, client: Callable[..., ComfyHost], path: str
) -> None:
    server = await stranger(Comfy(["loras"], {"loras": ["sub/x.sft", path, "sub\\y.sft"]}))

    assert await client(server.url).model_files("loras") == ("sub/x.sft", "sub\\y.sft")


async def test_hosts_that_tell_more_than_names_are_understood(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    files = [{"name": "x.sft", "size": 3}, {"name": "y.sft"}]
    server = await stranger(Comfy([{"name": "loras", "folders": ["/a"]}], {"loras": files}))
    host = client(server.url)

    assert await host.model_folders() == ("loras",)
    assert await host.model_files("loras") == ("x.sft", "y.sft")


async def test_many_who_ask_make_one_request(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    server = await stranger(Comfy(["loras"], {"loras": ["x.sft"]}))
    host = client(server.url)

    found = await asyncio.gather(*(host.model_files("loras") for _ in range(10)))

    assert set(found) == {("x.sft",)}
    assert server.asked("GET", f"{FOLDERS}/loras") == 1


async def test_a_list_is_kept_for_a_moment_only(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    now = 0.0
    comfy = Comfy(["loras"], {"loras": ["x.sft"]})
    host = client((await stranger(comfy)).url, clock=lambda: now)
    await host.model_files("loras")
    comfy.files["loras"] = ["x.sft", "new.sft"]

    now = module.KEPT - 1
    assert await host.model_files("loras") == ("x.sft",)
    now = module.KEPT
    assert await host.model_files("loras") == ("x.sft", "new.sft")


async def test_a_comfyui_that_was_away_is_asked_anew(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy(["loras"], {"loras": ["x.sft"]})
    host = client((await stranger(comfy)).url)
    await host.model_files("loras")
    comfy.files["loras"] = ["y.sft"]

    host.socket_broke()

    assert await host.model_files("loras") == ("y.sft",)


@pytest.mark.parametrize("content", ["{}", "<html>", '"loras"', "[1]", "[null]", ""])
async def test_what_is_no_list_is_said_in_words(
    stranger: Start, client: Callable[..., ComfyHost], content: str
) -> None:
    host = client((await stranger(Comfy(content, {"loras": content}))).url)

    with pytest.raises(NotComfyUI, match="does not list models"):
        await host.model_folders()
    with pytest.raises(NotComfyUI, match="no list of names"):
        await host.model_files("loras")


async def test_too_long_a_list_is_not_read(
    stranger: Start, client: Callable[..., ComfyHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    host = client((await stranger(Comfy(["x" * 200]))).url)

    with pytest.raises(NotComfyUI, match="too much"):
        await host.model_folders()


async def test_a_folder_that_is_not_there_is_empty(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    assert await client((await stranger(Comfy([]))).url).model_files("nope") == ()


async def test_a_comfyui_that_is_away_is_said(client: Callable[..., ComfyHost]) -> None:
    host = client("http://127.0.0.1:9", timeouts=Timeouts(connect=2, answer=2))

    with pytest.raises(HostUnreachable):
        await host.model_folders()


async def test_a_cloud_frees_no_memory_for_anybody(
    embedded: Callable[..., Awaitable[Any]], client: Callable[..., ComfyHost]
) -> None:
    cloud = await embedded("cloud")
    host = client(cloud.url, headers={"X-API-Key": CLOUD_KEY})

    with pytest.raises(HostRejected, match="manages its memory itself"):
        await host.free(FreePermit(decision_id="dec_1"), unload_models=True, free_memory=True)

    assert [seen.path for seen in cloud.seen if seen.method == "POST"] == []
