"""The hosts under contract: the embedded one in two versions, and one of yours if you name it."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.contract.probe import Comfy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OTHER = os.environ.get("COMFYUI_TEST_HOST")
HOSTS = ["embedded 0.3.64", "embedded 0.33", *([OTHER] if OTHER else [])]


@pytest.fixture(params=HOSTS)
async def comfyui(request: pytest.FixtureRequest) -> AsyncIterator[Comfy]:
    """A host that answers; nothing is assumed of what it did before."""
    name: str = request.param
    async with AsyncExitStack() as stack:
        url = name.rstrip("/")
        if name.startswith("embedded "):
            host = EmbeddedHost(profile=name.removeprefix("embedded "))
            url = (await stack.enter_async_context(host)).url
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"{url}/system_stats") as response:
            version = (await response.json())["system"]["comfyui_version"]
        yield Comfy(url, session, version)
