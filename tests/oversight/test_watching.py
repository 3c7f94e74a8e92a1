"""Whoever watches hears of every request and every move once, in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comfy_mcp.oversight.watching import MOST, Seen, Watcher
from comfy_mcp.store.asked import APPROVED, CANCELLED, DENIED, Ruling, Spend
from comfy_mcp.store.protocol import Admission, Store
from comfy_mcp.store.sqlite import SqliteStore
from tests.cli.states import edited
from tests.oversight.asked import BY, HOUR, NOW, SECOND, parked, question, run_request

pytestmark = pytest.mark.anyio


async def rule(store: Store, number: int, status: str, at_ms: int = NOW) -> None:
    name = f"apr_{number:016x}"
    ok, _ = await store.rule(at_ms, name, Ruling(status, BY), {"kind": "approval"})
    assert ok


def news(seen: Seen) -> list[tuple[str, int]]:
    return [(one.what, int(one.row.approval_id[4:], 16)) for one in seen.news]


async def test_what_waits_already_is_told_first(store: Store) -> None:
    for number in (1, 2, 3):
        await parked(store, question(number))
    await rule(store, 2, DENIED)

    seen = await Watcher(store).look(NOW)

    assert news(seen) == [("waits", 1), ("waits", 3)]
    assert [row.seq for row in seen.pending] == [3, 1]


async def test_nothing_new_is_no_news(store: Store) -> None:
    await parked(store, question(1))
    watcher = Watcher(store)
    await watcher.look(NOW)

    seen = await watcher.look(NOW + SECOND)

    assert (news(seen), len(seen.pending)) == ([], 1)


async def test_each_move_is_told_once(store: Store) -> None:
    watcher = Watcher(store)
    told = [news(await watcher.look(NOW))]
    for number, status in ((1, APPROVED), (2, DENIED), (3, CANCELLED)):
        await parked(store, question(number))
        told.append(news(await watcher.look(NOW)))
        await rule(store, number, status)
        told.append(news(await watcher.look(NOW)))
    await rule(store, 1, DENIED)
    told.append(news(await watcher.look(NOW)))

    assert told == [
        *([], [("asked", 1)], [("approved", 1)], [("asked", 2)], [("denied", 2)]),
        *([("asked", 3)], [("cancelled", 3)], [("denied", 1)]),
    ]


async def test_asked_and_answered_between_two_looks_is_told_both(store: Store) -> None:
    watcher = Watcher(store)
    await watcher.look(NOW)
    await parked(store, question(1))
    await rule(store, 1, DENIED)

    assert news(await watcher.look(NOW)) == [("asked", 1), ("denied", 1)]


async def test_a_yes_and_its_use_between_two_looks_are_told_both(store: Store) -> None:
    request = run_request()
    watcher = Watcher(store)
    await watcher.look(NOW)
    await parked(store, request)
    await rule(store, 1, APPROVED)
    spend = Spend(request.approval_id, request.effect, request.policy)
    await store.admit(Admission("dec_1", NOW, {}, grant="ci-bot", spend=spend))

    assert news(await watcher.look(NOW)) == [("asked", 1), ("approved", 1), ("spent", 1)]


async def test_a_no_that_is_taken_back_is_told(store: Store) -> None:
    await parked(store, question(1))
    watcher = Watcher(store)
    await watcher.look(NOW)
    told = []
    for status in (DENIED, APPROVED):
        await rule(store, 1, status)
        told += news(await watcher.look(NOW))

    assert told == [("denied", 1), ("approved", 1)]


async def test_an_end_without_an_answer_is_told(store: Store) -> None:
    await parked(store, question(1))
    watcher = Watcher(store)
    await watcher.look(NOW)

    seen = await watcher.look(NOW + HOUR)

    assert (news(seen), seen.pending) == ([("expired", 1)], ())


async def test_an_edited_request_ends_no_watch(store: SqliteStore, tmp_path: Path) -> None:
    for number in (1, 2):
        await parked(store, question(number))
    watcher = Watcher(store)
    await watcher.look(NOW)
    edited(tmp_path / "state", "UPDATE approvals SET facts = '[]' WHERE id = 1")
    await rule(store, 2, DENIED)

    assert ("denied", 2) in news(await watcher.look(NOW))


async def test_a_flood_hides_no_answer(store: Store) -> None:
    await parked(store, question(1))
    watcher = Watcher(store)
    await watcher.look(NOW)
    for number in range(2, MOST + 10):
        # Of many agents: one alone may not ask that often.
        await parked(store, replace(question(number), grant=f"bot-{number // 50}"))
    await rule(store, 1, APPROVED)

    assert ("approved", 1) in news(await watcher.look(NOW))
