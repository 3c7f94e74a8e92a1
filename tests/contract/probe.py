"""A plain client for the contract: raw requests and websocket frames, nothing understood."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

__all__ = ["Answer", "Comfy", "Ended", "Listener", "fresh", "new_id", "workflow"]

WORKFLOWS = Path(__file__).parents[1] / "fixtures" / "workflows"
PATIENCE = 60.0


def new_id() -> str:
    """A prompt_id or clientId that nobody has."""
    return str(uuid.uuid4())


def workflow(name: str) -> dict[str, Any]:
    """One of the shared workflows, as it is."""
    graph: dict[str, Any] = json.loads((WORKFLOWS / f"{name}.json").read_text())
    return graph


def fresh(name: str) -> dict[str, Any]:
    """A shared workflow that no host has in its cache, with a file prefix of its own."""
    graph = workflow(name)
    for node in graph.values():
        inputs = node["inputs"]
        if "color" in inputs:
            inputs["color"] = uuid.uuid4().int % 0xFFFFFF
        if "filename_prefix" in inputs:
            inputs["filename_prefix"] = f"contract/{uuid.uuid4().hex}"
        if node["class_type"] == "PrimitiveString":
            inputs["value"] = uuid.uuid4().hex
    return graph


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: *body* is parsed JSON, text, or bytes."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over: its messages, and its entry in the history."""

    prompt_id: str
    messages: list[dict[str, Any]]
    previews: list[bytes]
    entry: dict[str, Any]

    @property
    def types(self) -> list[str]:
        """The types of its messages, `status` left out: that one is everybody's."""
        return [each["type"] for each in self.messages if each["type"] != "status"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The data of its messages of one kind."""
        return [each["data"] for each in self.messages if each["type"] == kind]


class Listener:
    """One websocket; what came over it is kept in *messages* and *previews*."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, sid: str) -> None:
        self.socket = socket
        self.sid = sid
        self.messages: list[dict[str, Any]] = []
        self.previews: list[bytes] = []

    async def say(self, data: Any) -> None:
        """Send JSON, or text as it is."""
        await self.socket.send_str(data if isinstance(data, str) else json.dumps(data))

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that is *wanted*."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self._next()
                if message is not None and wanted(message):
                    return message

    async def until_type(self, kind: str) -> dict[str, Any]:
        """The next message of that type."""
        return await self.until(lambda message: message["type"] == kind)

    async def until_end(self, prompt_id: str) -> None:
        """Read until the job is over and in the history."""
        last = {"node": None, "prompt_id": prompt_id}
        await self.until(lambda m: m["type"] == "executing" and m["data"] == last)

    async def _next(self) -> dict[str, Any] | None:
        frame = await self.socket.receive()
        if frame.type is aiohttp.WSMsgType.BINARY:
            self.previews.append(frame.data)
            return None
        if frame.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(f"the websocket ended: {frame.type}")
        message: dict[str, Any] = json.loads(frame.data)
        self.messages.append(message)
        return message


class Comfy:
    """A host under contract."""

    def __init__(self, url: str, session: aiohttp.ClientSession, version: str) -> None:
        self.url = url
        self.session = session
        self.version = version

    def since(self, version: str) -> bool:
        """Whether the host is at least of that version."""
        return _numbers(self.version) >= _numbers(version)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """One request."""
        async with self.session.request(method, self.url + path, **more) as response:
            raw = await response.read()
            kind = response.content_type
            body: Any = raw
            if kind == "application/json" and raw:
                body = json.loads(raw)
            elif kind.startswith("text/") or not raw:
                body = raw.decode()
            return Answer(response.status, response.headers, body)

    async def get(self, path: str, **params: Any) -> Answer:
        """GET with a query."""
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Any) -> Answer:
        """POST JSON."""
        return await self.ask("POST", path, json=body)

    async def submit(self, graph: Any, **more: Any) -> Answer:
        """POST /prompt."""
        return await self.post("/prompt", {"prompt": graph, **more})

    @asynccontextmanager
    async def listen(self, sid: str | None = None) -> AsyncIterator[Listener]:
        """A websocket of a client of its own."""
        sid = sid or new_id()
        url = f"{self.url}/ws?clientId={sid}"
        async with self.session.ws_connect(url, max_msg_size=0) as socket:
            yield Listener(socket, sid)

    async def run(self, graph: Any, **more: Any) -> Ended:
        """Submit, and listen until it is over."""
        prompt_id = more.pop("prompt_id", None) or new_id()
        async with self.listen() as listener:
            await listener.until_type("status")
            listener.messages.clear()
            more = {"client_id": listener.sid, "prompt_id": prompt_id, **more}
            answer = await self.submit(graph, **more)
            assert answer.status == 200, answer
            await listener.until_end(prompt_id)
            entry = (await self.get(f"/history/{prompt_id}")).body[prompt_id]
            return Ended(prompt_id, listener.messages, listener.previews, entry)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[tuple[str, Listener]]:
        """A job that runs for seconds, stopped at the end; its id, and who listens to it."""
        prompt_id = new_id()
        async with self.listen() as listener:
            submitted = {"client_id": listener.sid, "prompt_id": prompt_id}
            answer = await self.submit(fresh("slow"), **submitted)
            assert answer.status == 200, answer
            await listener.until(
                lambda m: m["type"] == "executing" and m["data"].get("node") == "3"
            )
            try:
                yield prompt_id, listener
            finally:
                await self.post("/interrupt", {"prompt_id": prompt_id})
                if prompt_id in await self.running():
                    await listener.until_end(prompt_id)

    async def running(self) -> list[str]:
        """The prompt_ids that run."""
        return [item[1] for item in (await self.get("/queue")).body["queue_running"]]

    async def pending(self) -> list[list[Any]]:
        """The items that wait, as they are listed."""
        items: list[list[Any]] = (await self.get("/queue")).body["queue_pending"]
        return items


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
