"""What the jobs' tests work with: graphs, and offices that submit and follow as servers do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.manager import Jobs, Pace
from comfy_mcp.jobs.stop import StopReport, stop
from comfy_mcp.jobs.watch import Live
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.settings import Address
from comfy_mcp.store import Admission, JobRow, NewJob, SqliteStore
from comfy_mcp.store.protocol import UNIT, Charge, Refund
from comfy_mcp.workflow import digest, parse_graph

__all__ = ["GRAPHS", "QUICK", "RESERVED", "RULE", "Office", "hire", "now_ms", "told_to_stop"]

RULE = "/gpu/max_seconds_per_job"

RESERVED = Charge(
    "gpu_seconds",
    "ann",
    amount=300 * UNIT,
    most=10_000 * UNIT,
    window_ms=86_400_000,
    rule="/gpu/gpu_seconds/0",
    refund=Refund.SETTLED,
)
"""What every job of ann takes of her budget of GPU time until it is known what it took."""

QUICK = Pace(
    live=0.5,
    least=0.02,
    most=0.1,
    doubt=0.05,
    search=0.4,
    forget=0.5,
    stop=5.0,
    again=0.1,
    order=0.3,
)
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


def told_to_stop(comfy: EmbeddedHost) -> int:
    """How many orders have come that reach a running job: others know no route to cancel it."""
    path = "/cancel" if comfy.profile.job_cancel else "/interrupt"
    return sum(each.method == "POST" and each.path.endswith(path) for each in comfy.seen)


@dataclass
class Leaves:
    """Gives leave to stop jobs that ran too long, unless *refusals* come first; notes *asked*.

    *meanwhile* is what happens while the leave is written down.
    """

    asked: list[str] = field(default_factory=list[str])
    refusals: list[Exception] = field(default_factory=list[Exception])
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def give(self, row: JobRow) -> StopPermit:
        """Leave to stop one job."""
        self.asked.append(row.prompt_id)
        if self.refusals:
            raise self.refusals.pop(0)
        if self.meanwhile is not None:
            await self.meanwhile()
        return StopPermit(
            decision_id="dec_3", prompt_ids=[row.prompt_id], deadline_ms=now_ms() + 60_000
        )


@dataclass
class Office:
    """One server process, as far as jobs are concerned; *told* is what waiters were told."""

    jobs: Jobs
    store: SqliteStore
    url: str
    leaves: Leaves = field(default_factory=Leaves)
    told: list[Live] = field(default_factory=list[Live])

    async def admit(
        self, graph: Any, grant: str = "ann", *, front: bool = False, **more: Any
    ) -> tuple[str, SubmitPermit]:
        """Have the guard write a job down; *more* is said of it in the journal."""
        made, known = str(uuid4()), digest(parse_graph(graph).to_json())
        job = NewJob(made, grant, self.jobs.label, workflow="inline", digest=known, **more)
        admission = Admission(
            decision_id=f"dec_{made}",
            now_ms=now_ms(),
            record={"kind": "decision"},
            charges=(RESERVED,) if grant == "ann" else (),
            job=job,
        )
        await self.store.admit(admission)
        return made, SubmitPermit(
            decision_id=admission.decision_id, prompt_id=made, digest=known, front=front
        )

    async def run(self, graph: Any, grant: str = "ann", *, front: bool = False, **more: Any) -> str:
        """Submit; gives the prompt_id."""
        made, permit = await self.admit(graph, grant, front=front, **more)
        await self.submit(graph, made, permit, grant, front=front)
        return made

    async def submit(
        self,
        graph: Any,
        made: str,
        permit: SubmitPermit,
        grant: str = "ann",
        *,
        front: bool = False,
    ) -> None:
        """Submit what was admitted."""
        await self.jobs.submit(
            parse_graph(graph), prompt_id=made, grant=grant, permit=permit, front=front
        )

    async def capped(self, graph: Any, cap_ms: int, grant: str = "ann") -> str:
        """Submit a job that may run so long."""
        return await self.run(graph, grant, cap_ms=cap_ms, cap_rule=RULE)

    async def used(self) -> int:
        """How much of ann's budget of GPU time is taken, in ms."""
        (use,) = await self.store.peek(now_ms(), (RESERVED,))
        return use.used * 1_000 // UNIT

    async def ends(self) -> list[Any]:
        """The audit rows of jobs that have ended."""
        rows = await self.store.tail(1_000)
        return [row.record for row in rows if row.record.get("kind") == "job"]

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
            decision_id="dec_2",
            prompt_ids=[made],
            deadline_ms=now_ms() + int(seconds * 1000) + 5000,
        )
        return await stop(self.jobs, made, leave, seconds=seconds)

    async def settled(self, made: str, status: str, seconds: float = 20) -> JobRow:
        """Wait until the journal says so."""
        return await self.until(made, lambda row: row.status == status, seconds)

    async def until(
        self, made: str, condition: Callable[[JobRow], bool], seconds: float = 20
    ) -> JobRow:
        """Wait until *condition* holds of a job in the journal."""
        async with asyncio.timeout(seconds):
            while not condition(row := await self.row(made)):  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.01)
        return row


def hire(
    stack: AsyncExitStack,
    url: str,
    folder: Path,
    *,
    pace: Pace = QUICK,
    timeouts: Timeouts | None = None,
    patience_ms: int = 5_000,
    label: str = "here",
    key: str | None = None,
) -> Office:
    """An office on the journal of *folder*, closed with *stack*; *key* is for Comfy Cloud."""
    times = timeouts or Timeouts(connect=2, answer=5, submit=5)
    address = Address(url, {"X-API-Key": key} if key else {})
    host = ComfyHost(address, now_ms=now_ms, timeouts=times, pause=0)
    store = SqliteStore(folder, patience_ms=patience_ms)
    leaves = Leaves()
    jobs = Jobs(host, store, label=label, now_ms=now_ms, overtime=leaves.give, pace=pace)
    stack.push_async_callback(store.close)
    stack.push_async_callback(host.close)
    stack.push_async_callback(jobs.close)
    return Office(jobs, store, url, leaves)
