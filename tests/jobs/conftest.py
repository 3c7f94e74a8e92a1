"""What the jobs' tests share: a ComfyUI, offices that submit and follow, one journal for many."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.jobs.front import Front
from tests.jobs.offices import GRAPHS, Office, hire


@pytest.fixture
async def embedded() -> AsyncIterator[Callable[..., Awaitable[EmbeddedHost]]]:
    """Starts an embedded ComfyUI."""
    async with AsyncExitStack() as stack:

        async def start(
            profile: str = "0.33", faults: Faults | None = None, **options: Any
        ) -> EmbeddedHost:
            comfy = EmbeddedHost(profile=profile, faults=faults or Faults(), **options)
            return await stack.enter_async_context(comfy)

        yield start


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Callable[..., Office]]:
    """Makes offices on one journal, as server processes of one machine are."""
    async with AsyncExitStack() as stack:
        yield lambda url, **options: hire(stack, url, tmp_path / "state", **options)


@pytest.fixture
async def front() -> AsyncIterator[Callable[[str], Awaitable[Front]]]:
    """Starts a proxy before a ComfyUI that keeps the answers to submits back."""
    async with AsyncExitStack() as stack:

        async def start(behind: str) -> Front:
            made = Front(behind, await stack.enter_async_context(aiohttp.ClientSession()))
            runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)  # type: ignore[arg-type]  # aiohttp's own type
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            return made

        yield start


@pytest.fixture
def graph() -> Callable[..., Any]:
    """A workflow of GRAPHS, with inputs of its nodes changed."""

    def make(name: str = "small", **changes: Mapping[str, Any]) -> Any:
        nodes = json.loads(json.dumps(GRAPHS[name]))
        for node_id, inputs in changes.items():
            nodes[node_id.removeprefix("n")]["inputs"].update(inputs)
        return nodes

    return make


@pytest.fixture
def person() -> Callable[..., Awaitable[str]]:
    """Submits as a person's browser would; gives the prompt_id."""

    async def submit(url: str, graph: Any) -> str:
        made = str(uuid4())
        body = {"prompt": graph, "prompt_id": made}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/api/prompt", json=body) as answer,
        ):
            assert answer.status == 200
        return made

    return submit
