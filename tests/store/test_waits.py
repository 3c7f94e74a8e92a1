"""Both ways to find a wait agree, and neither reads more of a long history than it has to."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.store.arithmetic import rolling_wait, rolling_wait_from_newest

NOW = 1_000
WINDOW = 500

rows = st.lists(st.tuples(st.integers(NOW - WINDOW + 1, NOW), st.integers(0, 50)), max_size=30).map(
    sorted
)


@given(rows, st.integers(0, 60), st.integers(0, 200))
def test_from_either_end_the_wait_is_the_same(
    taken: list[tuple[int, int]], amount: int, most: int
) -> None:
    used = sum(size for _, size in taken)
    limit = {"amount": amount, "most": most, "window_ms": WINDOW, "now_ms": NOW}

    assert rolling_wait_from_newest(taken[::-1], **limit) == rolling_wait(taken, used=used, **limit)


def test_from_the_newest_no_more_is_read_than_may_stay() -> None:
    def endless() -> Iterator[tuple[int, int]]:
        at_ms = NOW
        while True:
            yield at_ms, 1
            at_ms -= 1

    wait = rolling_wait_from_newest(endless(), amount=1, most=4, window_ms=WINDOW, now_ms=NOW)
    assert wait == WINDOW - 3
