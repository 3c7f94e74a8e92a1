"""The doctor's look at ComfyUI finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from comfy_mcp.cli.findings import Finding
from comfy_mcp.cli.host_findings import about_host
from comfy_mcp.cli.screen import Verdict
from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.settings import Settings, read

pytestmark = pytest.mark.anyio

SMALL = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}


def settings(tmp_path: Path, **environ: str) -> Settings:
    return read({"COMFY_MCP_STATE": str(tmp_path / "state"), **environ})


def worst(findings: list[Finding]) -> Verdict:
    order = [Verdict.OK, Verdict.NOTE, Verdict.FAIL]
    return max((one.verdict for one in findings), key=order.index)


async def run_small(host: EmbeddedHost) -> None:
    """Submit a job and wait until it runs."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{host.url}/api/prompt", json={"prompt": SMALL}) as answer,
    ):
        assert answer.status == 200
    await host.until(lambda it: it.running is not None)


async def test_a_new_comfyui_is_told_with_all_it_can_do(tmp_path: Path) -> None:
    async with EmbeddedHost() as host:
        found = await about_host(settings(tmp_path, COMFYUI_HOST=host.url))
        asked = {seen.method for seen in host.seen}

    assert worst(found) is Verdict.OK
    assert f"0.33.0 at {host.url}" in found[0].text
    assert "jobs API: yes" in found[0].text
    assert "queue: 0 running, 0 waiting" in found[0].text
    assert asked == {"GET"}


async def test_a_comfyui_that_gives_jobs_ids_of_its_own_is_noted(tmp_path: Path) -> None:
    async with EmbeddedHost(profile="0.3.40") as host:
        found = await about_host(settings(tmp_path, COMFYUI_HOST=host.url))

    assert worst(found) is Verdict.NOTE
    assert "jobs API: no" in found[0].text
    assert "older than 0.3.57" in found[1].text
    assert "ids of its own" in found[2].text


async def test_a_comfyui_whose_worker_has_died_fails_until_it_is_restarted(tmp_path: Path) -> None:
    async with EmbeddedHost(faults=Faults(dead_worker=True)) as host:
        await run_small(host)
        dead = await about_host(settings(tmp_path, COMFYUI_HOST=host.url))
        host.faults = Faults()
        await host.restart()
        alive = await about_host(settings(tmp_path, COMFYUI_HOST=host.url))

    assert [one.advice for one in dead if one.verdict is Verdict.FAIL] == ["restart ComfyUI"]
    assert worst(alive) is Verdict.OK


async def test_a_closed_port_fails_with_the_next_step(tmp_path: Path) -> None:
    async with EmbeddedHost() as host:
        url = host.url

    found = await about_host(settings(tmp_path, COMFYUI_HOST=url))

    assert worst(found) is Verdict.FAIL
    assert f"No ComfyUI at {url}" in found[0].text
    assert "--host" in found[0].advice


async def test_embedded_needs_no_host(tmp_path: Path) -> None:
    found = await about_host(settings(tmp_path, COMFYUI_HOST="embedded"))

    assert worst(found) is Verdict.OK
    assert "no GPU" in found[0].text
