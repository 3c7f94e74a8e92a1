"""Eight server processes on one limit, one budget, one cap: exactly the maximum gets through."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

import comfy_mcp
from comfy_mcp.store import UNIT, SqliteStore, Use
from comfy_mcp.store.asked import DENIED, MOVES, PENDING, SPENT
from tests.store.racer import (
    GPU_S,
    HOUR,
    MOST,
    NOBODY,
    NOW,
    WAITING,
    budget,
    cap,
    limit,
    request,
)
from tests.store.sample import YES

pytestmark = pytest.mark.anyio

BOUND_S = 90
EIGHT = "abcdefgh"
RACER = Path(__file__).with_name("racer.py")
ROOT = Path(comfy_mcp.__file__).parent.parent

Process = subprocess.Popen[str]


@pytest.fixture
def started() -> Iterator[Callable[..., Process]]:
    """Starts processes that begin when they are sent a line."""
    processes: list[Process] = []

    def start(folder: Path, what: str, name: str, count: int = 1) -> Process:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, RACER, folder, what, name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=BOUND_S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder)
    yield store
    await store.close()


def go(*processes: Process) -> None:
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def told(process: Process) -> str:
    text, _ = process.communicate(timeout=BOUND_S)
    assert process.returncode == 0
    return text.strip()


async def full(store: SqliteStore) -> list[Use]:
    """How much of limit, budget and cap is used."""
    return list(await store.peek(NOW, (limit(), budget()), (cap(),)))


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder that another user can reach: those of pytest are for their owner only."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "state"
        folder.mkdir(mode=0o700)
        yield folder
        folder.chmod(0o700)


def only_to_be_read(folder: Path) -> None:
    """Nobody can write there; root always can, so then the racer becomes somebody else."""
    for path, mode in [*((file, 0o400) for file in folder.iterdir()), (folder, 0o500)]:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, -1)
        path.chmod(mode)


@pytest.mark.parametrize("what", ["limit", "budget", "cap"])
async def test_eight_processes_let_exactly_the_maximum_through(
    started: Callable[..., Process], folder: Path, store: SqliteStore, what: str
) -> None:
    processes = [started(folder, what, name, 6) for name in EIGHT]
    go(*processes)

    assert sum(int(told(process)) for process in processes) == MOST
    used = {"limit": limit(), "budget": budget(), "cap": cap()}[what]
    uses = {use.cause: use for use in await full(store)}
    assert uses[used].used == (MOST if what == "cap" else used.most)
    assert uses[used].retry_after_ms == (None if what == "cap" else HOUR)
    assert len(await store.unfinished(host="host")) == MOST
    assert await store.verify() == (MOST, None)


async def test_eight_processes_that_settle_leave_nothing_behind(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    processes = [started(folder, "work", name, 2 * MOST) for name in EIGHT]
    go(*processes)

    # Never more than eight at a time, so that each of them found room.
    assert [int(told(process)) for process in processes] == [2 * MOST] * len(EIGHT)
    assert [use.used for use in await full(store)] == [0, 0, 0]
    assert await store.verify() == (len(EIGHT) * 2 * MOST, None)


async def test_eight_processes_with_the_same_keys_get_one_job_for_each_key(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    processes = [started(folder, "keys", name, MOST) for name in EIGHT]
    go(*processes)

    answers = [told(process).split() for process in processes]
    for number, of_key in enumerate(zip(*answers, strict=True)):
        row = await store.keyed("host", "ann", f"key-{number}")
        assert row is not None
        repeats = [f"={row.prompt_id}"] * (len(EIGHT) - 1)
        assert sorted(of_key) == [f"+{row.prompt_id}", *repeats]
    assert len(await store.unfinished(host="host")) == MOST
    assert (await full(store))[0].used == MOST * UNIT
    assert await store.verify() == (MOST, None)


async def test_a_process_that_ends_between_admission_and_submit_leaves_its_key_taken(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    victim = started(folder, "keys", "v", 1)
    go(victim)
    assert told(victim) == "+v-0"
    other = started(folder, "keys", "w", 1)
    go(other)

    # Nobody knows whether ComfyUI got it: it is looked up, and never sent under another id.
    assert told(other) == "=v-0"
    assert await store.job("w-0") is None


async def requests(store: SqliteStore, count: int, *, approved: bool = False) -> None:
    """So many requests of ann, ``apr-0`` and so on."""
    for number in range(count):
        await store.park(NOW, request(number, f"apr-{number}"), {}, most=count)
        if approved:
            await store.rule(NOW, f"apr-{number}", YES, {})


async def test_eight_processes_that_ask_the_same_make_one_request_and_no_more_than_may_wait(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    processes = [started(folder, "park", name, 2 * WAITING) for name in EIGHT]
    go(*processes)

    answers = [told(process).split() for process in processes]
    rows = await store.approvals(NOW, count=99)
    assert len(rows) == WAITING
    assert {row.status for row in rows} == {PENDING}
    assert {answer[1:] for of_one in answers for answer in of_one} == {
        row.approval_id for row in rows
    }
    new = [answer for of_one in answers for answer in of_one if answer[0] == "+"]
    assert len(new) == WAITING
    assert await store.verify() == (WAITING, None)


async def test_eight_processes_that_decide_move_a_request_only_as_the_table_says(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    await requests(store, MOST)
    processes = [started(folder, "rule", name, MOST) for name in EIGHT]
    go(*processes)

    moves = [move for process in processes for move in told(process).split()]
    log = [row.record for row in await store.rows(MOST, 999)]
    # Each process hears of the moves that it made itself, and of no other.
    assert sorted(moves) == sorted(f"{row['number']}:{row['to']}" for row in log)
    for number in range(MOST):
        steps = [PENDING, *(str(row["to"]) for row in log if row["number"] == number)]
        assert len(steps) > 1
        # In the order of the log a yes becomes a no and a no a yes, and none the same again.
        assert all(to in MOVES[before] for before, to in pairwise(steps))
        assert await store.approval_status(f"apr-{number}", NOW) == steps[-1]
    assert await store.verify() == (MOST + len(moves), None)


async def test_eight_processes_spend_each_yes_exactly_once(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    await requests(store, MOST, approved=True)
    processes = [started(folder, "spend", name, MOST) for name in EIGHT]
    go(*processes)

    got = {name: told(process).split() for name, process in zip(EIGHT, processes, strict=True)}
    assert sorted(int(number) for of_one in got.values() for number in of_one) == [*range(MOST)]
    for name, numbers in got.items():
        for number in numbers:
            row = await store.approval(f"apr-{number}", NOW)
            assert row is not None
            assert (row.status, row.prompt_id) == (SPENT, f"{name}-{number}")
    assert len(await store.unfinished(host="host")) == MOST
    assert (await full(store))[0].used == MOST * UNIT
    assert await store.verify() == (3 * MOST, None)


async def test_a_yes_is_spent_or_taken_back_and_never_both(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    await requests(store, MOST, approved=True)
    spenders = [started(folder, "spend", name, MOST) for name in "aceg"]
    deniers = [started(folder, "rule", name, MOST) for name in "bdfh"]
    go(*spenders, *deniers)

    spent = [int(number) for process in spenders for number in told(process).split()]
    denied = [int(move.split(":")[0]) for process in deniers for move in told(process).split()]
    assert sorted(spent + denied) == [*range(MOST)]
    for numbers, status in ((spent, SPENT), (denied, DENIED)):
        for number in numbers:
            assert await store.approval_status(f"apr-{number}", NOW) == status
    assert len(await store.unfinished(host="host")) == len(spent)


async def test_a_process_killed_between_reserving_and_settling_leaves_its_charge(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    victim = started(folder, "reserve", "v")
    go(victim)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "Admitted\n"
    victim.kill()
    victim.wait(timeout=BOUND_S)

    assert [use.used for use in await full(store)] == [UNIT, GPU_S * UNIT, 1]
    (job,) = await store.unfinished(host="host")
    assert (job.prompt_id, job.status) == ("v-0", "submitting")
    assert await store.verify() == (1, None)

    assert await store.move_job("v-0", "lost", NOW, record={"outcome": "lost"})
    assert [use.used for use in await full(store)] == [UNIT, GPU_S * UNIT, 0]
    assert await store.verify() == (2, None)


async def test_whoever_notices_first_settles_what_a_killed_process_reserved(
    started: Callable[..., Process], folder: Path, store: SqliteStore
) -> None:
    victim = started(folder, "reserve", "v")
    go(victim)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "Admitted\n"
    victim.kill()
    victim.wait(timeout=BOUND_S)
    other = SqliteStore(folder)

    assert await other.move_job("v-0", "refused", NOW)
    assert not await store.move_job("v-0", "completed", NOW, gpu_ms=9_000)
    assert [use.used for use in await full(store)] == [UNIT, 0, 0]
    await other.close()


@pytest.mark.skipif(sys.platform == "win32", reason="modes and owners are POSIX")
@pytest.mark.parametrize("used_before", [False, True])
async def test_a_folder_that_can_only_be_read_refuses_and_says_what_to_do(
    started: Callable[..., Process], used_before: bool
) -> None:
    with shared_folder() as folder:
        if used_before:
            before = SqliteStore(folder)
            await before.record(NOW, {})
            await before.close()
        only_to_be_read(folder)
        process = started(folder, "read-only", "r")
        go(process)
        text = told(process)

    assert "cannot be read or written" in text
    assert "COMFY_MCP_STATE" in text
