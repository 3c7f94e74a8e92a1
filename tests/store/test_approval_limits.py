"""Asking costs something: so many new requests an hour, so large each, and nothing kept of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import ApprovalRow, Crowded, Parked, Ruling, SqliteStore, Store, TooLarge
from comfy_mcp.store.asked import (
    APPROVED,
    CALL,
    CANCELLED,
    DENIED,
    EXPIRED,
    HOURLY,
    MOST_PAYLOAD,
    PENDING,
    QUESTION,
    SPENT,
)
from tests.store.sample import (
    HOUR,
    NOW,
    PERSON,
    SECOND,
    YES,
    a_request,
    approved,
    connected,
    parked,
    spending,
)

pytestmark = pytest.mark.anyio

BACK = Ruling(CANCELLED, {"channel": "agent"}, "Not needed.")
PAYLOAD = a_request().payload
PAGE = 4096


async def asked(store: Store, count: int = HOURLY, **kw: Any) -> None:
    """So many requests, one each second from `NOW` on, all taken back at once."""
    for number in range(count):
        now_ms = NOW + number * SECOND
        await parked(store, f"old_{number}", now_ms, **kw)
        await store.rule(now_ms, f"old_{number}", BACK, {})


# So many an hour


async def test_who_asks_and_takes_back_gets_no_further_than_the_hours_requests(
    store: Store,
) -> None:
    await asked(store)
    seq = (await store.head()).seq
    later = NOW + HOURLY * SECOND

    answer = await store.park(later, a_request(), {"one": "more"}, most=9)
    assert answer == Crowded(0, NOW + HOUR - later)
    assert await store.approval("apr_1", later) is None
    assert (await store.head()).seq == seq
    # Others have an hour of their own.
    await parked(store, "of bob", later, grant="bob")


async def test_the_wait_for_the_next_request_is_exact(store: Store) -> None:
    await asked(store)
    for number in range(3):
        free = NOW + number * SECOND + HOUR
        new = a_request(f"new_{number}")
        assert await store.park(free - 1, new, {}, most=9) == Crowded(number, 1)
        assert isinstance(await store.park(free, new, {}, most=9), Parked)
        after = await store.park(free, a_request("after"), {}, most=9)
        assert after == Crowded(number + 1, SECOND)


async def test_calls_and_questions_of_all_hosts_count_together(store: Store) -> None:
    for number in range(HOURLY):
        kind = (CALL, QUESTION)[number % 2]
        await parked(store, f"apr_{number}", kind=kind, host=f"host {number}")
    for kind in (CALL, QUESTION):
        answer = await store.park(NOW, a_request("new", kind=kind), {}, most=99)
        assert answer == Crowded(HOURLY, HOUR)


async def test_what_stands_already_is_answered_without_counting(store: Store) -> None:
    row = await parked(store)
    for _ in range(HOURLY):
        assert await store.park(NOW, a_request(), {}, most=9) == Parked(row, is_new=False)
    await asked(store, HOURLY - 1)
    assert await store.park(NOW, a_request(), {}, most=9) == Parked(row, is_new=False)


@pytest.mark.parametrize("status", [PENDING, APPROVED])
async def test_without_room_in_the_hour_nothing_gives_way(store: Store, status: str) -> None:
    await (parked(store) if status == PENDING else approved(store))
    await asked(store, HOURLY - 1)
    now_ms = NOW + HOUR - 1
    seq = (await store.head()).seq
    new = a_request("apr_2", match=a_request().match, policy="policy 2", lives_ms=1)

    assert await store.park(now_ms, new, {}, most=9) == Crowded(int(status == PENDING), 1)
    assert await store.approval_status("apr_1", now_ms) == status
    assert (await store.head()).seq == seq


async def test_where_too_many_wait_nobody_knows_how_long_it_takes(store: Store) -> None:
    await parked(store)
    await asked(store, HOURLY - 1)
    assert await store.park(NOW, a_request("apr_2"), {}, most=1) == Crowded(1, None)
    assert await store.park(NOW, a_request("apr_2"), {}, most=2) == Crowded(1, HOUR)


async def test_a_clock_that_is_behind_is_told_the_wait_by_itself(store: Store) -> None:
    await asked(store)
    last_ms = NOW + (HOURLY - 1) * SECOND
    behind = last_ms - 7 * SECOND

    answer = await store.park(behind, a_request(), {}, most=9)
    assert answer == Crowded(0, NOW + HOUR - behind)
    # It is the time that was seen, not the one that is said, which counts.
    assert await store.park(NOW - HOUR, a_request(), {}, most=9) == Crowded(0, 2 * HOUR)


async def test_requests_of_all_processes_count_together(open_store: Callable[[], Store]) -> None:
    stores = (open_store(), open_store())
    for number in range(HOURLY):
        await parked(stores[number % 2], f"apr_{number}")
    for store in stores:
        assert await store.park(NOW, a_request("new"), {}, most=99) == Crowded(HOURLY, HOUR)


# So large each


def weighing(size: int) -> dict[str, str]:
    """A payload of exactly so many bytes of canonical JSON."""
    return {"text": "x" * (size - len('{"text":""}'))}


async def test_a_payload_that_is_too_large_is_told_with_its_size(store: Store) -> None:
    new = a_request(payload=weighing(MOST_PAYLOAD + 1))
    answer = await store.park(NOW, new, {}, most=9)
    assert answer == TooLarge(MOST_PAYLOAD + 1, MOST_PAYLOAD)
    assert await store.approval("apr_1", NOW) is None
    assert (await store.head()).seq == 0


async def test_the_largest_payload_comes_back_whole(store: Store) -> None:
    row = await parked(store, payload=weighing(MOST_PAYLOAD))
    assert row.payload == weighing(MOST_PAYLOAD)


async def test_it_is_bytes_of_the_file_that_are_counted(store: Store) -> None:
    payload = {"text": "\N{SNOWMAN}" * (MOST_PAYLOAD // len("\\u2603"))}
    answer = await store.park(NOW, a_request(payload=payload), {}, most=9)
    assert answer == TooLarge(len(json.dumps(payload, separators=(",", ":"))), MOST_PAYLOAD)


# Nothing of it is kept


async def row_of(store: Store, now_ms: int = NOW) -> ApprovalRow:
    row = await store.approval("apr_1", now_ms)
    assert row is not None
    return row


@pytest.mark.parametrize("first", [PENDING, APPROVED])
async def test_what_is_taken_back_gives_its_payload_up_and_keeps_the_rest(
    store: Store, first: str
) -> None:
    before = await (parked(store) if first == PENDING else approved(store))
    moved, after = await store.rule(NOW, "apr_1", BACK, {})

    assert moved
    assert after is not None
    assert after == await row_of(store)
    assert (after.payload, after.status, after.reason) == ({}, CANCELLED, "Not needed.")
    assert (after.effect, after.facts, after.match) == (before.effect, before.facts, before.match)


async def test_what_gives_way_to_a_new_policy_gives_its_payload_up(store: Store) -> None:
    await approved(store)
    await parked(store, "apr_2", match=a_request().match, policy="policy 2")
    row = await row_of(store)
    assert (row.status, row.payload) == (CANCELLED, {})


async def test_what_is_spent_gives_its_payload_up_and_keeps_what_was_changed(store: Store) -> None:
    await parked(store)
    parts: dict[str, Any] = {"payload": {"new": 1}, "effect": "effect 1", "facts": {"title": "b"}}
    changes = {"steps": [50, 20]}
    await store.rule(NOW, "apr_1", Ruling(APPROVED, PERSON, "Less.", changes, **parts), {})
    assert (await row_of(store)).payload == {"new": 1}

    await store.admit(spending())
    row = await row_of(store)
    assert (row.status, row.payload, row.effect, row.facts) == (
        *(SPENT, {}),
        *("effect 1", {"title": "b"}),
    )
    assert (row.by, row.reason, row.changes) == (PERSON, "Less.", changes)


async def test_a_no_keeps_its_payload_as_long_as_it_can_become_a_yes(store: Store) -> None:
    await parked(store)
    await store.rule(NOW, "apr_1", Ruling(DENIED, PERSON), {})
    await parked(store, "apr_2", NOW + HOUR - 1)

    assert (await row_of(store)).payload == PAYLOAD
    moved, row = await store.rule(NOW + HOUR - 1, "apr_1", YES, {})
    assert moved
    assert row is not None
    assert row.payload == PAYLOAD


@pytest.mark.parametrize("status", [PENDING, APPROVED, DENIED])
async def test_what_is_over_loses_its_payload_when_anybody_asks_anew(
    store: Store, status: str
) -> None:
    before = await parked(store)
    if status != PENDING:
        await store.rule(NOW, "apr_1", Ruling(status, PERSON), {})
    await parked(store, "apr_2", NOW + HOUR - 1, grant="bob")
    assert (await row_of(store, NOW + HOUR)).payload == PAYLOAD

    await parked(store, "apr_3", NOW + HOUR, grant="bob")
    row = await row_of(store, NOW + HOUR)
    assert row.status == (DENIED if status == DENIED else EXPIRED)
    assert (row.payload, row.effect, row.facts) == ({}, before.effect, before.facts)
    # What is not over keeps it.
    assert (await store.approvals(NOW + HOUR, count=2))[1].payload == PAYLOAD


async def test_more_payloads_are_given_up_than_come_in(store: Store) -> None:
    for number in range(40):
        await parked(store, f"apr_{number}", lives_ms=SECOND)
    for number in range(3):
        await parked(store, f"new_{number}", NOW + SECOND)
    rows = await store.approvals(NOW + SECOND, count=99)
    assert [bool(row.payload) for row in rows] == [*[True] * 3, *[False] * 40]


async def test_asking_and_taking_back_large_requests_does_not_grow_the_file(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path)
    pages: list[int] = []
    for number in range(12):
        await parked(store, f"apr_{number}", payload=weighing(100 * PAGE))
        await store.rule(NOW, f"apr_{number}", BACK, {})
        with closing(connected(tmp_path)) as connection:
            pages.append(int(connection.execute("PRAGMA page_count").fetchone()[0]))
    await store.close()
    # The next one is written where the last one was, but for its row and those of the log.
    assert pages[-1] < pages[0] + 20


# Nothing long is read


async def test_a_list_without_payloads_tells_everything_else(store: Store) -> None:
    await approved(store)
    await parked(store, "apr_2", grant="bob")
    whole = await store.approvals(NOW, count=9)

    chosen: list[dict[str, Any]] = [
        {},
        {"grant": "ann"},
        {"statuses": frozenset({PENDING, APPROVED})},
    ]
    for asks in chosen:
        light = await store.approvals(NOW, count=9, payloads=False, **asks)
        assert all(row.payload == {} for row in light)
        kept = [row for row in whole if row.grant == asks.get("grant", row.grant)]
        assert [{**_parts(row), "payload": 0} for row in light] == [
            {**_parts(row), "payload": 0} for row in kept
        ]


def _parts(row: ApprovalRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ApprovalRow.__slots__}


async def test_a_list_without_payloads_does_not_touch_their_pages(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    row = await parked(store, payload={"text": "x" * 100 * PAGE})
    await store.close()
    _damage(tmp_path / "guard.db")
    store = SqliteStore(tmp_path)

    for statuses in (None, frozenset({PENDING, APPROVED})):
        (light,) = await store.approvals(NOW, statuses=statuses, count=9, payloads=False)
        assert (light.approval_id, light.facts) == ("apr_1", row.facts)
        with pytest.raises(StateError, match="damaged"):
            await store.approvals(NOW, statuses=statuses, count=9)
    await store.close()


def _damage(file: Path) -> None:
    """Break the chain of pages that hold a long run of the letter x and nothing else."""
    pages = bytearray(file.read_bytes())
    full = b"x" * (PAGE - 4)
    found = [at for at in range(0, len(pages), PAGE) if pages[at + 4 : at + PAGE] == full]
    assert len(found) > 50
    for at in found:
        pages[at : at + 4] = b"\xff\xff\xff\xff"
    file.write_bytes(pages)
