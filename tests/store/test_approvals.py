"""A request to a person: written once, found again, decided once, and over to the millisecond."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import Admitted, ApprovalRow, Crowded, Parked, Ruling, Store
from comfy_mcp.store.asked import (
    APPROVED,
    CALL,
    CANCELLED,
    CLIENT,
    DENIED,
    EXPIRED,
    MOVES,
    PENDING,
    QUESTION,
    SPENT,
)
from tests.store.sample import (
    DAY,
    HOST,
    HOUR,
    NOW,
    PERSON,
    SECOND,
    YES,
    a_request,
    approved,
    parked,
    spending,
)

pytestmark = pytest.mark.anyio

NO = Ruling(DENIED, PERSON, "Too big.")
BACK = Ruling(CANCELLED, {"channel": "agent"}, "Not needed.")
GUARD = {"channel": "guard"}
END = NOW + HOUR
"""When a request that is made at `NOW` is over."""


async def told(store: Store) -> list[Mapping[str, Any]]:
    """The audit log, which has to be whole."""
    assert (await store.verify())[1] is None
    return [row.record for row in await store.tail(999)]


async def standing(
    store: Store, approval_id: str = "apr_1", now_ms: int = NOW, **kw: Any
) -> str | None:
    """The id of the request that stands for what `a_request` of this id asks."""
    new = a_request(approval_id, **kw)
    row = await store.standing_approval(now_ms, new.grant, new.host, new.kind, new.match)
    return None if row is None else row.approval_id


async def brought_to(store: Store, status: str) -> int:
    """Make ``apr_1`` and bring it to *status*; the time then."""
    if status == PENDING:
        await parked(store)
    elif status in {APPROVED, SPENT}:
        await approved(store)
    elif status in {DENIED, CANCELLED}:
        await parked(store)
        await store.rule(NOW, "apr_1", Ruling(status, PERSON), {})
    if status == SPENT:
        await store.admit(spending())
    if status == EXPIRED:
        await parked(store)
    return END if status == EXPIRED else NOW


# Asking


async def test_a_request_is_written_down_as_it_was_made(store: Store) -> None:
    new = a_request(client="an editor", channel="any")
    answer = await store.park(NOW, new, {"asked": 1}, most=1)

    row = ApprovalRow(
        "apr_1",
        CALL,
        "ann",
        HOST,
        "run_workflow",
        new.match,
        new.effect,
        new.policy,
        new.payload,
        new.facts,
        "any",
        "an editor",
        PENDING,
        created_ms=NOW,
        expires_ms=END,
        seq=1,
    )
    assert answer == Parked(row, is_new=True)
    assert await store.approval("apr_1", NOW) == row
    assert await store.approval_status("apr_1", NOW) == PENDING
    assert await told(store) == [{"asked": 1}]


async def test_the_same_request_is_made_once_and_found_by_every_store(
    open_store: Callable[[], Store],
) -> None:
    first, second = open_store(), open_store()
    row = await parked(first, match="same")

    answer = await second.park(NOW, a_request("apr_2", match="same"), {"again": 1}, most=9)
    assert answer == Parked(row, is_new=False)
    assert await second.approval("apr_2", NOW) is None
    assert await told(second) == [{"parked": "apr_1"}]


async def test_requests_made_at_once_for_the_same_become_one(store: Store) -> None:
    asked = (store.park(NOW, a_request(f"apr_{n}", match="same"), {}, most=9) for n in range(8))
    answers = await asyncio.gather(*asked)

    assert sorted(isinstance(answer, Parked) and answer.is_new for answer in answers) == [
        *[False] * 7,
        True,
    ]
    assert len({answer.row.approval_id for answer in answers if isinstance(answer, Parked)}) == 1
    assert len(await told(store)) == 1


@pytest.mark.parametrize("other", [{"grant": "bob"}, {"host": "h2"}, {"kind": QUESTION}])
async def test_the_same_digest_of_another_grant_host_or_kind_is_another_request(
    store: Store, other: dict[str, str]
) -> None:
    await parked(store, match="same")
    await parked(store, "apr_2", match="same", **other)

    assert await standing(store, match="same") == "apr_1"
    assert await standing(store, match="same", **other) == "apr_2"


async def test_what_is_no_json_is_refused_and_nothing_is_written(store: Store) -> None:
    bad: list[dict[str, Any]] = [{"payload": {"x": float("nan")}}, {"facts": {"x": object()}}]
    for values in bad:
        with pytest.raises(StateError, match="nothing was done"):
            await store.park(NOW, a_request(**values), {}, most=9)
    with pytest.raises(StateError, match="nothing was done"):
        await store.park(NOW, a_request(), {"x": float("inf")}, most=9)
    assert await store.approval("apr_1", NOW) is None
    assert await told(store) == []


async def test_an_id_that_is_there_already_is_refused_and_nothing_is_written(store: Store) -> None:
    row = await parked(store)
    with pytest.raises(StateError, match="refused a value"):
        await store.park(NOW, a_request(match="other"), {}, most=9)
    assert await store.approvals(NOW, count=9) == (row,)
    assert len(await told(store)) == 1


async def test_a_life_that_ends_before_it_begins_is_refused(store: Store) -> None:
    with pytest.raises(StateError, match="refused a value"):
        await store.park(NOW, a_request(lives_ms=-1), {}, most=9)
    assert (await parked(store, lives_ms=0)).status == EXPIRED


async def test_text_of_any_kind_comes_back_as_it_was(store: Store) -> None:
    words = "\x00\x1b[31m\u202e<b>\ud800 'quoted' \"twice\" \N{PILE OF POO}"
    row = await parked(store, payload=MappingProxyType({"words": words}), facts={words: [words]})
    assert (row.payload, row.facts) == ({"words": words}, {words: [words]})

    _, ruled = await store.rule(NOW, "apr_1", Ruling(DENIED, {"user": words}, words), {})
    assert ruled is not None
    assert (ruled.by, ruled.reason) == ({"user": words}, words)


# How many may wait


async def test_no_more_requests_of_a_grant_wait_than_may(store: Store) -> None:
    for number, kind in enumerate((CALL, QUESTION, CALL)):
        await parked(store, f"apr_{number}", kind=kind, host=f"host {number}")

    assert await store.park(NOW, a_request("apr_3"), {"one": "more"}, most=3) == Crowded(3)
    assert await store.approval("apr_3", NOW) is None
    assert {"one": "more"} not in await told(store)
    # Others have places of their own.
    assert isinstance(await store.park(NOW, a_request("b", grant="bob"), {}, most=3), Parked)


async def test_who_asks_again_needs_no_place(store: Store) -> None:
    row = await parked(store)
    assert await store.park(NOW, a_request(), {}, most=1) == Parked(row, is_new=False)
    assert await store.park(NOW, a_request(), {}, most=0) == Parked(row, is_new=False)


@pytest.mark.parametrize("status", [APPROVED, DENIED, CANCELLED, SPENT, EXPIRED])
async def test_only_what_waits_takes_a_place(store: Store, status: str) -> None:
    now_ms = await brought_to(store, status)
    assert isinstance(await store.park(now_ms, a_request("apr_2"), {}, most=1), Parked)


# Deciding


@pytest.mark.parametrize("status", sorted(MOVES))
@pytest.mark.parametrize("to", [*sorted(MOVES), "anything"])
async def test_a_request_moves_as_the_table_says_and_only_an_admission_spends(
    store: Store, status: str, to: str
) -> None:
    now_ms = await brought_to(store, status)
    before = await store.approval("apr_1", now_ms)
    log = await told(store)
    assert before is not None
    assert before.status == status

    moved, row = await store.rule(now_ms, "apr_1", Ruling(to, PERSON, "Because."), {"to": to})

    assert moved == (to in MOVES[status] - {SPENT})
    assert row == await store.approval("apr_1", now_ms)
    assert await told(store) == [*log, *([{"to": to}] if moved else [])]
    assert row is not None
    if moved:
        assert (row.status, row.by, row.reason, row.decided_ms) == (to, PERSON, "Because.", now_ms)
    else:
        assert row == before


async def test_only_an_operator_turns_a_no_into_a_yes_and_only_until_it_is_forgotten(
    store: Store,
) -> None:
    await brought_to(store, DENIED)
    log = await told(store)

    for by in ({**PERSON, "assurance": CLIENT}, {**PERSON, "assurance": "any"}, GUARD, {}):
        for grant in (None, "ann"):
            ruling = Ruling(APPROVED, by)
            assert not (await store.rule(NOW, "apr_1", ruling, {}, grant=grant))[0]
    assert not (await store.rule(END, "apr_1", YES, {}))[0]
    assert await store.approval_status("apr_1", END) == DENIED
    assert await told(store) == log


async def test_a_no_becomes_a_yes_in_its_last_millisecond(store: Store) -> None:
    await brought_to(store, DENIED)
    moved, row = await store.rule(END - 1, "apr_1", YES, {})
    assert moved
    assert row is not None
    assert (row.status, row.payload) == (APPROVED, a_request().payload)
    assert isinstance(await store.admit(spending(now_ms=END - 1)), Admitted)


async def test_a_request_that_is_not_there_cannot_be_decided(store: Store) -> None:
    assert await store.rule(NOW, "apr_9", YES, {"to": "yes"}) == (False, None)
    assert await store.approval("apr_9", NOW) is None
    assert await store.approval_status("apr_9", NOW) is None
    assert await told(store) == []


async def test_another_grants_request_is_as_unknown_as_one_that_is_not_there(store: Store) -> None:
    row = await parked(store)

    assert await store.rule(NOW, "apr_1", BACK, {}, grant="bob") == (False, None)
    assert await store.approval("apr_1", NOW, grant="bob") is None
    assert await store.approval_status("apr_1", NOW, grant="bob") is None
    assert await store.approvals(NOW, grant="bob", count=9) == ()
    assert await store.approval("apr_1", NOW, grant="ann") == row
    assert await store.approval_status("apr_1", NOW, grant="ann") == PENDING
    assert (await store.rule(NOW, "apr_1", BACK, {}, grant="ann"))[0]


async def test_a_person_may_approve_something_else_than_was_asked(store: Store) -> None:
    await parked(store)
    ruling = Ruling(
        APPROVED,
        PERSON,
        "Smaller.",
        {"steps": [50, 20]},
        payload={"graph": {}},
        effect="effect 2",
        facts={"tool": "run_workflow", "title": "A small cat"},
    )
    _, row = await store.rule(NOW + 1, "apr_1", ruling, {})

    assert row is not None
    assert (row.changes, row.payload, row.effect, row.facts) == (
        ruling.changes,
        ruling.payload,
        ruling.effect,
        ruling.facts,
    )
    # It is still found by what was asked.
    assert row.match == a_request().match
    assert await standing(store) == "apr_1"
    # Who takes it back does not bring the old one up again.
    _, after = await store.rule(NOW + 2, "apr_1", NO, {})
    assert after is not None
    assert (after.changes, after.payload, after.effect) == (row.changes, row.payload, row.effect)


async def test_only_a_yes_changes_what_was_asked(store: Store) -> None:
    asked = await parked(store)
    ruling = Ruling(DENIED, PERSON, "No.", {"steps": [50, 20]}, payload={}, effect="e", facts={})
    _, row = await store.rule(NOW, "apr_1", ruling, {})

    assert row is not None
    assert (row.changes, row.payload, row.effect, row.facts) == (
        {},
        asked.payload,
        asked.effect,
        asked.facts,
    )


async def test_a_payload_without_changes_that_are_named_changes_nothing(store: Store) -> None:
    asked = await parked(store)
    ruling = Ruling(APPROVED, PERSON, payload={"other": 1}, effect="other", facts={})
    _, row = await store.rule(NOW, "apr_1", ruling, {})

    assert row is not None
    assert (row.payload, row.effect, row.facts) == (asked.payload, asked.effect, asked.facts)


@pytest.mark.parametrize("missing", [{"payload": None}, {"effect": None}])
async def test_changes_without_what_becomes_of_the_call_are_refused(
    store: Store, missing: dict[str, None]
) -> None:
    asked = await parked(store)
    parts: dict[str, Any] = {"payload": {}, "effect": "e", **missing}
    ruling = Ruling(APPROVED, PERSON, changes={"steps": [50, 20]}, **parts)

    with pytest.raises(StateError, match="nothing was done"):
        await store.rule(NOW, "apr_1", ruling, {})
    assert await store.approval("apr_1", NOW) == asked
    assert len(await told(store)) == 1


async def test_the_answer_to_a_question_may_change_its_context(store: Store) -> None:
    asked = await parked(store, kind=QUESTION)
    ruling = Ruling(APPROVED, PERSON, changes={"where": ["a", "b"]}, payload={"where": "b"})
    _, row = await store.rule(NOW, "apr_1", ruling, {})

    assert row is not None
    assert (row.payload, row.effect, row.facts) == ({"where": "b"}, asked.effect, asked.facts)


@pytest.mark.parametrize("status", [PENDING, APPROVED])
async def test_a_request_of_another_policy_gives_way_to_the_new_one(
    store: Store, status: str
) -> None:
    await brought_to(store, status)
    log = await told(store)
    new = a_request("apr_2", match=a_request().match, policy="policy 2")

    answer = await store.park(NOW + 1, new, {"asked": 2}, most=1)

    assert isinstance(answer, Parked)
    assert answer.is_new
    assert (answer.row.approval_id, answer.row.status) == ("apr_2", PENDING)
    old = await store.approval("apr_1", NOW + 1)
    assert old is not None
    assert (old.status, old.by, old.reason) == (CANCELLED, GUARD, "superseded")
    cancelled = {
        "kind": "approval",
        "action": CANCELLED,
        "approval_id": "apr_1",
        "grant": "ann",
        "tool": "run_workflow",
        "by": GUARD,
        "changes": [],
        "reason": "superseded",
    }
    assert await told(store) == [*log, cancelled, {"asked": 2}]


async def test_a_no_stands_whatever_the_policy(store: Store) -> None:
    await brought_to(store, DENIED)
    row = await store.approval("apr_1", NOW)
    assert row is not None
    new = a_request("apr_2", match=a_request().match, policy="policy 2")

    assert await store.park(END - 1, new, {}, most=9) == Parked(row, is_new=False)
    assert await standing(store, now_ms=END - 1) == "apr_1"


async def test_without_a_free_place_nothing_gives_way(store: Store) -> None:
    await approved(store)
    await parked(store, "apr_2")
    log = await told(store)
    new = a_request("apr_3", match=a_request().match, policy="policy 2")

    assert await store.park(NOW, new, {}, most=1) == Crowded(1)
    assert await store.approval_status("apr_1", NOW) == APPROVED
    assert await told(store) == log


@pytest.mark.parametrize("status", [CANCELLED, SPENT])
async def test_what_is_over_does_not_stand_for_the_next_call(store: Store, status: str) -> None:
    await brought_to(store, status)
    assert await standing(store) is None
    await parked(store, "apr_2", match=a_request().match)
    assert await standing(store) == "apr_2"


# Expiry


@pytest.mark.parametrize("status", [PENDING, APPROVED])
@pytest.mark.parametrize("to", [APPROVED, DENIED, CANCELLED])
async def test_from_its_last_millisecond_on_nothing_moves_a_request(
    store: Store, status: str, to: str
) -> None:
    await brought_to(store, status)
    log = await told(store)

    assert await store.approval_status("apr_1", END - 1) == status
    assert await store.approval_status("apr_1", END) == EXPIRED
    moved, row = await store.rule(END, "apr_1", Ruling(to, PERSON), {"late": True})
    assert not moved
    assert row is not None
    assert row.status == EXPIRED
    assert await told(store) == log


@pytest.mark.parametrize("to", [APPROVED, DENIED, CANCELLED])
async def test_one_millisecond_before_it_moves(store: Store, to: str) -> None:
    await parked(store)
    moved, row = await store.rule(END - 1, "apr_1", Ruling(to, PERSON), {})
    assert moved
    assert row is not None
    assert (row.status, row.decided_ms) == (to, END - 1)


@pytest.mark.parametrize("status", [PENDING, APPROVED, DENIED])
async def test_a_request_stands_for_the_same_call_until_it_is_over(
    store: Store, status: str
) -> None:
    await brought_to(store, status)
    new = a_request("apr_2", match=a_request().match)

    early = await store.park(END - 1, new, {}, most=9)
    assert isinstance(early, Parked)
    assert (early.row.approval_id, early.is_new) == ("apr_1", False)
    late = await store.park(END, new, {}, most=9)
    assert isinstance(late, Parked)
    assert (late.row.approval_id, late.is_new) == ("apr_2", True)


async def test_a_no_that_is_over_is_still_read_as_a_no(store: Store) -> None:
    await brought_to(store, DENIED)
    assert await store.approval_status("apr_1", END + DAY) == DENIED


async def test_a_clock_that_steps_back_brings_nothing_back(store: Store) -> None:
    await approved(store)
    await store.record(END, {})

    assert await store.approval_status("apr_1", NOW) == EXPIRED
    assert await standing(store) is None
    moved, row = await store.rule(NOW, "apr_1", NO, {})
    assert not moved
    assert row is not None
    assert row.status == EXPIRED
    # A new one lives as long as it should, from the last time that was seen.
    new = await parked(store, "apr_2", NOW)
    assert (new.created_ms, new.expires_ms) == (END, END + HOUR)


# Watching


async def listed(store: Store, now_ms: int = NOW, **asked: Any) -> list[str]:
    rows = await store.approvals(now_ms, **{"count": 99, **asked})
    return [row.approval_id for row in rows]


async def test_requests_are_listed_newest_first_page_by_page(store: Store) -> None:
    for number in range(5):
        await parked(store, f"apr_{number}", grant="ab"[number % 2])

    first = await store.approvals(NOW, count=2)
    assert [row.approval_id for row in first] == ["apr_4", "apr_3"]
    assert await listed(store, before=first[-1].seq) == ["apr_2", "apr_1", "apr_0"]
    assert await listed(store, grant="a", before=first[0].seq) == ["apr_2", "apr_0"]
    assert await listed(store, count=0) == await listed(store, count=-1) == []


async def test_requests_are_listed_by_how_they_stand_now(store: Store) -> None:
    for number, status in enumerate((DENIED, CANCELLED, APPROVED)):
        await parked(store, f"apr_{number}")
        await store.rule(NOW, f"apr_{number}", Ruling(status, PERSON), {})
    await approved(store, "apr_3", lives_ms=SECOND)
    await approved(store, "apr_4")
    await store.admit(spending("apr_4"))
    await parked(store, "apr_5", lives_ms=SECOND)
    await parked(store, "apr_6")

    async def of(*statuses: str, now_ms: int = NOW) -> list[str]:
        found = await listed(store, now_ms, statuses=frozenset(statuses))
        assert found == await listed(store, now_ms, statuses=frozenset(statuses), grant="ann")
        assert await listed(store, now_ms, statuses=frozenset(statuses), grant="bob") == []
        return found

    assert await of(PENDING) == ["apr_6", "apr_5"]
    assert await of(PENDING, APPROVED) == ["apr_6", "apr_5", "apr_3", "apr_2"]
    assert await of(PENDING, APPROVED, now_ms=NOW + SECOND) == ["apr_6", "apr_2"]
    assert await of(EXPIRED, now_ms=NOW + SECOND) == ["apr_5", "apr_3"]
    assert await of(SPENT, DENIED) == ["apr_4", "apr_0"]
    assert await of(PENDING, EXPIRED, now_ms=NOW + SECOND) == ["apr_6", "apr_5", "apr_3"]
    assert await of("nothing of the kind") == await of() == []
    assert len(await of(*MOVES)) == len(await listed(store)) == 7


async def test_the_mark_changes_whenever_a_request_is_made_moves_or_expires(store: Store) -> None:
    marks = [await store.approvals_mark(NOW)]

    async def is_new(now_ms: int = NOW) -> bool:
        marks.append(await store.approvals_mark(now_ms))
        return marks[-1] not in marks[:-1]

    await parked(store)
    assert await is_new()
    await parked(store, "apr_2", lives_ms=SECOND)
    assert await is_new()
    await store.rule(NOW, "apr_1", YES, {})
    assert await is_new()
    await store.rule(NOW, "apr_1", YES, {})
    assert not await is_new()
    await store.record(NOW, {})
    assert not await is_new()
    assert not await is_new(NOW + SECOND - 1)
    assert await is_new(NOW + SECOND)
    await store.admit(spending(now_ms=NOW + SECOND))
    assert await is_new(NOW + SECOND)
    # It is the number of the row in the log that tells of the last move.
    assert marks[-1] == ((await store.head()).seq, 0)


async def test_reading_writes_nothing(store: Store) -> None:
    await parked(store)
    head = await store.head()

    await store.approval("apr_1", END)
    await store.approval_status("apr_1", END)
    await store.approvals(END, count=9)
    await store.approvals_mark(END)
    await store.approval_figures(END)
    await standing(store, now_ms=END)
    assert await store.head() == head


async def test_rows_are_values_that_can_be_written_as_json(store: Store) -> None:
    row = await approved(store)
    texts = (row.payload, row.facts, row.by, row.changes)
    assert json.loads(json.dumps(texts)) == list(texts)
