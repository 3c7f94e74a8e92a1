"""What it costs to look at a very large picture, and what others notice of it meanwhile."""

from __future__ import annotations

import asyncio
import io
import random
import sys
import uuid
from time import perf_counter
from typing import Any

import aiohttp
from mcp import Client, StdioServerParameters
from PIL import Image

from bench.figures import Figure, of_times
from bench.places import OURS, Place

__all__ = ["measure"]

WIDTH, HEIGHT = 7680, 4320

BESIDE_MS = 400
MOST_BYTES = 700_000


async def measure(place: Place, rounds: int) -> list[Figure]:
    """*rounds* looks at an 8k picture, and small calls beside them over the same pipe."""
    name = await _uploaded(place.host, await asyncio.to_thread(_picture))
    server = StdioServerParameters(
        command=sys.executable, args=[*OURS], env=place.environment(), cwd=place.folder
    )
    async with Client(server) as client:
        job = await _told(client, "run_workflow", workflow=_graph(name), wait_seconds=300)
        (output,) = job["outputs"]
        looks: list[float] = []
        beside: list[float] = []
        sizes: list[int] = []
        alone = [await _small(client, job["prompt_id"]) for _ in range(50)]
        for _ in range(rounds):
            seconds, size, others = await _look(client, output["uri"], job["prompt_id"])
            looks.append(seconds)
            sizes.append(size)
            beside += others
    return [
        of_times("view_output of 8k: the look", looks),
        Figure("view_output of 8k: whole answer", max(sizes), "bytes", goal=MOST_BYTES),
        of_times("view_output of 8k: get_job alone", alone),
        of_times("view_output of 8k: get_job beside it", beside),
        Figure(
            "view_output of 8k: slowest get_job beside it", 1000 * max(beside), "ms", goal=BESIDE_MS
        ),
    ]


async def _look(client: Client, uri: str, prompt_id: str) -> tuple[float, int, list[float]]:
    """Seconds and bytes of one look, and seconds of each small call while it lasts."""
    started = perf_counter()
    looking = asyncio.create_task(client.call_tool("view_output", {"uri": uri}))
    others: list[float] = []
    while not looking.done():
        others.append(await _small(client, prompt_id))
    result = await looking
    if result.is_error:
        raise RuntimeError(f"nothing was seen: {result.content}")
    seconds = perf_counter() - started
    return seconds, len(result.model_dump_json(by_alias=True, exclude_none=True)), others


async def _small(client: Client, prompt_id: str) -> float:
    started = perf_counter()
    await _told(client, "get_job", prompt_id=prompt_id)
    return perf_counter() - started


async def _told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(f"{tool} failed: {result.content}")
    return result.structured_content or {}


def _picture() -> bytes:
    """An 8k picture that is no easier to pack than a photograph, as a JPEG."""
    chance = random.Random(8)  # noqa: S311 - no secret
    size = (WIDTH // 8, HEIGHT // 8)
    rough = Image.frombytes("RGB", size, chance.randbytes(size[0] * size[1] * 3))
    fine = Image.effect_noise((WIDTH, HEIGHT), 12).convert("RGB")
    picture = Image.blend(rough.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), fine, 0.2)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


async def _uploaded(host: str, picture: bytes) -> str:
    """Its name in ComfyUI's input folder."""
    form = aiohttp.FormData()
    form.add_field("image", picture, filename=f"bench-{uuid.uuid4().hex}.jpg")
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{host}/upload/image", data=form) as answer,
    ):
        answer.raise_for_status()
        return str((await answer.json())["name"])


def _graph(name: str) -> dict[str, Any]:
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "bench/8k"},
        },
    }
