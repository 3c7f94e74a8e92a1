"""The gate when its state fails it: what changes something stops, reads go on, nothing is given."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from comfy_mcp.errors import Denied, RateLimited, StateError
from comfy_mcp.guard.gate import Call
from comfy_mcp.store.protocol import EVERYBODY, Freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import NOW, Bench, submit

pytestmark = pytest.mark.anyio

LOOK = Call("get_job", "local", "local", args={"prompt_id": "x"})
CLEAR = Call("clear_queue", "local", "local", args={}, targets=("job-1",), stop_ms=1_000)
STOP = Call("cancel_job", "local", "local", target="job-1", owner="mine", stop_ms=1_000)
TOOLS = {"run_workflow": {}, "get_job": {}, "cancel_job": {}, "clear_queue": {}}


async def only_reads_go_on(bench: Bench) -> None:
    """A read is let through unwritten; whatever changes something is refused, and says why."""
    async with bench.gate.admit(LOOK) as granted:
        assert not granted.written
    for call in (submit(2), STOP, CLEAR):
        with pytest.raises(Denied) as caught:
            async with bench.gate.admit(call):
                pytest.fail("the body must not run")
        denial = caught.value.denial
        assert (denial.code, denial.retryable) == ("audit_unavailable", True)
        assert denial.operator_hint is not None
        assert "COMFY_MCP_STATE" in denial.operator_hint


async def test_a_state_folder_that_goes_away_stops_all_but_reads_until_it_is_back(
    store: SqliteStore, tmp_path: Path
) -> None:
    bench = Bench(store, TOOLS)
    async with bench.gate.admit(submit(1)):
        pass
    await store.freeze(NOW, Freeze("ann"), {})
    shutil.move(tmp_path / "state", tmp_path / "elsewhere")

    await only_reads_go_on(bench)

    shutil.move(tmp_path / "elsewhere", tmp_path / "state")
    async with bench.gate.admit(LOOK) as granted:
        assert granted.written
    with pytest.raises(Denied, match="frozen"):
        async with bench.gate.admit(submit(3, "ann")):
            pytest.fail("a freeze outlives the folder's absence")


async def test_a_full_disk_stops_all_but_reads_until_there_is_room(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(store, TOOLS)
    async with bench.gate.admit(submit(1)):
        pass
    await limit_pages(store, 1)
    for size in (5_000, 0):
        with pytest.raises(StateError, match="not full"):
            await fill(store, {"padding": "x" * size})

    await only_reads_go_on(bench)
    assert "disk is full" in caplog.text

    await limit_pages(store, 1_000_000)
    async with bench.gate.admit(submit(4)) as granted:
        assert granted.submit is not None


async def fill(store: SqliteStore, record: dict[str, str]) -> None:
    """Write until there is no room for one more."""
    for _ in range(1_000):
        await store.record(NOW, record)


async def limit_pages(store: SqliteStore, most: int) -> None:
    """SQLite's own way to a full disk: the file may not grow beyond what it has, or *most*."""

    def limit(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {most}")

    await store._read(limit)


async def test_a_refusal_stands_though_it_cannot_be_written_down(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(store, {"get_job": {}})
    await bench.rows()
    shutil.move(tmp_path / "state", tmp_path / "elsewhere")

    with pytest.raises(Denied) as caught:
        async with bench.gate.admit(submit(1)):
            pytest.fail("the body must not run")

    assert caught.value.denial.code == "denied"
    assert "could not be written down" in caplog.text


async def test_a_state_that_goes_away_during_a_call_leaves_its_decision_without_an_outcome(
    store: SqliteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(store, TOOLS)
    async with bench.gate.admit(submit(1)) as granted:
        shutil.move(tmp_path / "state", tmp_path / "elsewhere")
    assert granted.decision_id in caplog.text

    shutil.move(tmp_path / "elsewhere", tmp_path / "state")
    assert [row["kind"] for row in await bench.rows()] == ["decision"]


async def test_a_clock_that_steps_back_gives_no_call_back_and_tells_the_whole_wait(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}})
    async with bench.gate.admit(submit(1)):
        pass

    bench.now_ms -= 3_600_000
    with pytest.raises(RateLimited) as caught:
        async with bench.gate.admit(submit(2)):
            pytest.fail("the body must not run")
    assert caught.value.denial.retry_after_s == 3_660.0
    bench.now_ms += 3_660_000
    async with bench.gate.admit(submit(3)):
        pass


async def test_a_clock_that_stepped_forth_and_back_again_empties_no_limit_twice(
    store: SqliteStore,
) -> None:
    bench = Bench(store, {"run_workflow": {"rate_limit": "1/minute"}})
    async with bench.gate.admit(submit(1)):
        pass
    bench.now_ms += 3_600_000
    async with bench.gate.admit(submit(2)):
        pass

    bench.now_ms = NOW
    for _ in range(3):
        with pytest.raises(RateLimited):
            async with bench.gate.admit(submit(3)):
                pytest.fail("the body must not run")
        bench.now_ms += 1_000_000


@pytest.mark.parametrize("step_ms", [-86_400_000, 86_400_000])
async def test_a_freeze_holds_and_a_key_is_found_whatever_the_clock_does(
    store: SqliteStore, step_ms: int
) -> None:
    bench = Bench(store, TOOLS)
    async with bench.gate.admit(submit(1)):
        pass
    await store.freeze(NOW, Freeze(EVERYBODY), {})
    bench.now_ms += step_ms

    with pytest.raises(Denied, match="frozen"):
        async with bench.gate.admit(submit(2)):
            pytest.fail("the body must not run")
    assert await store.verify() == (4, None)
