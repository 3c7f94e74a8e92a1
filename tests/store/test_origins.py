"""Where a job came from is kept with it, packed, and the oldest of too many are forgotten."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from comfy_mcp.store import MOST_TEXT, Keep, NewSweep, SqliteStore, Store
from tests.store.sample import HOST, NOW, calls, connected, edited, running

pytestmark = pytest.mark.anyio


def noise(number: int, size: int = 4_000) -> str:
    """Text that no packing makes small."""
    return random.Random(number).randbytes(size // 2).hex()  # noqa: S311 - not a secret


def held(folder: Path) -> tuple[int, int]:
    """Texts and bytes that there are, which is what the state itself says, too."""
    with connected(folder) as connection:
        there = connection.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM texts").fetchone()
        assert connection.execute("SELECT texts, bytes FROM held").fetchone() == there
        sizes = connection.execute("SELECT coalesce(sum(length(data)), 0) FROM texts").fetchone()
        assert sizes[0] == there[1]
    return there


async def test_an_origin_is_what_was_given(store: Store) -> None:
    text = '{"workflow": "caf\\u00e9 \u2713", "graph": {}}'
    await store.admit(running("p1", origin=text))
    await store.admit(running("p2"))
    assert await store.origin("p1") == text
    assert await store.origin("p2") is None
    assert await store.origin("nobody") is None


async def test_an_origin_is_kept_packed_and_survives_the_end_of_the_job(tmp_path: Path) -> None:
    store, text = SqliteStore(tmp_path), "seed " * 100_000
    await store.admit(running("p1", origin=text))
    await store.move_job("p1", "completed", NOW)
    assert held(tmp_path)[1] < len(text) // 100
    assert await store.origin("p1") == text
    await store.close()


async def test_a_call_that_is_refused_leaves_no_origin(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.admit(running("p1", calls(0), origin="{}"))
    assert held(tmp_path) == (0, 0)
    await store.close()


async def test_an_origin_that_is_too_long_is_not_kept_and_its_job_is_admitted(store: Store) -> None:
    await store.admit(running("p1", origin="x" * MOST_TEXT))
    await store.admit(running("p2", origin="\u00e9" * (MOST_TEXT // 2 + 1)))
    assert await store.origin("p1") == "x" * MOST_TEXT
    assert await store.origin("p2") is None
    assert await store.job("p2") is not None


async def test_the_oldest_of_too_many_are_forgotten(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, keep=Keep(texts=3))
    for number in range(7):
        await store.admit(running(f"p{number}", origin=f'"{number}"'))
    found = [await store.origin(f"p{number}") for number in range(7)]
    assert found == [None] * 4 + ['"4"', '"5"', '"6"']
    assert held(tmp_path)[0] == 3
    await store.close()


async def test_the_oldest_of_too_much_are_forgotten(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, keep=Keep(bytes=10_000))
    for number in range(9):
        await store.admit(running(f"p{number}", origin=noise(number)))
        assert held(tmp_path)[1] <= 10_000
    assert await store.origin("p8") == noise(8)
    assert await store.origin("p0") is None

    # One that fills all of it takes the place of all others.
    await store.admit(running("long", origin=noise(9, 60_000)))
    assert held(tmp_path)[0] == 1
    assert await store.origin("long") == noise(9, 60_000)
    await store.admit(running("next", origin="{}"))
    assert await store.origin("long") is None
    assert await store.origin("next") == "{}"
    await store.close()


async def test_one_long_text_may_forget_more_than_a_thousand_short_ones(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, keep=Keep(bytes=40_000))
    many = tuple(running(f"p{number}", origin="{}") for number in range(1_200))
    await store.admit_together(many)
    assert held(tmp_path)[0] == 1_200
    await store.admit(running("long", origin=noise(1, 60_000)))
    assert held(tmp_path)[1] <= 40_000
    assert held(tmp_path)[0] <= 600
    await store.close()


async def test_what_a_sweep_asked_for_is_forgotten_like_an_origin(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, keep=Keep(texts=2))
    sweep = NewSweep("swp_1", "ann", HOST, "txt2img", data='{"axes": {}}')
    await store.admit_together((running("p1", origin="1"),), sweep)
    row = await store.sweep("swp_1")
    assert row is not None
    assert row.data == '{"axes": {}}'
    assert await store.origin("p1") == "1"

    await store.admit(running("p2", origin="2"))
    row = await store.sweep("swp_1")
    assert row is not None
    assert (row.data, row.prompt_ids) == ("", ("p1",))
    await store.close()


@pytest.mark.parametrize("data", ["x'00'", "'text'", "zeroblob(99)", "1"])
async def test_a_text_that_somebody_edited_is_as_one_that_was_forgotten(
    tmp_path: Path, data: str
) -> None:
    store = SqliteStore(tmp_path)
    await store.admit(running("p1", origin="{}"))
    edited(tmp_path, f"UPDATE texts SET data = {data}")  # noqa: S608 - our own words
    assert await store.origin("p1") is None
    await store.close()


async def test_a_text_that_somebody_made_endless_is_none(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    await store.admit(running("p1", origin="{}"))
    with connected(tmp_path) as connection:
        bomb = zlib.compress(b"0" * 200_000_000)
        connection.execute("UPDATE texts SET data = ?", (bomb,))
    assert await store.origin("p1") is None
    await store.close()
