"""The doctor looks at a state as it is: made by nobody, brought up to date by nobody."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from comfy_mcp.cli.screen import Verdict
from comfy_mcp.cli.state_findings import about_state
from comfy_mcp.settings import Settings, read
from comfy_mcp.store.protocol import Freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.cli.states import edited
from tests.oversight.asked import HOUR, parked, question

pytestmark = pytest.mark.anyio


def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state folder that is not there."""
    return read({"COMFY_MCP_STATE": str(tmp_path / "state")})


async def write(folder: Path, count: int = 3, at_ms: int = 0) -> None:
    store = SqliteStore(folder)
    for number in range(count):
        await store.record(at_ms or now(), {"number": number})
    await store.close()


async def test_a_state_that_can_be_written_is_fine_and_gets_no_row(settings: Settings) -> None:
    await write(settings.state)

    (found,) = await about_state(settings)

    assert found.verdict is Verdict.OK
    assert "audit chain verifies: 3 rows" in found.text


@pytest.mark.parametrize(("count", "words"), [(1, "1 request waits"), (3, "3 requests wait")])
async def test_requests_that_wait_for_a_person_are_counted(
    count: int, words: str, settings: Settings
) -> None:
    store = SqliteStore(settings.state)
    await parked(store, question(9), now() - 2 * HOUR)
    for number in range(count):
        await parked(store, question(number), now())
    await store.close()

    _, found = await about_state(settings)

    assert found.verdict is Verdict.NOTE
    assert found.text.startswith(f"{words} for a person's yes or no: ")
    assert found.text.endswith(f"approvals ls --state {settings.state}")


async def test_a_state_that_is_not_there_is_fine_and_not_made(settings: Settings) -> None:
    (found,) = await about_state(settings)

    assert found.verdict is Verdict.OK
    assert "the first server makes it" in found.text
    assert not settings.state.exists()


async def test_a_state_that_cannot_be_made_fails(settings: Settings) -> None:
    settings.state.write_text("a file where a folder should be")

    (found,) = await about_state(settings)

    assert found.verdict is Verdict.FAIL
    assert "--state" in found.advice


async def test_a_changed_audit_row_is_found(settings: Settings) -> None:
    await write(settings.state)
    edited(settings.state, "UPDATE audit SET record = '{}' WHERE seq = 2")

    (found,) = await about_state(settings)

    assert found.verdict is Verdict.FAIL
    assert "the audit chain is broken: row 2 was changed" in found.text


async def test_an_older_state_is_noted_and_left_as_it_is(settings: Settings) -> None:
    await write(settings.state)
    edited(settings.state, "PRAGMA user_version = 1")
    before = (settings.state / "guard.db").read_bytes()

    (found,) = await about_state(settings)

    assert found.verdict is Verdict.NOTE
    assert "older version" in found.text
    assert (settings.state / "guard.db").read_bytes() == before


async def test_a_freeze_in_force_is_noted(settings: Settings) -> None:
    await write(settings.state)
    store = SqliteStore(settings.state)
    await store.freeze(now(), Freeze("*", "Dinner."), {})
    await store.close()

    _, found = await about_state(settings)

    assert (found.verdict, found.name) == (Verdict.NOTE, "freeze")
    assert found.text.startswith("Everybody is frozen since ")
    assert found.text.endswith(": Dinner.")


async def test_a_clock_that_is_ahead_is_noted(settings: Settings) -> None:
    await write(settings.state, at_ms=now() + 7_200_000)

    _, found = await about_state(settings)

    assert (found.verdict, found.name) == (Verdict.NOTE, "clock")
    assert "limits stand still" in found.text
