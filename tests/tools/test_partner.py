"""Partner nodes spend a person's credits: no policy lets them through by forgetting them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost
from tests.tools.desk import EVERYTHING, Sit, card, sent

pytestmark = pytest.mark.anyio

OTHER = os.environ.get("COMFYUI_TEST_HOST")
PARTNER = "EmbeddedDemoPartner"

SILENT: dict[str, dict[str, Any]] = {
    "a policy that lists tools": EVERYTHING,
    "a policy that allows everything": {"version": "1", "default": "allow"},
    "a rule of its own for runs": {
        "version": "1",
        "default": "deny",
        "tools": {"run_workflow": {"action": "allow", "require": []}},
    },
    "limits on other things": {**EVERYTHING, "gpu": {"max_steps": 20, "ownership": "any"}},
    "leave for this class by name": {
        **EVERYTHING,
        "gpu": {"allow_node_classes": [PARTNER, "OpenAIDalle3", "SaveImage", "PreviewImage"]},
    },
    "leave for what cannot be determined": {**EVERYTHING, "gpu": {"undetermined": "allow"}},
    "leave by a grant, which can only narrow": {
        **EVERYTHING,
        "grants": {"local": {"match": {"stdio": "local"}, "gpu": {"api_nodes": "allow"}}},
    },
}


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    """A ComfyUI that has a partner node."""
    async with EmbeddedHost(folder=tmp_path / "comfyui", demo_nodes=True) as running:
        yield running


def asking(class_type: str = PARTNER, **inputs: Any) -> dict[str, Any]:
    """A workflow that asks a partner for a picture."""
    return {
        "1": {"class_type": class_type, "inputs": {"prompt": "a boat", **inputs}},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "bought"},
        },
    }


def partners(word: str) -> dict[str, Any]:
    return {**EVERYTHING, "gpu": {"api_nodes": word}}


@asynccontextmanager
async def keeping_back(host: EmbeddedHost, status: int | None) -> AsyncIterator[str]:
    """*host* behind a proxy that answers for node classes with *status*, or hangs up; its URL."""
    async with aiohttp.ClientSession() as session:

        async def forward(request: web.BaseRequest) -> web.StreamResponse:
            if request.path.startswith("/api/object_info") and status is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if request.path.startswith("/api/object_info"):
                return web.Response(status=status or 0, text="{}")
            async with session.request(
                request.method, host.url + request.path_qs, data=await request.read()
            ) as answer:
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    content_type=answer.content_type,
                )

        runner = web.ServerRunner(web.Server(forward), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@pytest.mark.parametrize("name", SILENT)
async def test_a_partner_node_is_refused_unless_the_policy_speaks_of_it(
    name: str, sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(SILENT[name]) as desk:
        text, denial = await desk.refusal("run_workflow", workflow=asking())

    assert denial["code"] == "api_node"
    assert denial["decision"] == "deny"
    assert denial["retryable"] is False
    assert PARTNER in text
    assert sent(host) == []


async def test_a_partner_node_that_nothing_depends_on_is_refused_with_the_rest(
    sit: Sit, host: EmbeddedHost
) -> None:
    made = card(1) | {"9": asking()["1"]}

    async with sit() as desk:
        _, denial = await desk.refusal("run_workflow", workflow=made)

    assert denial["code"] == "api_node"
    assert sent(host) == []


async def test_a_partner_node_is_refused_where_the_policy_says_so(sit: Sit) -> None:
    async with sit(partners("deny")) as desk:
        _, denial = await desk.refusal("run_workflow", workflow=asking())

    assert (denial["code"], denial["rule"]) == ("api_node", "/gpu/api_nodes")


async def test_a_partner_node_waits_for_a_person_where_the_policy_says_so(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(partners("approve")) as desk:
        text, denial = await desk.refusal("run_workflow", workflow=asking())
        job = await desk.ask("run_workflow", workflow=card(2), wait_seconds=60)

    assert (denial["code"], denial["rule"]) == ("approval_required", "/gpu/api_nodes")
    assert PARTNER in text
    assert job["status"] == "completed"
    assert sent(host) == ["POST /prompt"]


async def test_a_partner_node_runs_where_the_policy_allows_it(sit: Sit) -> None:
    async with sit(partners("allow")) as desk:
        job = await desk.ask("run_workflow", workflow=asking(), wait_seconds=60)

    assert job["status"] == "completed"
    assert [output["kind"] for output in job["outputs"]] == ["image"]


async def test_leave_for_partner_nodes_is_no_leave_for_more(sit: Sit, host: EmbeddedHost) -> None:
    policy = {**EVERYTHING, "gpu": {"api_nodes": "allow", "allow_node_classes": ["SaveImage"]}}

    async with sit(policy) as desk:
        _, denial = await desk.refusal("run_workflow", workflow=asking())

    assert denial["code"] == "node_class"
    assert sent(host) == []


async def test_a_partner_node_is_refused_again_after_the_host_was_restarted(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        _, before = await desk.refusal("run_workflow", workflow=asking())
        await host.restart()
        _, after = await desk.refusal("run_workflow", workflow=asking())

    assert (before["code"], after["code"]) == ("api_node", "api_node")


@pytest.mark.parametrize("status", [403, 404, 500, None])
async def test_while_the_host_does_not_tell_its_classes_nobody_knows_what_is_spent(
    status: int | None, sit: Sit, host: EmbeddedHost
) -> None:
    async with keeping_back(host, status) as url, sit(url=url) as desk:
        text, denial = await desk.refusal("run_workflow", workflow=asking())
        job = await desk.ask("run_workflow", workflow=card(3), wait_seconds=60)

    assert denial["code"] == "undetermined"
    assert PARTNER in text
    assert job["status"] == "completed", "ComfyUI's own classes need no telling"
    assert sent(host) == ["POST /prompt"]


@pytest.mark.skipif(OTHER is None, reason="COMFYUI_TEST_HOST names no ComfyUI")
@pytest.mark.parametrize("word", [None, "deny", "approve"])
async def test_a_partner_node_of_comfyui_is_never_sent_without_leave(
    word: str | None, sit: Sit
) -> None:
    policy = EVERYTHING if word is None else partners(word)

    async with sit(policy, url=OTHER) as desk:
        _, denial = await desk.refusal("run_workflow", workflow=asking("OpenAIDalle3"))

    assert denial["code"] == ("approval_required" if word == "approve" else "api_node")
