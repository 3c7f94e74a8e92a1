"""Requests that somebody edited in the file: they let nothing through, and break no list."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from comfy_mcp.errors import StateError
from comfy_mcp.store import Admitted, ApprovalRow, Parked, SqliteStore, Unapproved
from comfy_mcp.store.asked import APPROVED, EXPIRED, PENDING, SPENT
from tests.store.sample import (
    HOUR,
    NOW,
    YES,
    a_request,
    approved,
    asking,
    edited,
    parked,
    spending,
)

pytestmark = pytest.mark.anyio

UNREADABLE = {"unreadable": True}
BOTH = frozenset({PENDING, APPROVED})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder)
    yield store
    await store.close()


@pytest.mark.parametrize("value", ["''", "'no json'", "'[]'", "'5'", "x'ff00'", "7"])
@pytest.mark.parametrize("column", ["payload", "facts", "ruling"])
async def test_a_request_that_somebody_broke_is_an_error_that_says_so(
    folder: Path, store: SqliteStore, column: str, value: str
) -> None:
    await approved(store)
    edited(folder, f"UPDATE approvals SET {column} = {value}")  # noqa: S608 - our own words

    for ask in (
        store.approval("apr_1", NOW),
        store.rule(NOW, "apr_1", YES, {}),
        store.park(NOW, a_request(), {}, most=9),
        store.admit(spending()),
    ):
        with pytest.raises(StateError, match=r"apr_1 cannot be read any more"):
            await ask
    assert await store.verify() == (2, None)
    # Everybody else goes on.
    assert await store.admit(asking()) == Admitted(NOW)


@pytest.mark.parametrize("ruling", ['{"by": 5}', '{"changes": []}', '{"by": {"assurance": 1}}'])
async def test_a_ruling_of_another_shape_lets_nothing_through(
    folder: Path, store: SqliteStore, ruling: str
) -> None:
    await approved(store)
    edited(folder, f"UPDATE approvals SET ruling = '{ruling}'")  # noqa: S608 - our own words
    try:
        answer = await store.admit(spending())
    except StateError:
        return
    assert isinstance(answer, Unapproved)


@pytest.mark.parametrize("status", ["yes", "APPROVED", "expired", "", "approved "])
async def test_a_status_that_nobody_writes_lets_nothing_through_and_moves_nowhere(
    folder: Path, store: SqliteStore, status: str
) -> None:
    await approved(store)
    edited(folder, f"UPDATE approvals SET status = '{status}'")  # noqa: S608 - our own words

    assert isinstance(await store.admit(spending()), Unapproved)
    moved, row = await store.rule(NOW, "apr_1", YES, {})
    assert not moved
    assert row is not None
    assert row.status == status
    answer = await store.park(NOW, a_request("apr_2", match=a_request().match), {}, most=9)
    assert isinstance(answer, Parked)
    assert (answer.is_new, answer.row.status) == (True, PENDING)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'expired'",
        "status = 'Approved'",
        "expires_ms = 'never'",
        "expires_ms = 9e99",
        "expires_ms = created_ms - 1",
        "payload = NULL",
        "approval_id = NULL",
    ],
)
async def test_the_file_itself_refuses_what_no_server_writes(
    folder: Path, store: SqliteStore, change: str
) -> None:
    await parked(store)
    with (
        closing(sqlite3.connect(folder / "guard.db")) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute(f"UPDATE approvals SET {change}")  # noqa: S608 - our own words


BROKEN = [
    "facts = 'no json'",
    "facts = '[]'",
    """facts = '{"estimate_s": NaN}'""",
    f"facts = '{'[' * 100_000}'",
    "facts = CAST(x'ff00' AS TEXT)",
    "ruling = ''",
    """ruling = '{"by": 5}'""",
    """ruling = '{"changes": {"steps": 5}}'""",
    """ruling = '{"changes": {"steps": [1, 2, 3]}}'""",
    "payload = x'ff00'",
    "tool = x'ff00'",
    "owner = x'ff00'",
    "client = x'ff00'",
    "expires_ms = 'never'",
    "created_ms = 'once'",
    "decided_ms = 1.5",
]
"""Edits after which a row is no value any more."""


@pytest.mark.parametrize("change", BROKEN, ids=lambda change: change[:40])
async def test_one_request_that_cannot_be_read_breaks_no_list(
    folder: Path, store: SqliteStore, change: str
) -> None:
    older = await parked(store, "apr_0")
    row = await approved(store)
    newer = await parked(store, "apr_2")
    edited(folder, f"UPDATE approvals SET {change} WHERE approval_id = 'apr_1'")  # noqa: S608 - our own words

    for statuses in (None, BOTH):
        first, second, third = await store.approvals(NOW, statuses=statuses, count=9)
        assert (first, third) == (newer, older)
        assert (second.approval_id, second.status, second.seq) == ("apr_1", APPROVED, row.seq)
        assert (second.facts, second.payload, second.changes, second.by) == (UNREADABLE, {}, {}, {})
        assert _is_sound(second)
    assert await store.approvals(NOW, before=newer.seq, count=2) == (second, older)
    with pytest.raises(StateError, match=r"apr_1 cannot be read any more"):
        await store.approval("apr_1", NOW)
    assert await store.approval_status("apr_1", NOW) == APPROVED
    assert await store.verify() == (4, None)


def _is_sound(row: ApprovalRow) -> bool:
    """Whether who shows a row can count on the kinds of what is in it."""
    texts = (row.kind, row.grant, row.host, row.tool, row.match, row.effect, row.policy)
    times = (row.created_ms, row.expires_ms)
    return (
        all(isinstance(text, str) for text in (*texts, row.channel, row.status, row.reason))
        and all(isinstance(time, int) for time in times)
        and isinstance(row.client, str | None)
        and isinstance(row.decided_ms, int | None)
    )


@pytest.mark.parametrize("status", [PENDING, APPROVED, SPENT, EXPIRED])
async def test_a_request_that_cannot_be_read_is_listed_as_it_stands(
    folder: Path, store: SqliteStore, status: str
) -> None:
    await (parked(store) if status == PENDING else approved(store))
    if status == SPENT:
        await store.admit(spending())
    edited(folder, "UPDATE approvals SET facts = 'no json'")
    now_ms = NOW + HOUR if status == EXPIRED else NOW

    for statuses in (None, frozenset({status})):
        (row,) = await store.approvals(now_ms, statuses=statuses, count=9)
        assert (row.status, row.facts, row.tool) == (status, UNREADABLE, "run_workflow")
        assert (row.created_ms, row.expires_ms) == (NOW, NOW + HOUR)


async def test_a_payload_that_nobody_asked_for_is_not_missed(
    folder: Path, store: SqliteStore
) -> None:
    row = await parked(store)
    edited(folder, "UPDATE approvals SET payload = 'no json'")

    (light,) = await store.approvals(NOW, count=9, payloads=False)
    assert (light.facts, light.payload) == (row.facts, {})
    (whole,) = await store.approvals(NOW, count=9)
    assert whole.facts == UNREADABLE
    with pytest.raises(StateError, match=r"apr_1 cannot be read any more"):
        await store.approval("apr_1", NOW)
