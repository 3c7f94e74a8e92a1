"""What the jobs' tests share: a ComfyUI, offices that submit and follow, one journal for many."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.manager import Jobs, Pace
from comfy_mcp.jobs.stop import StopReport, stop
from comfy_mcp.jobs.watch import Live
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.settings import Address
from comfy_mcp.store import Admission, JobRow, NewJob, SqliteStore
from comfy_mcp.workflow import digest, parse_graph

QUICK = Pace(live=0.5, least=0.02, most=0.1, doubt=0.05, search=0.4, forget=0.5)
"""Looks often enough for tests."""

GRAPHS: Mapping[str, Any] = {
    "small": {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 16711680},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    },
    "medium": {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 128, "height": 128, "batch_size": 1, "color": 16711680},
        },
        "2": {
            "class_type": "EmptyImage",
            "inputs": {"width": 128, "height": 128, "batch_size": 1, "color": 255},
        },
        "3": {
            "class_type": "ImageBlend",
            "inputs": {
                "image1": ["1", 0],
                "image2": ["2", 0],
                "blend_factor": 0.5,
                "blend_mode": "screen",
            },
        },
        "4": {
            "class_type": "ImageScale",
            "inputs": {
                "image": ["3", 0],
                "upscale_method": "lanczos",
                "width": 256,
                "height": 192,
                "crop": "center",
            },
        },
        "5": {"class_type": "ImageInvert", "inputs": {"image": ["4", 0]}},
        "6": {
            "class_type": "SaveImage",
            "inputs": {"images": ["5", 0], "filename_prefix": "medium/sub"},
        },
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
        "8": {"class_type": "PrimitiveString", "inputs": {"value": "hello"}},
        "9": {"class_type": "PreviewAny", "inputs": {"source": ["8", 0]}},
    },
    "failing": {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 1},
        },
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "../../evil"},
        },
    },
    "sampling": {
        "1": {
            "class_type": "CheckpointLoaderSimple",
            "inputs": {"ckpt_name": "embedded-demo.safetensors"},
        },
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["1", 1]}},
        "3": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1},
        },
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["2", 0],
                "latent_image": ["3", 0],
                "seed": 7,
                "steps": 8,
                "cfg": 7.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
    },
    "slow": {
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
    },
}


def now_ms() -> int:
    """The real time."""
    return time.time_ns() // 1_000_000


@dataclass
class Office:
    """One server process, as far as jobs are concerned; *told* is what waiters were told."""

    jobs: Jobs
    store: SqliteStore
    url: str
    told: list[Live] = field(default_factory=list[Live])

    async def admit(self, graph: Any, grant: str = "ann") -> tuple[str, SubmitPermit]:
        """Have the guard write a job down."""
        made, known = str(uuid4()), digest(parse_graph(graph).to_json())
        job = NewJob(made, grant, self.jobs.label, workflow="inline", digest=known)
        await self.store.admit(
            Admission(decision_id="dec_1", now_ms=now_ms(), record={"kind": "decision"}, job=job)
        )
        return made, SubmitPermit(decision_id="dec_1", prompt_id=made, digest=known)

    async def run(self, graph: Any, grant: str = "ann") -> str:
        """Submit; gives the prompt_id."""
        made, permit = await self.admit(graph, grant)
        await self.jobs.submit(parse_graph(graph), prompt_id=made, grant=grant, permit=permit)
        return made

    async def wait(self, made: str, seconds: float = 20, grant: str = "ann") -> Job:
        """Wait for a job."""
        return await self.jobs.wait(made, grant, seconds, self.tell)

    async def tell(self, live: Live) -> None:
        """Note what a waiter is told."""
        self.told.append(live)

    async def get(self, made: str, grant: str = "ann") -> Job:
        """Look at a job."""
        return await self.jobs.get(made, grant)

    async def row(self, made: str) -> JobRow:
        """What the journal says."""
        row = await self.store.job(made)
        assert row is not None
        return row

    async def stop(self, made: str, seconds: float = 5) -> StopReport:
        """Stop a job."""
        leave = StopPermit(
            decision_id="dec_2", prompt_id=made, deadline_ms=now_ms() + int(seconds * 1000) + 5000
        )
        return await stop(self.jobs, made, leave, seconds=seconds)

    async def settled(self, made: str, status: str, seconds: float = 5) -> None:
        """Wait until the journal says so."""
        async with asyncio.timeout(seconds):
            while (await self.row(made)).status != status:  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.01)


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

        def make(
            url: str,
            *,
            pace: Pace = QUICK,
            timeouts: Timeouts | None = None,
            patience_ms: int = 5_000,
        ) -> Office:
            times = timeouts or Timeouts(connect=2, answer=5, submit=5)
            host = ComfyHost(Address(url), now_ms=now_ms, timeouts=times, pause=0)
            store = SqliteStore(tmp_path / "state", patience_ms=patience_ms)
            jobs = Jobs(host, store, label="here", now_ms=now_ms, pace=pace)
            stack.push_async_callback(store.close)
            stack.push_async_callback(host.close)
            stack.push_async_callback(jobs.close)
            return Office(jobs, store, url)

        yield make


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
