"""What ComfyUI itself says of the jobs, asked past the guard and told by the graphs' marks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp

from bench.races.graphs import mark_of

__all__ = ["Truth", "ended"]

MOST = 10_000
"""Jobs that are asked for; a ComfyUI forgets what is older."""

CLOUD_WORDS = {"completed": "success", "cancelled": "interrupted", "failed": "error"}

PAUSE = 0.05


class Truth:
    """One HTTP session; *key* is for a ComfyUI of the cloud's kind."""

    def __init__(self, url: str, key: str = "") -> None:
        headers = {"X-API-Key": key} if key else {}
        self._session = aiohttp.ClientSession(url, headers=headers)
        self._cloud = bool(key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def left(self, seconds: float) -> int:
        """Jobs of the races that still run or wait after at most *seconds*."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            queue = await self._get("/api/queue")
            items = [*queue["queue_running"], *queue["queue_pending"]]
            count = sum(mark_of(item[2]) is not None for item in items)
            if not count or asyncio.get_running_loop().time() >= deadline:
                return count
            await asyncio.sleep(PAUSE)

    async def did(self) -> Mapping[str, tuple[str, ...]]:
        """For each mark how its entries in the history ended: success, error or interrupted."""
        found: dict[str, list[str]] = defaultdict(list)
        for graph, word in await (self._cloud_jobs() if self._cloud else self._history()):
            mark = mark_of(graph)
            if mark is not None:
                found[mark].append(word)
        return {mark: tuple(words) for mark, words in found.items()}

    async def _history(self) -> Iterable[tuple[object, str]]:
        entries = (await self._get(f"/api/history?max_items={MOST}")).values()
        return [(entry["prompt"][2], ended(entry["status"])) for entry in entries]

    async def _cloud_jobs(self) -> Iterable[tuple[object, str]]:
        """Page by page; a page holds no graphs."""
        ids: list[str] = []
        while True:
            page = await self._get(f"/api/jobs?limit=1000&offset={len(ids)}")
            ids += [job["id"] for job in page["jobs"]]
            if not page["pagination"]["has_more"]:
                break
        jobs = [await self._get(f"/api/jobs/{each}") for each in ids]
        return [
            (job["workflow"]["prompt"], CLOUD_WORDS.get(job["status"], str(job["status"])))
            for job in jobs
        ]

    async def _get(self, path: str) -> Any:
        async with self._session.get(path) as answer:
            if answer.status != HTTPStatus.OK:
                raise RuntimeError(f"GET {path} gave HTTP {answer.status}: {await answer.text()}")
            return await answer.json()


def ended(status: Mapping[str, Any]) -> str:
    """How an entry of the history ended: its messages win over its status."""
    names = {message[0] for message in status["messages"]}
    if "execution_interrupted" in names:
        return "interrupted"
    return "error" if "execution_error" in names else str(status["status_str"])
