"""``python -m bench soak``: many small jobs through one server, and the books afterwards."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench.places import Place, embedded_host, place
from bench.races.truth import ended
from bench.soak.account import TOLERANCE_KIB, Books, Sample, grown, unaccounted
from comfy_mcp.store import SqliteStore

__all__ = ["main"]

SERVER = str(Path(__file__).with_name("server.py"))
NOISE = ("Traceback", "never awaited", "was destroyed", "never retrieved", "ResourceWarning")
"""Words on stderr that tell of something left behind."""

NUMBER = re.compile(r"_(\d+)_\.png$")
PAGE = 500
WAIT_SECONDS = 120
SPARE = 4
POOLS = 2 * 32
"""Connections that the server may keep or have open to ComfyUI, in its two pools; how many of them
there are at one moment is chance. What stays open at the end is found there."""


@dataclass(slots=True)
class Soak:
    """One run: *jobs* in all, *callers* at a time."""

    place: Place
    jobs: int
    callers: int
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    told: dict[str, str] = field(default_factory=dict[str, str])
    samples: list[Sample] = field(default_factory=list[Sample])
    wrong: list[str] = field(default_factory=list[str])

    @property
    def report(self) -> Path:
        """Where the server writes what it holds."""
        return self.place.folder / "report.json"

    async def work(self) -> None:
        """Start the server, run everything, end it, and compare the books."""
        server = StdioServerParameters(
            command=sys.executable,
            args=[SERVER, str(self.report)],
            env=self.place.environment(),
            cwd=self.place.folder,
        )
        with (self.place.folder / "stderr.txt").open("w+", encoding="utf-8") as errors:
            await self._served(server, errors)
            errors.seek(0)
            lines = errors.read().splitlines()
        self.wrong += [f"stderr: {line}" for line in lines if any(word in line for word in NOISE)]
        self._left_behind()
        self.wrong += unaccounted(await self._books(), self.jobs)

    async def _served(self, server: StdioServerParameters, errors: Any) -> None:
        async with Client(stdio_client(server, errlog=errors)) as client:
            await client.list_tools()
            self._sample(0)
            numbers = iter(range(self.jobs))
            started = perf_counter()
            async with asyncio.TaskGroup() as group:
                for _ in range(self.callers):
                    group.create_task(self._call(client, numbers))
            seconds = perf_counter() - started
            print(f"{self.jobs} jobs in {seconds:.0f} s, {self.jobs / seconds:.0f} a second")

    async def _call(self, client: Client, numbers: Iterator[int]) -> None:
        for number in numbers:
            graph = _picture(self.run, number)
            result = await client.call_tool(
                "run_workflow", {"workflow": graph, "wait_seconds": WAIT_SECONDS}
            )
            if result.is_error:
                self.wrong.append(f"job {number}: {result.content}")
                continue
            told: dict[str, Any] = result.structured_content or {}
            self.told[told["prompt_id"]] = told["status"]
            done = len(self.told)
            if done % PAGE == 0 or done == self.jobs:
                self._sample(done)

    def _sample(self, jobs: int) -> None:
        pid = json.loads(self.report.read_text(encoding="utf-8"))["pid"]
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        resident = re.search(r"VmRSS:\s+(\d+)", status)
        opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        sample = Sample(jobs, int(resident[1]) if resident else 0, opened, cpu)
        self.samples.append(sample)
        print(sample.line(), flush=True)

    def _left_behind(self) -> None:
        left = json.loads(self.report.read_text(encoding="utf-8"))
        if "tasks" not in left:
            self.wrong.append("the server was killed before it had ended")
        self.wrong += [f"unfinished task {each}" for each in left.get("tasks", ())]
        self.wrong += [f"open descriptor {each}" for each in left.get("descriptors", ())]
        opened = [sample.descriptors for sample in self.samples]
        if opened and max(opened) > opened[0] + POOLS + SPARE:
            self.wrong.append(f"more descriptors than the pools may hold: {opened}")
        slope = grown(self.samples)
        print(f"memory: {slope:+.2f} KiB a job after the first {PAGE} (at most {TOLERANCE_KIB})")
        if slope > TOLERANCE_KIB:
            self.wrong.append(f"memory grows by {slope:.2f} KiB a job")

    async def _books(self) -> Books:
        store = SqliteStore(self.place.folder / "state")
        try:
            rows, fault = await store.verify()
            print(f"audit chain: {rows} rows, {fault or 'unbroken'}")
            if fault:
                self.wrong.append(f"audit chain: {fault}")
            left = await store.unfinished(host=self.place.host)
            if left:
                self.wrong.append(f"{len(left)} jobs without an end in the journal")
            journal = await _journal(store, self.place.host)
        finally:
            await store.close()
        history, files = await self._history()
        return Books(self.told, journal, history, files)

    async def _history(self) -> tuple[dict[str, str], list[int]]:
        """What ComfyUI says of the jobs of this run, and the numbers of the files they made."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.place.host}/api/history?max_items={self.jobs + 1000}") as answer,
        ):
            answer.raise_for_status()
            entries: dict[str, Any] = await answer.json()
        mine = {key: entry for key, entry in entries.items() if self.run in str(entry["prompt"][2])}
        names = (
            file["filename"]
            for entry in mine.values()
            for output in entry["outputs"].values()
            for file in output.get("images", ())
        )
        numbers = [int(found[1]) for name in names if (found := NUMBER.search(name))]
        return {key: ended(entry["status"]) for key, entry in mine.items()}, numbers


def main(words: Sequence[str]) -> int:
    """Run it and print what came out; 1 if anything was wrong."""
    given = _options(words)
    if not Path("/proc/self/status").exists():
        print("A soak reads /proc, which this system has not.")
        return 2
    with nullcontext(given.host) if given.host else embedded_host() as host, place(host) as here:
        soak = Soak(here, given.jobs, given.callers)
        anyio.run(soak.work)
    for each in soak.wrong[:20]:
        print(f"    VIOLATION {each}")
    print(f"{len(soak.told)} jobs accounted for; {len(soak.wrong)} violations")
    return 1 if soak.wrong else 0


async def _journal(store: SqliteStore, host: str) -> dict[str, str]:
    found: dict[str, str] = {}
    before: int | None = None
    for _ in count():
        rows = await store.jobs(host, before=before, count=PAGE)
        found.update((row.prompt_id, row.status) for row in rows)
        if not rows:
            break
        before = rows[-1].seq
    return found


def _picture(run: str, number: int) -> dict[str, Any]:
    """A small picture of a colour of its own: never from the cache, one file each."""
    size = {"width": 64, "height": 64, "batch_size": 1, "color": number % (1 << 24)}
    save = {"images": ["1", 0], "filename_prefix": f"soak/{run}"}
    return {
        "1": {"class_type": "EmptyImage", "inputs": size},
        "2": {"class_type": "SaveImage", "inputs": save},
    }


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--host", help="a running ComfyUI")
    parser.add_argument("--jobs", type=int, default=2000, help="in all (2000)")
    parser.add_argument("--callers", type=int, default=32, help="at a time (32)")
    return parser.parse_args(words)
