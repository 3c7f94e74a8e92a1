"""What ComfyUI left out of a refusal is looked up; what cannot be had changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from comfy_mcp.errors import HostRejected
from comfy_mcp.host.choices import MOST_BYTES, choices_of
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts, Transport
from comfy_mcp.settings import Address
from tests.host.pretended import Pretended, told

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

StrangerAt = Callable[[Any], Awaitable["Stranger"]]
MODELS = [f"model_{number}.safetensors" for number in range(30)]
ASKED = [("Loader", "ckpt_name")]


@pytest.fixture
async def wire() -> AsyncIterator[Callable[[str], Transport]]:
    """Makes ways to a host."""
    async with AsyncExitStack() as stack:

        def make(url: str) -> Transport:
            made = Transport(
                Address(url), timeouts=Timeouts(connect=2, answer=5), pause=0, lost=lambda: None
            )
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.mark.parametrize(
    "spec", [[MODELS, {}], ["COMBO", {"options": MODELS}]], ids=["older", "newer"]
)
async def test_the_choices_of_an_input_are_found(
    stranger: StrangerAt, wire: Callable[[str], Transport], spec: Any
) -> None:
    server = await stranger(Pretended({"Loader": told({"ckpt_name": spec})}))

    assert await choices_of(wire(server.url), ASKED) == {ASKED[0]: tuple(MODELS)}


async def test_those_of_an_optional_input_are_found_too(
    stranger: StrangerAt, wire: Callable[[str], Transport]
) -> None:
    info = {"input": {"required": {}, "optional": {"ckpt_name": [MODELS, {}]}}}
    server = await stranger(Pretended({"Loader": info}))

    assert await choices_of(wire(server.url), ASKED) == {ASKED[0]: tuple(MODELS)}


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"input": None},
        {"input": {"required": []}},
        {"input": {"required": {"ckpt_name": ["INT", {}]}}},
        {"input": {"required": {"ckpt_name": 5}}},
        5,
    ],
)
async def test_what_is_told_in_another_form_is_left_out(
    stranger: StrangerAt, wire: Callable[[str], Transport], info: Any
) -> None:
    server = await stranger(Pretended({"Loader": info}))

    assert await choices_of(wire(server.url), ASKED) == {}


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
async def test_a_host_that_does_not_tell_is_no_error(
    stranger: StrangerAt, wire: Callable[[str], Transport], status: int
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>")

    assert await choices_of(wire((await stranger(answer)).url), ASKED) == {}


async def test_a_host_that_is_gone_or_mute_is_no_error(
    stranger: StrangerAt, wire: Callable[[str], Transport]
) -> None:
    over = asyncio.Event()

    async def mute(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    server = await stranger(mute)

    assert await choices_of(wire("http://127.0.0.1:9"), ASKED) == {}
    assert await choices_of(wire(server.url), ASKED, seconds=0.05) == {}
    over.set()


async def test_an_endless_answer_is_not_read(
    stranger: StrangerAt, wire: Callable[[str], Transport]
) -> None:
    async def endless(_: web.Request) -> web.Response:
        return web.Response(body=b" " * (MOST_BYTES + 1) + b"{}")

    assert await choices_of(wire((await stranger(endless)).url), ASKED) == {}


async def test_who_misspells_a_model_reads_the_one_that_was_meant(
    stranger: StrangerAt, client: Callable[..., ComfyHost], send: Callable[..., Awaitable[str]]
) -> None:
    fault = {
        "type": "value_not_in_list",
        "message": "Value not in list",
        "details": "ckpt_name: 'sdxl.safetensors' not in (list of length 31)",
        "extra_info": {
            "input_name": "ckpt_name",
            "input_config": None,
            "received_value": "sdxl.safetensors",
        },
    }
    refusal = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "m", "details": ""},
        "node_errors": {"1": {"errors": [fault], "class_type": "Loader"}},
    }
    known = Pretended({"Loader": told({"ckpt_name": [[*MODELS, "XL/sdxl_base.safetensors"], {}]})})

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/prompt":
            return web.Response(
                status=400, text=json.dumps(refusal), content_type="application/json"
            )
        if request.path == "/api/system_stats":
            return web.json_response({"system": {"comfyui_version": "0.33.0"}})
        return await known(request)

    server = await stranger(answer)

    with pytest.raises(HostRejected, match=r"the nearest: XL/sdxl_base\.safetensors"):
        await send(client(server.url))
