"""The operator's terminal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from comfy_mcp.console.terminal import entered
from tests.console.caller import SECONDS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no such terminals"),
]


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    """A terminal: the operator's side, and the program's."""
    ours, theirs = os.openpty()
    yield ours, theirs
    for one in (ours, theirs):
        try:
            os.close(one)
        except OSError:
            # A test has closed it.
            continue


async def test_every_line_that_is_entered_counts_and_half_a_line_does_not(
    tty: tuple[int, int],
) -> None:
    lines: asyncio.Queue[None] = asyncio.Queue()

    with entered(lambda: lines.put_nowait(None), tty[1]) as can_enter:
        assert can_enter
        os.write(tty[0], b"half a line")
        os.write(tty[0], b"\n")
        async with asyncio.timeout(SECONDS):
            await lines.get()
        os.write(tty[0], b"\n")
        async with asyncio.timeout(SECONDS):
            await lines.get()

    assert lines.empty()


async def test_afterwards_nothing_is_read_any_more(tty: tuple[int, int]) -> None:
    lines: list[None] = []
    with entered(lambda: lines.append(None), tty[1]):
        pass

    os.write(tty[0], b"\n")
    await asyncio.sleep(0)

    assert lines == []
    assert os.read(tty[1], 9) == b"\n"


async def test_a_terminal_that_goes_away_is_let_go(tty: tuple[int, int]) -> None:
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()

    with entered(lambda: None, tty[1]):
        os.close(tty[0])
        loop.call_later(0.05, gone.set)
        await gone.wait()

        # Nobody looks at it any more: there was something to be removed no longer.
        assert not loop.remove_reader(tty[1])


async def test_without_a_terminal_nobody_can_enter_anything() -> None:
    reader, writer = os.pipe()
    with entered(lambda: None, reader) as can_enter:
        assert not can_enter
    os.close(reader)
    os.close(writer)
    with entered(lambda: None, reader) as can_enter:
        assert not can_enter
