"""A server over the embedded host, spoken to as a client does, in both protocol eras."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings
from tests.tools.desk import EVERYTHING, Desk, Sit


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """2026-07-28 and the handshake protocol before it."""
    return request.param


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    """A ComfyUI."""
    async with EmbeddedHost(folder=tmp_path / "comfyui") as running:
        yield running


@pytest.fixture
def sit(host: EmbeddedHost, tmp_path: Path, era: str) -> Sit:
    """Opens desks, given a policy and a grant; all of them share one state folder.

    *answer* answers for the user when the client is asked, *built* are options of the server.
    *more* are further settings.
    """

    @asynccontextmanager
    async def open_desk(
        policy: dict[str, Any] | None = None,
        *,
        grant: str = "local",
        url: str | None = None,
        answer: Any = None,
        workflows: tuple[Path, ...] = (),
        more: Mapping[str, Any] | None = None,
        **built: Any,
    ) -> AsyncGenerator[Desk]:
        file = tmp_path / f"policy-{grant}.json"
        file.write_text(json.dumps(EVERYTHING if policy is None else policy))
        settings = Settings(
            address=Address(url or host.url),
            policies=(file,),
            state=tmp_path / "state",
            grant=grant,
            workflows=workflows,
            **(more or {}),
        )
        server, services = build(settings, **built)
        async with Client(server, mode=era, elicitation_callback=answer) as client:
            yield Desk(client, services)

    return open_desk
