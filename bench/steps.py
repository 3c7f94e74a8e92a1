"""One job on ComfyUI with nothing around it: queue it, wait for the socket, read the history."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any, Self
from uuid import uuid4

import aiohttp

__all__ = ["Plain"]


class Plain:
    """One HTTP session and one open websocket, which somebody reasonable would keep."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._client_id = str(uuid4())
        self._open = AsyncExitStack()
        self._session: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse

    async def __aenter__(self) -> Self:
        self._session = await self._open.enter_async_context(aiohttp.ClientSession(self._host))
        self._socket = await self._open.enter_async_context(
            self._session.ws_connect(f"/ws?clientId={self._client_id}", max_msg_size=0)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def run(self, graph: dict[str, Any]) -> dict[str, Any]:
        """The history entry of *graph*, once it has run."""
        body = {"prompt": graph, "client_id": self._client_id}
        async with self._session.post("/prompt", json=body) as answer:
            answer.raise_for_status()
            prompt_id: str = (await answer.json())["prompt_id"]
        await self._ended(prompt_id)
        async with self._session.get(f"/history/{prompt_id}") as answer:
            answer.raise_for_status()
            entry: dict[str, Any] = (await answer.json())[prompt_id]
        return entry

    async def _ended(self, prompt_id: str) -> None:
        over = {"node": None, "prompt_id": prompt_id}
        async for frame in self._socket:
            if frame.type is aiohttp.WSMsgType.TEXT:
                message = json.loads(frame.data)
                if message["type"] == "executing" and over.items() <= message["data"].items():
                    return
        raise ConnectionError("ComfyUI closed the websocket")
