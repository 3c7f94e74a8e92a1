"""Server processes that share a state share one count and one chain, and may die at any moment."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import comfy_mcp
from comfy_mcp.store import UNIT, Admission, Charge, Full, SqliteStore
from comfy_mcp.store.asked import APPROVED, PENDING, SPENT
from tests.store.hammer import FEW, NOW

pytestmark = pytest.mark.anyio

BOUND_S = 60
EIGHT = "abcdefgh"
HAMMER = Path(__file__).with_name("hammer.py")
ALONE = ("unshare", "--mount", "--propagation", "private")
"""A command in front of another that then sees mounts nobody else sees."""

ROOT = Path(comfy_mcp.__file__).parent.parent

Process = subprocess.Popen[str]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts processes on one state that begin when they are sent a line."""
    processes: list[Process] = []

    def start(what: str, name: str, count: int) -> Process:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, HAMMER, tmp_path / "state", what, name, str(count)],
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


def go(*processes: Process) -> None:
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def ended(process: Process) -> list[str]:
    told, _ = process.communicate(timeout=BOUND_S)
    assert process.returncode == 0
    return told.splitlines()


async def counted(store: SqliteStore) -> tuple[int, int, int]:
    """Rows of the log, unfinished jobs, and calls on the shared account: they must be equal."""
    rows, fault = await store.verify()
    assert fault is None
    jobs = await store.unfinished(host="host")
    charge = Charge("calls", "*", UNIT, 0, 60_000, "/limits/0")
    full = await store.admit(Admission("dec", 0, {}, charges=(charge,)))
    assert isinstance(full, Full)
    return rows, len(jobs), full.used // UNIT


async def test_eight_processes_let_exactly_the_maximum_through(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    processes = [started("admit", name, 20) for name in EIGHT]
    go(*processes)

    assert sum(int(ended(process)[0]) for process in processes) == 20
    store = SqliteStore(tmp_path / "state")
    assert await counted(store) == (20, 20, 20)
    await store.close()


async def test_eight_processes_let_exactly_as_many_sweeps_through_as_fit(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    processes = [started("together", name, 5) for name in EIGHT]
    go(*processes)

    # Of four runs each: five times four are the maximum, and none is let in by halves.
    assert sum(int(ended(process)[0]) for process in processes) == 5
    store = SqliteStore(tmp_path / "state")
    assert await counted(store) == (20, 20, 20)
    sweeps = await store.sweeps("host", "ann", count=99)
    assert [len(sweep.prompt_ids) for sweep in sweeps] == [4] * 5
    await store.close()


async def test_slots_and_budget_that_change_hands_are_never_taken_twice(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    processes = [started("churn", name, 25) for name in EIGHT]
    go(*processes)

    seen = [int(ended(process)[0]) for process in processes]
    assert 1 <= max(seen) <= FEW.most
    store = SqliteStore(tmp_path / "state")
    assert await store.unfinished(host="host") == ()
    assert await store.accounts() == ()
    rows, fault = await store.verify()
    assert fault is None
    assert rows > 0
    await store.close()


async def test_four_processes_write_one_whole_chain(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    processes = [started("record", name, 100) for name in "abcd"]
    go(*processes)

    assert [ended(process) for process in processes] == [["100"]] * 4
    store = SqliteStore(tmp_path / "state")
    assert await store.verify() == (400, None)
    written = [(row.record["by"], row.record["number"]) for row in await store.tail(400)]
    assert sorted(written) == [(name, number) for name in "abcd" for number in range(100)]
    await store.close()


async def test_a_process_killed_while_it_writes_leaves_a_whole_state(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "state")
    told = 0
    for number, lines in enumerate((1, 7, 60)):
        victims = [started("for-ever", f"{name}{number}", 0) for name in "ab"]
        go(*victims)
        for victim in victims:
            assert victim.stdout is not None
            assert all(victim.stdout.readline() for _ in range(lines))
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.wait(timeout=BOUND_S)
            assert victim.stdout is not None
            told += lines + victim.stdout.read().count("\n")

        rows, jobs, calls = await counted(store)
        assert rows == jobs == calls
        assert told <= rows <= told + 2 * (number + 1)
    await store.close()


async def test_a_process_killed_while_it_writes_sweeps_leaves_them_whole(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    told: set[str] = set()
    for number, lines in enumerate((1, 2, 7, 40)):
        victim = started("together-for-ever", f"v{number}", 0)
        go(victim)
        assert victim.stdout is not None
        heard = [victim.stdout.readline() for _ in range(lines)]
        victim.kill()
        victim.wait(timeout=BOUND_S)
        told |= set("".join([*heard, victim.stdout.read()]).split())

    store = SqliteStore(tmp_path / "state")
    sweeps = {row.sweep_id: row for row in await store.sweeps("host", "ann", count=9_999)}
    assert told <= sweeps.keys()
    assert len(sweeps) <= len(told) + 4
    for row in sweeps.values():
        assert [job.place for job in await store.sweep_jobs(row.sweep_id)] == [0, 1, 2, 3]
    all_of_them = 4 * len(sweeps)
    assert await counted(store) == (all_of_them,) * 3
    await store.close()


async def test_a_process_killed_while_it_asks_leaves_every_request_whole(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    told: dict[str, str] = {}
    for number, lines in enumerate((1, 2, 3, 40)):
        victim = started("ask-for-ever", f"v{number}", 0)
        go(victim)
        assert victim.stdout is not None
        heard = [victim.stdout.readline() for _ in range(lines)]
        victim.kill()
        victim.wait(timeout=BOUND_S)
        heard += victim.stdout.read().splitlines()
        told |= {which: step for step, which in (line.split() for line in heard)}

    store = SqliteStore(tmp_path / "state")
    rows = {row.approval_id: row for row in await store.approvals(NOW, count=9_999)}
    order = {"asked": PENDING, "approved": APPROVED, "spent": SPENT}
    done = [*order.values()]
    for which, step in told.items():
        # What was told is on the disk; one step more may have been done untold.
        assert rows[which].status in done[done.index(order[step]) :][:2]
    jobs = {job.prompt_id for job in await store.unfinished(host="host")}
    assert jobs == {row.prompt_id for row in rows.values() if row.status == SPENT}
    steps = sum(1 + done.index(row.status) for row in rows.values())
    assert await store.verify() == (steps, None)
    await store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
async def test_a_full_disk_refuses_and_keeps_what_was_admitted(
    started: Callable[..., Process], tmp_path: Path
) -> None:
    process = started("fill", "a", 400_000)
    go(process)

    admitted, told = ended(process)
    assert "COMFY_MCP_STATE" in told
    store = SqliteStore(tmp_path / "state")
    assert int(admitted) > 1
    assert await counted(store) == (int(admitted),) * 3
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk of its own")
def test_a_disk_that_is_full_refuses_until_there_is_room_again(tmp_path: Path) -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:  # noqa: S603 - our own words
        pytest.skip("may not mount a disk here")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=1m,mode=0700 tmpfs "$0" && exec "$@"'
    arguments = [disk, sys.executable, HAMMER, disk / "state", "flood", "a", "300000"]
    process = subprocess.run(  # noqa: S603 - our own script
        [*ALONE, "sh", "-c", script, *arguments],
        input="go\n",
        stdout=subprocess.PIPE,
        text=True,
        timeout=BOUND_S,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    ready, told, left, after = process.stdout.splitlines()
    assert ready == "ready"
    assert "not full" in told
    admitted, *rest = ast.literal_eval(left)
    assert admitted > 1
    assert rest == [admitted, None, admitted, admitted]
    assert "Admitted" in after
