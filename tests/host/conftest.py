"""What the host's tests share: a ComfyUI, strangers in its place, and clients of both."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.permit import SubmitPermit
from comfy_mcp.settings import Address
from comfy_mcp.workflow import Graph, digest, parse_graph

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SMALL = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 16711680},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "small"}},
}

SLOW = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 32, "height": 32, "batch_size": 60, "color": 4711},
    },
    "2": {"class_type": "RebatchImages", "inputs": {"images": ["1", 0], "batch_size": 1}},
    "3": {
        "class_type": "ImageBlur",
        "inputs": {"image": ["2", 0], "blur_radius": 3, "sigma": 2.0},
    },
    "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
}


@dataclass
class Stranger:
    """A server that is not quite a ComfyUI, and what it was asked."""

    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    headers: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])

    def asked(self, method: str, path: str) -> int:
        """How often."""
        return self.seen.count((method, path))


@pytest.fixture
async def stranger() -> AsyncIterator[Callable[[Handler], Awaitable[Stranger]]]:
    """Starts a server that answers everything with the given function."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> Stranger:
            found = Stranger()

            async def answer(request: web.BaseRequest) -> web.StreamResponse:
                found.seen.append((request.method, request.path))
                found.headers.append(dict(request.headers))
                return await handler(request)  # type: ignore[arg-type]  # aiohttp's own type

            runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            return found

        yield start


@pytest.fixture
async def proxy(
    stranger: Callable[[Handler], Awaitable[Stranger]],
) -> AsyncIterator[Callable[..., Awaitable[Stranger]]]:
    """Starts a reverse proxy in front of a ComfyUI, which may have answers of its own."""
    async with aiohttp.ClientSession() as session:

        async def start(
            behind: str, *, prefix: str = "", own: Mapping[str, tuple[int, str]] | None = None
        ) -> Stranger:
            async def forward(request: web.Request) -> web.StreamResponse:
                if not request.path.startswith(prefix + "/"):
                    return web.Response(status=404, text="nothing here")
                path = request.path.removeprefix(prefix)
                if path in (own or {}):
                    status, body = (own or {})[path]
                    return web.Response(status=status, text=body, content_type="application/json")
                if path == "/ws":
                    return await _bridge(session, f"{behind}/ws?{request.query_string}", request)
                async with session.request(
                    request.method,
                    f"{behind}{path}",
                    params=request.query,
                    data=await request.read(),
                ) as answer:
                    return web.Response(
                        status=answer.status,
                        body=await answer.read(),
                        content_type=answer.content_type,
                    )

            return await stranger(forward)  # type: ignore[arg-type]  # aiohttp's own type

        yield start


async def _bridge(
    session: aiohttp.ClientSession, url: str, request: web.Request
) -> web.StreamResponse:
    near = web.WebSocketResponse()
    await near.prepare(request)
    async with session.ws_connect(url) as far:
        async for message in far:
            await near.send_str(message.data)
    return near


@pytest.fixture
async def embedded() -> AsyncIterator[Callable[..., Awaitable[EmbeddedHost]]]:
    """Starts an embedded ComfyUI."""
    async with AsyncExitStack() as stack:

        async def start(profile: str = "0.33", **options: Any) -> EmbeddedHost:
            return await stack.enter_async_context(EmbeddedHost(profile=profile, **options))

        yield start


@pytest.fixture
async def client() -> AsyncIterator[Callable[..., ComfyHost]]:
    """Makes clients, whose clock stands at 0 unless they get another."""
    async with AsyncExitStack() as stack:

        def make(
            url: str,
            headers: Mapping[str, str] | None = None,
            timeouts: Timeouts | None = None,
            now_ms: Callable[[], int] = lambda: 0,
            clock: Callable[[], float] = time.monotonic,
        ) -> ComfyHost:
            host = ComfyHost(
                Address(url, headers or {}),
                now_ms=now_ms,
                clock=clock,
                timeouts=timeouts or Timeouts(connect=2, answer=5, submit=5),
                pause=0,
            )
            stack.push_async_callback(host.close)
            return host

        yield make


Send = Callable[..., Awaitable[str]]


@pytest.fixture
def send() -> Send:
    """Submits a graph with a good permit; gives the prompt_id."""

    async def submit(host: ComfyHost, graph: Any = SMALL, prompt_id: str | None = None) -> str:
        sent, made = parse_graph(graph), prompt_id or str(uuid4())
        await host.submit(sent, prompt_id=made, client_id="c", permit=permit_for(sent, made))
        return made

    return submit


def permit_for(graph: Graph, prompt_id: str) -> SubmitPermit:
    """A good permit."""
    return SubmitPermit(decision_id="dec_1", prompt_id=prompt_id, digest=digest(graph.to_json()))


@pytest.fixture
def graph() -> Callable[..., Any]:
    """The small workflow, or the slow one, with inputs of its nodes changed."""

    def make(*, slow: bool = False, **changes: Mapping[str, Any]) -> Any:
        nodes = json.loads(json.dumps(SLOW if slow else SMALL))
        for node_id, inputs in changes.items():
            nodes[node_id.removeprefix("n")]["inputs"].update(inputs)
        return nodes

    return make
