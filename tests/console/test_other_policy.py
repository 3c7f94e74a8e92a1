"""Servers that work under another policy than the console was started with."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from comfy_mcp.guard.loading import load
from comfy_mcp.settings import Settings
from comfy_mcp.store.sqlite import SqliteStore
from tests.cli.states import decision
from tests.console.caller import Caller
from tests.console.conftest import Times
from tests.oversight.asked import parked, policy_file, run_request

pytestmark = pytest.mark.anyio


async def warnings(operator: Caller) -> list[str]:
    """Those of the policy, on the page."""
    async with operator.events() as stream:
        return list((await stream.state())["policy"]["warnings"])


async def test_the_page_says_so_and_how_to_start_the_console_right(
    operator: Caller, store: SqliteStore, times: Times, tmp_path: Path
) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    policy = policy_file(folder)
    await parked(store, run_request(policy), times.ms)
    await store.record(times.ms, decision(policy=load([policy]).revision))

    told = await warnings(operator)

    assert f"--policy {shlex.quote(str(policy))}" in told[0]
    assert load([policy]).revision.removeprefix("sha256:")[:12] in told[0]


async def test_without_a_request_that_names_the_files_it_says_so_without_them(
    operator: Caller, store: SqliteStore, times: Times
) -> None:
    await store.record(times.ms, decision(policy="sha256:" + "a" * 64))

    assert "--policy FILE" in (await warnings(operator))[0]


async def test_the_same_policy_is_no_reason_to_warn_nor_is_an_older_call_under_another(
    operator: Caller, store: SqliteStore, times: Times, settings: Settings
) -> None:
    assert replace(settings).policies == ()
    await store.record(times.ms, decision(policy="sha256:" + "a" * 64))
    await store.record(times.ms, decision(policy=load([]).revision))
    await store.record(times.ms, {"kind": "outcome", "policy": "sha256:" + "b" * 64})

    assert not [words for words in await warnings(operator) if "another policy" in words]
