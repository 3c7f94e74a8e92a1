"""Requests in the stream of events: much that was written, and rows that somebody edited."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from comfy_mcp.settings import Settings
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import SECONDS, Caller
from tests.console.conftest import Times
from tests.oversight.asked import inline_request, parked, question, run_request

pytestmark = pytest.mark.anyio

ID = "apr_0000000000000001"


def wide(nodes: int, text: str = "a fox") -> dict[str, Any]:
    """A graph of so many nodes, each with *text* in it."""
    words = {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["0", 1]}}
    loader = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}}
    return {"0": loader, **{str(number): words for number in range(1, nodes)}}


def edit(settings: Settings, approval_id: str, column: str, text: str) -> None:
    """Write *text* into the state behind everybody's back."""
    with closing(sqlite3.connect(settings.state / FILE)) as connection, connection:
        connection.execute(
            f"UPDATE approvals SET {column} = ? WHERE approval_id = ?",  # noqa: S608 - our own words
            (text, approval_id),
        )


def all_read(told: Mapping[str, Any]) -> bool:
    """Whether nothing of the list is still to come."""
    return not any(one.get("shortened") for one in told["approvals"])


async def test_a_request_with_a_small_graph_is_told_as_a_whole(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, inline_request(wide(20)), times.ms)

    async with operator.events() as stream:
        told = await stream.until("all of it", all_read)

    assert len(told["approvals"][0]["agent_words"]["inputs"]) == 20


async def test_a_request_with_a_huge_graph_is_told_in_short_and_opened_as_a_whole(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await parked(store, inline_request(wide(900, "x" * 500)), times.ms)
    await parked(store, question(2), times.ms)

    async with operator.events() as stream:
        told = await stream.until(
            "the small one", lambda told: "shortened" not in told["approvals"][0]
        )
    whole = (await operator.get(f"/api/approvals/{ID}")).values

    small, huge = told["approvals"]
    assert [small["approval_id"], huge["approval_id"]] == ["apr_0000000000000002", ID]
    assert huge["shortened"]
    assert huge["agent_words"]["inputs"] == []
    assert huge["summary"] == whole["summary"]
    assert huge["facts"] == whole["facts"]
    assert len(whole["agent_words"]["inputs"]) == 900


async def test_a_long_text_is_opened_as_a_whole(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    prompt = "a fox " * 3_000
    await parked(store, run_request(prompt=prompt), times.ms)

    whole = (await operator.get(f"/api/approvals/{ID}")).values

    texts = [one["text"] for one in whole["agent_words"]["values"]]
    assert max(map(len, texts)) > 17_000


async def test_the_console_keeps_no_payload_of_what_it_shows(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    for number in (1, 2, 3):
        await parked(store, inline_request(wide(50), number), times.ms)

    async with operator.events() as stream:
        await stream.until("all of them", all_read)
        gc.collect()
        rows = [one for one in gc.get_objects() if isinstance(one, ApprovalRow)]

    assert [row.approval_id for row in rows if row.payload] == []


async def test_who_decides_does_not_wait_until_everything_huge_was_read(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    for number in range(1, 13):
        await parked(store, inline_request(wide(900, "x" * 500), number), times.ms)
    await parked(store, question(13), times.ms)

    async with asyncio.timeout(SECONDS):
        reads = [
            asyncio.create_task(operator.get(f"/api/approvals/apr_{number:016x}"))
            for number in range(1, 13)
        ]
        await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
        said = await operator.post("/api/approvals/apr_000000000000000d/approve")
        left = [read for read in reads if not read.done()]
        told = await asyncio.gather(*reads)

    assert said.status == 200
    assert len(left) > len(reads) / 2
    assert {one.status for one in told} == {200}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("facts", "{"),
        ("facts", "[]"),
        ("facts", '{"asks": [1], "graph": 7, "inputs": "x", "values": [1], "targets": {"a": 1}}'),
        ("facts", '{"tool": ["run_workflow"], "workflow": ["txt2img"]}'),
        ("facts", '{"tool": "run_workflow", "estimate_s": 1e999, "front": 1e999}'),
        ("ruling", '{"by": [], "changes": {"a": 1}}'),
        ("payload", "{"),
        ("payload", '{"graph": {"1": 5, "2": {"inputs": []}}, "args": 1, "drawn": {}}'),
    ],
)
async def test_a_request_that_somebody_edited_in_the_state_hides_no_other(
    operator: Caller,
    store: SqliteStore,
    times: Times,
    settings: Settings,
    *,
    column: str,
    text: str,
) -> None:
    for number in (1, 2, 3):
        await parked(store, run_request(number=number), times.ms)
    edit(settings, "apr_0000000000000002", column, text)

    async with operator.events() as stream:
        told = await stream.until("all of them", all_read)
    opened = await operator.get("/api/approvals/apr_0000000000000003")

    assert [int(one["approval_id"][4:], 16) for one in told["approvals"]] == [3, 2, 1]
    assert told["approvals"][0]["agent_words"]["values"]
    assert told["approvals"][2]["agent_words"]["values"]
    assert opened.status == 200


@pytest.mark.parametrize(
    ("column", "text", "tool"), [("facts", "{", None), ("payload", "{", "run_workflow")]
)
async def test_a_request_that_cannot_be_read_says_so(
    operator: Caller,
    store: SqliteStore,
    times: Times,
    settings: Settings,
    *,
    column: str,
    text: str,
    tool: str | None,
) -> None:
    await parked(store, run_request(), times.ms)
    edit(settings, ID, column, text)

    async with operator.events() as stream:
        told = await stream.until("it", all_read)
    opened = await operator.get(f"/api/approvals/{ID}")

    assert told["approvals"][0]["unreadable"] is True
    assert told["approvals"][0]["facts"].get("tool") == tool
    assert opened.status == 503
    assert "cannot be read any more" in opened.values["error"]
