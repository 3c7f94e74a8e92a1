"""A person's yes lets one call through, once: this grant's, this effect, this policy, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import (
    UNIT,
    Admitted,
    ApprovalRow,
    Cooling,
    Freeze,
    Frozen,
    Full,
    Repeated,
    Ruling,
    Spend,
    Store,
    Tally,
    Unapproved,
    Use,
)
from comfy_mcp.store.asked import APPROVED, CLIENT, DENIED, OPERATOR, PENDING, QUESTION, SPENT
from tests.store.sample import (
    HOUR,
    MINUTE,
    NOW,
    PERSON,
    YES,
    a_cap,
    a_job,
    a_request,
    approved,
    asking,
    calls,
    parked,
    spending,
)

pytestmark = pytest.mark.anyio

END = NOW + HOUR
"""When a yes that was asked for at `NOW` is over."""

YES_OF = {who: Ruling(APPROVED, {**PERSON, "assurance": who}) for who in (OPERATOR, CLIENT)}


async def row_of(store: Store, approval_id: str = "apr_1", now_ms: int = NOW) -> ApprovalRow:
    row = await store.approval(approval_id, now_ms)
    assert row is not None
    return row


async def rows_in_log(store: Store) -> int:
    rows, fault = await store.verify()
    assert fault is None
    return rows


async def test_a_yes_is_spent_once_and_tells_for_what(store: Store) -> None:
    yes = await approved(store)
    call = spending(now_ms=NOW + 1, decision_id="dec_7", job=a_job("p7"))

    assert await store.admit(call) == Admitted(NOW + 1)
    spent = await row_of(store)
    # Of what ran it keeps the digest; the graph itself is with the job.
    assert spent == replace(yes, status=SPENT, decision_id="dec_7", prompt_id="p7", payload={})
    assert await store.approval_status("apr_1", END) == SPENT

    again = replace(call, decision_id="dec_8", job=a_job("p8"))
    assert await store.admit(again) == Unapproved(spent)
    assert await store.job("p8") is None
    assert await row_of(store) == spent


async def test_a_call_without_a_job_spends_a_yes_too(store: Store) -> None:
    await approved(store, tool="interrupt_execution")
    assert await store.admit(spending(decision_id="dec_7")) == Admitted(NOW)
    row = await row_of(store)
    assert (row.status, row.decision_id, row.prompt_id) == (SPENT, "dec_7", None)


async def test_of_two_calls_at_once_one_gets_through(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(6)]
    await approved(stores[0])
    answers = await asyncio.gather(
        *(s.admit(spending(job=a_job(f"p{n}"))) for n, s in enumerate(stores))
    )

    assert sum(isinstance(answer, Admitted) for answer in answers) == 1
    assert sum(isinstance(answer, Unapproved) for answer in answers) == 5
    row = await row_of(stores[0])
    (job,) = await stores[0].unfinished(host=row.host)
    assert row.prompt_id == job.prompt_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"grant": "bob"},
        {"grant": ""},
        {"spend": Spend("apr_1", "effect 2", "policy 1")},
        {"spend": Spend("apr_1", "effect 1", "policy 2")},
        {"spend": Spend("apr_1", "", "")},
        {"spend": Spend("apr_9", "effect 1", "policy 1")},
        {"job": a_job("p1", host="another ComfyUI")},
    ],
)
async def test_a_yes_to_something_else_lets_nothing_through(
    store: Store, wrong: dict[str, Any]
) -> None:
    await approved(store)
    rows = await rows_in_log(store)

    answer = await store.admit(spending(**wrong))

    assert isinstance(answer, Unapproved)
    is_found = "grant" not in wrong and "apr_9" not in str(wrong)
    assert answer.row == (await row_of(store) if is_found else None)
    assert await rows_in_log(store) == rows
    assert await store.job("p1") is None
    assert await store.admit(spending()) == Admitted(NOW)


@pytest.mark.parametrize("status", ["pending", "denied", "cancelled"])
async def test_without_a_yes_nothing_gets_through(store: Store, status: str) -> None:
    await parked(store)
    if status != PENDING:
        await store.rule(NOW, "apr_1", Ruling(status, PERSON), {})
    row = await row_of(store)

    assert await store.admit(spending(job=a_job("p1"))) == Unapproved(row)
    assert row.status == status
    assert await row_of(store) == row


@pytest.mark.parametrize("status", ["denied", "cancelled"])
async def test_a_yes_that_was_taken_back_lets_nothing_through(store: Store, status: str) -> None:
    await approved(store)
    _, row = await store.rule(NOW, "apr_1", Ruling(status, PERSON), {})
    assert await store.admit(spending()) == Unapproved(row)


async def test_a_spent_yes_cannot_be_taken_back(store: Store) -> None:
    await approved(store)
    await store.admit(spending())
    assert await store.rule(NOW, "apr_1", Ruling(DENIED, PERSON), {}) == (
        False,
        await row_of(store),
    )


async def test_the_answer_to_a_question_lets_nothing_through(store: Store) -> None:
    row = await approved(store, kind=QUESTION)
    assert await store.admit(spending()) == Unapproved(row)


async def test_a_yes_is_good_until_its_last_millisecond_and_no_longer(store: Store) -> None:
    await approved(store)
    await approved(store, "apr_2")

    assert await store.admit(spending(now_ms=END - 1)) == Admitted(END - 1)
    answer = await store.admit(spending("apr_2", now_ms=END))
    assert isinstance(answer, Unapproved)
    assert answer.row is not None
    assert answer.row.status == "expired"
    # A clock that steps back makes it no better.
    assert await store.admit(spending("apr_2", now_ms=NOW)) == answer


async def test_a_changed_yes_is_for_what_it_was_changed_to(store: Store) -> None:
    await parked(store)
    ruling = replace(YES, changes={"steps": [9, 4]}, payload={"small": 1}, effect="effect 2")
    await store.rule(NOW, "apr_1", ruling, {})

    assert isinstance(await store.admit(spending()), Unapproved)
    small = spending(spend=Spend("apr_1", "effect 2", "policy 1"))
    assert await store.admit(small) == Admitted(NOW)
    assert (await row_of(store)).effect == "effect 2"


@pytest.mark.parametrize(
    ("channel", "who", "wanted", "is_enough"),
    [
        ("operator", OPERATOR, OPERATOR, True),
        ("operator", OPERATOR, CLIENT, True),
        ("operator", CLIENT, OPERATOR, False),
        ("operator", CLIENT, CLIENT, False),
        ("any", OPERATOR, OPERATOR, True),
        ("any", CLIENT, OPERATOR, False),
        ("any", CLIENT, CLIENT, True),
        ("elicitation", CLIENT, CLIENT, True),
        ("elicitation", OPERATOR, CLIENT, True),
        ("any", OPERATOR, "nobody", False),
    ],
)
async def test_a_clients_word_counts_only_where_it_was_asked_for(
    store: Store, channel: str, who: str, wanted: str, *, is_enough: bool
) -> None:
    await parked(store, channel=channel)
    await store.rule(NOW, "apr_1", YES_OF[who], {})

    answer = await store.admit(spending(spend=Spend("apr_1", "effect 1", "policy 1", wanted)))
    assert isinstance(answer, Admitted if is_enough else Unapproved)


@pytest.mark.parametrize("by", [{}, {"channel": "terminal"}, {"assurance": ["operator"]}])
async def test_a_yes_of_nobody_in_particular_lets_nothing_through(
    store: Store, by: dict[str, object]
) -> None:
    await parked(store, channel="any")
    _, row = await store.rule(NOW, "apr_1", Ruling(APPROVED, by), {})
    for wanted in (OPERATOR, CLIENT):
        spend = Spend("apr_1", "effect 1", "policy 1", wanted)
        assert await store.admit(spending(spend=spend)) == Unapproved(row)


# The order of what is looked at, and all or nothing


async def test_a_freeze_comes_before_the_yes_and_leaves_it(store: Store) -> None:
    await approved(store)
    await store.freeze(NOW, Freeze("ann"), {})
    assert await store.admit(spending()) == Frozen("ann", "", NOW)
    await store.unfreeze(NOW, "ann", {})
    assert await store.admit(spending()) == Admitted(NOW)


async def test_a_cool_down_comes_before_the_yes_and_leaves_it(store: Store) -> None:
    await approved(store)
    await store.refuse(NOW, {}, (Tally("ann", most=1, window_ms=MINUTE, cooldown_ms=MINUTE),))

    assert await store.admit(spending()) == Cooling(MINUTE)
    assert await store.admit(spending(now_ms=NOW + MINUTE)) == Admitted(NOW + MINUTE)


async def test_a_repeated_key_comes_before_the_yes_and_leaves_it(store: Store) -> None:
    await store.admit(asking(job=a_job("p1", key="k")))
    await approved(store)

    answer = await store.admit(spending(job=a_job("p2", key="k")))
    assert isinstance(answer, Repeated)
    assert answer.job.prompt_id == "p1"
    assert (await row_of(store)).status == APPROVED


async def test_a_spent_yes_is_told_only_if_the_key_is_new(store: Store) -> None:
    await approved(store)
    call = spending(job=a_job("p1", key="k"))
    assert await store.admit(call) == Admitted(NOW)

    # Whoever repeats the call gets its job, not a no.
    answer = await store.admit(replace(call, job=a_job("p2", key="k")))
    assert isinstance(answer, Repeated)
    assert isinstance(await store.admit(replace(call, job=a_job("p2", key="l"))), Unapproved)


async def test_the_yes_comes_before_limits_and_slots(store: Store) -> None:
    row = await parked(store)
    never = spending("apr_1", NOW, calls(0), slots=(a_cap(0),))
    assert await store.admit(never) == Unapproved(row)


async def test_a_full_limit_or_slot_leaves_the_yes(store: Store) -> None:
    await approved(store)
    full = calls(0)
    assert await store.admit(spending("apr_1", NOW, full)) == Full(full, 0, None)
    cap = a_cap(0)
    assert await store.admit(spending("apr_1", NOW, slots=(cap,))) == Full(cap, 0, None)

    assert (await row_of(store)).status == APPROVED
    assert await store.admit(spending()) == Admitted(NOW)


async def test_a_call_without_its_yes_takes_nothing(store: Store) -> None:
    await parked(store)
    limit, cap = calls(5), a_cap(5)
    rows = await rows_in_log(store)
    call = spending("apr_1", NOW, limit, slots=(cap,), job=a_job("p1"))
    assert isinstance(await store.admit(call), Unapproved)

    assert await store.peek(NOW, (limit,), (cap,)) == (Use(limit, 0, 0), Use(cap, 0, 0))
    assert await store.job("p1") is None
    assert await rows_in_log(store) == rows


async def test_what_is_spent_is_taken_and_written_together(store: Store) -> None:
    await approved(store)
    limit = calls(5)
    record = {"decision": "allow", "approval_id": "apr_1"}
    await store.admit(spending("apr_1", NOW, limit, job=a_job("p1"), record=record))

    assert (await store.peek(NOW, (limit,)))[0].used == UNIT
    assert (await store.tail(1))[0].record == record


async def test_the_same_job_twice_is_refused_and_leaves_the_yes(store: Store) -> None:
    await store.admit(asking(job=a_job("p1")))
    await approved(store)
    with pytest.raises(StateError, match="refused a value"):
        await store.admit(spending(job=a_job("p1")))
    assert (await row_of(store)).status == APPROVED


async def test_a_call_that_needs_no_yes_asks_for_none(store: Store) -> None:
    await parked(store)
    assert await store.admit(asking(grant="ann")) == Admitted(NOW)
    assert (await row_of(store)).status == PENDING


async def test_after_it_was_spent_the_same_call_is_asked_for_anew(store: Store) -> None:
    await approved(store)
    await store.admit(spending())
    new = await parked(store, "apr_2", match=a_request().match)
    assert await store.admit(spending("apr_2")) == Unapproved(new)
