"""The audit trail on the page: newest first, filtered, in pages."""

from __future__ import annotations

import json

import pytest

from comfy_mcp.console import trail_page
from comfy_mcp.store.sqlite import SqliteStore
from tests.cli.states import decision, denial
from tests.console.caller import Caller
from tests.oversight.asked import NASTY, NOW

pytestmark = pytest.mark.anyio


async def test_the_newest_rows_come_first_and_say_who_did_what_to_what_and_why(
    operator: Caller, store: SqliteStore
) -> None:
    await store.record(NOW + 1, decision())
    await store.record(NOW + 2, denial())

    told = (await operator.get("/api/audit?count=2")).values

    assert [row["seq"] for row in told["rows"]] == [3, 2]
    first = told["rows"][0]
    assert set(first) == {"seq", "at_ms", "grant", "what", "about", "why", "record"}
    assert (first["grant"], first["record"]["code"]) == ("bob", "not_owner")
    assert told["next"] == 2
    rest = (await operator.get(f"/api/audit?before={told['next']}")).values
    assert ([row["seq"] for row in rest["rows"]], rest["next"]) == ([1], None)


async def test_every_row_is_on_exactly_one_page_whatever_the_filter(
    operator: Caller, store: SqliteStore
) -> None:
    for number in range(30):
        record = denial() if number % 3 == 0 else decision(workflow=f"Grün-{number}")
        await store.record(NOW + number, record)
    wanted = {
        "": list(range(31, 0, -1)),
        "&grant=bob": [seq for seq in range(31, 0, -1) if seq > 1 and (seq - 2) % 3 == 0],
        "&tool=run_workflow": [seq for seq in range(31, 0, -1) if seq > 1 and (seq - 2) % 3],
        "&code=not_owner&grant=bob": [s for s in range(31, 0, -1) if s > 1 and (s - 2) % 3 == 0],
        "&q=gr%C3%BCN-29": [31],
        "&grant=nobody": [],
    }

    for query, rows in wanted.items():
        found: list[int] = []
        path: str | None = f"/api/audit?count=4{query}"
        while path is not None:
            told = (await operator.get(path)).values
            found += [row["seq"] for row in told["rows"]]
            assert len(told["rows"]) <= 4
            path = told["next"] and f"/api/audit?count=4&before={told['next']}{query}"
        assert found == rows, query


async def test_a_search_goes_through_a_bounded_number_of_rows_and_can_be_carried_on(
    operator: Caller, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_page, "STRETCH", 5)
    monkeypatch.setattr(trail_page, "MOST_READ", 10)
    for number in range(29):
        await store.record(NOW + number, decision())

    told = (await operator.get("/api/audit?q=server")).values
    asked = 1
    while not told["rows"]:
        told = (await operator.get(f"/api/audit?q=server&before={told['next']}")).values
        asked += 1

    assert [row["seq"] for row in told["rows"]] == [1]
    assert asked == 3


async def test_what_others_wrote_is_clean_and_cut(operator: Caller, store: SqliteStore) -> None:
    await store.record(NOW + 1, decision(workflow=NASTY, more={"deep": [NASTY, "x" * 9_000]}))

    row = (await operator.get("/api/audit?count=1")).values["rows"][0]

    texts = [row["about"], row["record"]["workflow"], *row["record"]["more"]["deep"]]
    assert all(text.isprintable() for text in texts)
    assert len(json.dumps(row)) < 3_000
