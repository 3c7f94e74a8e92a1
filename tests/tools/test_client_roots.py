"""Folders that a client declares count only where the operator says so, in both protocol eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import ListRootsResult, Root

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings, read
from comfy_mcp.tools.client_roots import MOST, folders_of
from tests.tools.desk import Desk
from tests.tools.files import FILES, b64, png

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the client's user works, beside a secret."""
    (tmp_path / "secret.png").write_bytes(png("black"))
    (tmp_path / "my work").mkdir()
    (tmp_path / "my work" / "a.png").write_bytes(png("teal"))
    return tmp_path / "my work"


@asynccontextmanager
async def sitting(
    host: EmbeddedHost, tmp_path: Path, era: str, *, counts: bool, roots: list[str] | None
) -> AsyncIterator[tuple[Desk, list[int]]]:
    """A desk whose client declares *roots* (None: it cannot), and how often it was asked."""
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(FILES))
    asked: list[int] = []

    async def declare(_context: Any) -> ListRootsResult:
        asked.append(1)
        return ListRootsResult(roots=[Root(uri=one) for one in roots or []])

    settings = Settings(
        address=Address(host.url),
        policies=(policy,),
        state=tmp_path / "state",
        client_roots=counts,
    )
    server, services = build(settings)
    callback = None if roots is None else declare
    async with Client(server, mode=era, list_roots_callback=callback) as client:
        yield Desk(client, services), asked


async def test_where_they_count_files_in_them_are_taken_and_no_others(
    host: EmbeddedHost, tmp_path: Path, era: str, folder: Path
) -> None:
    uris = [folder.as_uri()]
    async with sitting(host, tmp_path, era, counts=True, roots=uris) as (desk, asked):
        one = await desk.ask("upload_input", source="a.png")
        two = await desk.ask("upload_input", source=str(folder / "a.png"))
        for outside in ("../secret.png", str(tmp_path / "secret.png"), "/etc/passwd"):
            _, body = await desk.refusal("upload_input", source=outside)
            assert body["code"] == "path"

    assert two == {**one, "existed": True}
    assert asked


async def test_where_they_do_not_count_nobody_asks_for_them(
    host: EmbeddedHost, tmp_path: Path, era: str, folder: Path
) -> None:
    uris = [folder.as_uri()]
    async with sitting(host, tmp_path, era, counts=False, roots=uris) as (desk, asked):
        text, _ = await desk.refusal("upload_input", source="a.png")

    assert "COMFY_MCP_INPUT_ROOTS" in text
    assert asked == []


async def test_for_base64_nobody_asks_for_them(
    host: EmbeddedHost, tmp_path: Path, era: str, folder: Path
) -> None:
    uris = [folder.as_uri()]
    async with sitting(host, tmp_path, era, counts=True, roots=uris) as (desk, asked):
        await desk.ask("upload_input", source=b64(png()))

    assert asked == []


async def test_a_client_that_declares_none_is_told_what_helps(
    host: EmbeddedHost, tmp_path: Path, era: str
) -> None:
    async with sitting(host, tmp_path, era, counts=True, roots=None) as (desk, _):
        text, body = await desk.refusal("upload_input", source="a.png")

    assert "COMFY_MCP_INPUT_ROOTS" in text
    assert body["code"] == "path"


@pytest.mark.parametrize("uri", ["file:///", "file://server/share", "file:///a%00b"])
def test_what_is_no_folder_of_this_machine_means_nothing(uri: str) -> None:
    assert folders_of(ListRootsResult(roots=[Root(uri=uri)])) == ()


def test_a_client_cannot_declare_without_end() -> None:
    roots = [Root(uri=f"file:///srv/{number}") for number in range(MOST + 50)]

    assert len(folders_of(ListRootsResult(roots=roots))) == MOST


def test_the_operator_says_so_in_one_word_beside_folders(tmp_path: Path) -> None:
    settings = read({"COMFY_MCP_INPUT_ROOTS": f"{tmp_path}:client"})

    assert settings.client_roots
    assert settings.input_roots == (tmp_path,)
    assert not read({"COMFY_MCP_INPUT_ROOTS": str(tmp_path)}).client_roots
