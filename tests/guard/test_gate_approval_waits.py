"""A call that waits for a person: a quick yes needs no retry, and giving up takes nothing back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from comfy_mcp.errors import Refused
from comfy_mcp.guard.gate import Call
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import Bench
from tests.guard.person import ALL, Files, House, run

pytestmark = pytest.mark.anyio

SOON = 20.0


@pytest.fixture(autouse=True)
async def _sound(store: SqliteStore) -> AsyncIterator[None]:
    """Whatever happened: the audit log is whole."""
    yield
    assert (await store.verify())[1] is None


@pytest.fixture
def house(store: SqliteStore) -> House:
    """Calls wait here, as long as they say themselves."""
    return House(Bench(store, ALL, waits=True, approvals={"wait_s": 50}))


async def request(house: House) -> ApprovalRow:
    """The first request, as soon as it is made."""
    with anyio.fail_after(SOON):
        while not house.bench.asked:  # noqa: ASYNC110 - a list tells nobody
            await anyio.sleep(0.01)
    return house.bench.asked[0]


async def meanwhile(house: House, call: Call, status: str) -> str:
    """How *call* ends if somebody decides its request while it waits."""
    code = ""
    with anyio.fail_after(SOON):
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                nonlocal code
                code = await house.code(call)

            tasks.start_soon(wait)
            row = await request(house)
            if status == "expired":
                house.bench.now_ms = row.expires_ms
            else:
                assert await house.say(row, status)
    return code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("approved", "ran"),
        ("denied", "approval_denied"),
        ("cancelled", "approval_cancelled"),
        ("expired", "approval_expired"),
    ],
)
async def test_a_call_that_waits_is_told_at_once(house: House, status: str, code: str) -> None:
    assert await meanwhile(house, run(1, wait_seconds=50), status) == code

    assert len(house.ran) == (status == "approved")
    assert len(house.bench.asked) == 1


async def test_a_repeat_waits_for_the_same_request(house: House) -> None:
    await house.asked(run(1, wait_seconds=0))

    assert await meanwhile(house, run(2, wait_seconds=50), "approved") == "ran"
    assert len(house.bench.asked) == 1


async def test_of_two_that_wait_for_one_yes_one_runs(house: House) -> None:
    codes: list[str] = []

    async def wait(number: int) -> None:
        codes.append(await house.code(run(number, wait_seconds=50)))

    with anyio.fail_after(SOON):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, 1)
            tasks.start_soon(wait, 2)
            await house.say(await request(house))

    assert sorted(codes) == ["approval_spent", "ran"]
    assert len(house.ran) == 1


async def test_without_a_wait_of_its_own_the_policy_says_how_long(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, waits=True, approvals={"wait_s": 0}))

    assert await house.code(run(1)) == "approval_required"
    assert await house.code(run(2, wait_seconds=600)) == "approval_pending"


async def test_a_call_that_asked_for_no_wait_is_told_at_once(house: House) -> None:
    assert await house.code(run(1, wait_seconds=0)) == "approval_required"


async def test_whoever_waits_is_told_so(house: House) -> None:
    matter = Files(run(1, wait_seconds=0.01), {})

    assert await house.code(matter.call, matter) == "approval_required"

    (row,) = house.bench.asked
    assert matter.said == [f"waiting for a person: {row.approval_id} (0 s)"]


async def test_a_call_that_is_cancelled_while_it_waits_leaves_its_request(house: House) -> None:
    scope = anyio.CancelScope()

    async def wait() -> None:
        with scope:
            await house.attempt(run(1, wait_seconds=50))

    with anyio.fail_after(SOON):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            row = await request(house)
            scope.cancel()

    assert scope.cancelled_caught
    assert await house.status(row) == "pending"
    await house.nothing_happened()
    await house.say(row)
    assert await house.code(run(2)) == "ran"


async def test_what_the_policy_became_while_the_call_waited_counts(store: SqliteStore) -> None:
    house = House(Bench(store, ALL, waits=True))
    with anyio.fail_after(SOON):
        async with anyio.create_task_group() as tasks:
            codes: list[str] = []

            async def wait() -> None:
                codes.append(await house.code(run(1, wait_seconds=50)))

            tasks.start_soon(wait)
            row = await request(house)
            house.bench.write(tools=ALL, description="another")
            await house.say(row)

    assert codes == ["policy_unavailable"]
    await house.nothing_happened()
    assert await house.status(row) == "approved"


async def test_a_gate_whose_state_goes_away_while_a_call_waits_refuses_it(
    house: House, store: SqliteStore
) -> None:
    folder = store._database._folder
    code = ""

    async def wait() -> None:
        nonlocal code
        try:
            async with house.bench.gate.admit(run(1, wait_seconds=50)):
                code = "ran"
        except Refused as refusal:
            code = refusal.denial.code

    with anyio.fail_after(SOON):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await request(house)
            folder.rename(folder.with_name("elsewhere"))

    assert code == "audit_unavailable"
    folder.with_name("elsewhere").rename(folder)
    await house.nothing_happened()
