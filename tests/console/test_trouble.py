"""Faults of the program while somebody looks on: said once, and the page goes on."""

from __future__ import annotations

import pytest

from comfy_mcp.oversight.freezing import freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import Caller
from tests.console.conftest import Times

pytestmark = pytest.mark.anyio


async def test_what_fails_again_and_again_is_said_once_and_tried_again(
    operator: Caller,
    store: SqliteStore,
    times: Times,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0
    real = SqliteStore.approvals_mark

    async def broken(self: SqliteStore, now_ms: int) -> tuple[int, int]:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise RuntimeError("broken")
        return await real(self, now_ms)

    monkeypatch.setattr(SqliteStore, "approvals_mark", broken)
    await freeze(store, times.ms, "bob")

    async with operator.events() as stream:
        told = await stream.state()

    assert [one["grant"] for one in told["freezes"]] == ["bob"]
    assert tries >= 4
    said = [record for record in caplog.records if "could not be read" in record.message]
    assert len(said) == 1
