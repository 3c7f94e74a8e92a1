"""Jobs found again: newest first, in pages, by status; and which of many are a caller's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_mcp.store import FINAL, JobRow, Store
from comfy_mcp.store.journal import _LISTED
from comfy_mcp.store.schema import prepare
from tests.store.sample import HOST, NOW, running
from tests.store.test_schema import connected

pytestmark = pytest.mark.anyio

OTHER = "http://other:8188"
ANY = FINAL | {"submitting", "pending", "stopping", "in_progress"}


async def several(store: Store, count: int, grant: str = "ann", status: str = "completed") -> None:
    """Jobs called after their grant: ann0, ann1, and so on."""
    for number in range(count):
        await store.admit(running(f"{grant}{number}", grant=grant))
        await store.move_job(f"{grant}{number}", status, NOW + number)


def names(rows: tuple[JobRow, ...]) -> list[str]:
    return [row.prompt_id for row in rows]


async def test_jobs_are_listed_newest_first_whenever_they_ended(store: Store) -> None:
    for name in ("p1", "p2", "p3"):
        await store.admit(running(name))
    for name in ("p2", "p3", "p1"):
        await store.move_job(name, "completed", NOW)

    assert names(await store.jobs(HOST, count=9)) == ["p3", "p2", "p1"]


async def test_pages_are_the_whole_list_each_job_once_though_new_ones_come(store: Store) -> None:
    await several(store, 7)
    seen: list[str] = []
    page = await store.jobs(HOST, count=3)
    while page:
        seen += names(page)
        await several(store, 1, f"new{len(seen)}-")
        page = await store.jobs(HOST, before=page[-1].seq, count=3)

    assert seen == [f"ann{number}" for number in reversed(range(7))]


async def test_newer_jobs_have_higher_numbers(store: Store) -> None:
    await several(store, 3)
    numbers = [row.seq for row in await store.jobs(HOST, count=9)]
    assert numbers == sorted(set(numbers), reverse=True)


async def test_a_list_is_of_one_host_and_of_one_grant_or_of_all(store: Store) -> None:
    await several(store, 2)
    await several(store, 1, "bob")
    await store.admit(running("away", host=OTHER))

    assert names(await store.jobs(HOST, grant="ann", count=9)) == ["ann1", "ann0"]
    assert names(await store.jobs(HOST, count=9)) == ["bob0", "ann1", "ann0"]
    assert names(await store.jobs(OTHER, statuses=ANY, count=9)) == ["away"]
    assert await store.jobs(OTHER, grant="ann2", statuses=ANY, count=9) == ()


@pytest.mark.parametrize("grant", [None, "ann"])
async def test_only_the_statuses_that_are_asked_for_are_listed(
    store: Store, grant: str | None
) -> None:
    for status in sorted(ANY - {"submitting"}):
        await store.admit(running(status))
        await store.move_job(status, status, NOW)
    await store.admit(running("submitting"))

    for status in ANY:
        asked = frozenset({status})
        assert names(await store.jobs(HOST, grant=grant, statuses=asked, count=9)) == [status]
    assert set(names(await store.jobs(HOST, grant=grant, count=99))) == FINAL
    assert await store.jobs(HOST, grant=grant, statuses=frozenset(), count=9) == ()


async def test_which_of_many_jobs_are_a_grants_own(store: Store) -> None:
    await several(store, 3)
    await several(store, 1, "bob")
    asked = ("ann0", "ann2", "bob0", "nobody", "'; --")

    assert await store.owned("ann", asked) == {"ann0", "ann2"}
    assert await store.owned("bob", asked) == {"bob0"}
    assert await store.owned("ann", ()) == frozenset()
    assert await store.owned("ann", [f"ann{n % 3}" for n in range(5_000)]) == {
        "ann0",
        "ann1",
        "ann2",
    }


@pytest.mark.parametrize("query", _LISTED.values(), ids=["of all", "of one"])
def test_a_page_is_read_off_an_index_in_its_order(tmp_path: Path, query: str) -> None:
    values = {"host": "h", "owner": "o", "before": 9, "statuses": "[]", "count": 3}
    with connected(tmp_path / "guard.db") as connection:
        prepare(connection, tmp_path, 1)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
    steps = [step[3] for step in plan]
    assert steps[0].startswith("SEARCH jobs USING INDEX jobs_by_")
    assert not any("TEMP B-TREE FOR ORDER" in step for step in steps)
