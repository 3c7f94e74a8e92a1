"""Approvals when the state fails, or the process dies: nothing runs unasked, and nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from comfy_mcp.errors import Denied, StateError
from comfy_mcp.guard.gate import Call
from comfy_mcp.store.folder import FILE
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import HOST, Bench
from tests.guard.person import ALL, House, run

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
LOOK = Call("get_job", "local", "local", args={"prompt_id": "x"})
STOP = Call("cancel_job", "local", "local", args={}, target="job-9", owner="mine", stop_ms=1_000)
CALLS = pytest.mark.parametrize("call", [run(1), LOOK, STOP], ids=["run", "read", "stop"])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A state whose chain of rows is whole at the end."""
    opened = SqliteStore(tmp_path / "state")
    yield opened
    assert (await opened.verify())[1] is None
    await opened.close()


@pytest.fixture
def house(store: SqliteStore) -> House:
    """A person is asked about everything here."""
    return House(Bench(store, ALL))


@pytest.fixture
async def hasty(house: House, tmp_path: Path) -> AsyncIterator[House]:
    """The same house for somebody who gives up soon: to be asked while there is trouble only."""
    opened = SqliteStore(tmp_path / "state", patience_ms=100)
    there = House(Bench(opened, ALL), house.ran)
    there.bench.number = 1_000
    yield there
    await opened.close()


@contextmanager
def gone(folder: Path) -> Generator[None]:
    """The state folder is somewhere else."""
    folder.rename(folder.with_name("elsewhere"))
    yield
    folder.with_name("elsewhere").rename(folder)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Somebody else writes to the state, and does not stop."""
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


TROUBLES = pytest.mark.parametrize("trouble", [gone, locked])


async def opened(house: House) -> None:
    """Have the state open before the trouble begins, on a busy machine, too."""
    async with asyncio.timeout(60):
        while True:
            with suppress(StateError):
                await house.bench.rows()
                return


async def refused(house: House, call: Call) -> None:
    denial = await house.attempt(call)
    assert denial is not None
    assert (denial.code, denial.retryable) == ("audit_unavailable", True)


@CALLS
@TROUBLES
async def test_a_call_that_cannot_be_parked_is_refused_also_a_read(
    house: House, hasty: House, tmp_path: Path, call: Call, trouble: type[gone]
) -> None:
    await house.bench.rows()
    await opened(hasty)
    with trouble(tmp_path / "state"):
        await refused(hasty, call)

    assert hasty.bench.asked == []
    assert await house.code(call) == "approval_required"
    assert house.ran == []


@CALLS
@TROUBLES
async def test_a_yes_that_cannot_be_spent_lets_nothing_through_and_stays(
    house: House, hasty: House, tmp_path: Path, call: Call, trouble: type[gone]
) -> None:
    yes = await house.approved(call)
    await opened(hasty)
    with trouble(tmp_path / "state"):
        await refused(hasty, call)
    await house.nothing_happened()
    assert await house.status(yes) == "approved"

    assert await house.code(call) == "ran"
    assert await house.status(yes) == "spent"


@CALLS
async def test_without_a_state_at_all_nothing_that_needs_a_person_is_let_through(
    tmp_path: Path, call: Call
) -> None:
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "state").write_text("a file where a folder has to be")
    store = SqliteStore(tmp_path / "no" / "state")
    house = House(Bench(store, ALL))

    await refused(house, call)

    assert house.ran == []
    await store.close()


@TROUBLES
async def test_an_id_that_cannot_be_looked_up_stands_for_nothing(
    house: House, tmp_path: Path, trouble: type[gone]
) -> None:
    yes = await house.approved(run(1))
    if trouble is locked:
        # Looking writes nothing.
        with trouble(tmp_path / "state"):
            assert await house.bench.gate.approved_args(run(1), yes.approval_id)
        return
    with trouble(tmp_path / "state"), pytest.raises(Denied) as caught:
        await house.bench.gate.approved_args(run(1), yes.approval_id)
    assert caught.value.denial.code == "audit_unavailable"


async def spend_and_die(folder: Path, step: str) -> str:
    """What a process says that is killed at *step*."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.guard.spender", str(folder), step),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            said = (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()
    assert said
    return said


async def test_a_process_that_is_killed_after_asking_leaves_its_request_for_the_next(
    tmp_path: Path,
) -> None:
    approval_id = await spend_and_die(tmp_path / "state", "asked")
    store = SqliteStore(tmp_path / "state")
    house = House(Bench(store, ALL))
    house.bench.number = 1_000

    assert await house.code(run(5)) == "approval_pending"
    assert await house.say(await house.row(approval_id))
    assert await house.code(run(6)) == "ran"

    assert (await house.row(approval_id)).prompt_id == "job-6"
    assert (await store.verify())[1] is None
    await store.close()


async def test_a_process_that_is_killed_between_admission_and_submit_has_spent_the_yes(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path / "state")
    house = House(Bench(store, ALL))
    yes = await house.approved(run(1))
    house.bench.number = 1_000

    assert await spend_and_die(tmp_path / "state", "admitted") == "admitted"

    assert await house.status(yes) == "spent"
    assert [row.prompt_id for row in await store.unfinished(host=HOST)] == ["job-2"]
    assert await house.code(run(3)) == "approval_required"
    assert house.ran == []
    assert (await store.verify())[1] is None
    await store.close()
