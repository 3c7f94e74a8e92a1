"""Frames that wait are few: what is superseded goes, what nobody reads is not kept."""

from __future__ import annotations

import json

import pytest

from comfy_mcp.host.inbox import Inbox

pytestmark = pytest.mark.anyio


def frame(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


async def everything(inbox: Inbox) -> list[str]:
    inbox.close()
    taken: list[str] = []
    while (each := await inbox.take()) is not None:
        taken.append(each)
    return taken


async def test_frames_are_read_in_the_order_in_which_they_came() -> None:
    inbox = Inbox()
    frames = [frame("execution_start"), frame("progress", value=1), frame("executing", node=None)]
    for each in frames:
        inbox.put(each)

    assert await everything(inbox) == frames


@pytest.mark.parametrize("kind", ["status", "progress", "progress_state"])
async def test_a_state_takes_the_place_of_the_one_before_it(kind: str) -> None:
    inbox = Inbox()
    for value in range(1000):
        assert inbox.put(frame(kind, value=value))
    inbox.put(frame("executing", node="1"))

    assert await everything(inbox) == [frame(kind, value=999), frame("executing", node="1")]


async def test_a_state_stands_where_it_came_last() -> None:
    inbox = Inbox()
    frames = [frame("progress", value=1), frame("executing", node="2"), frame("progress", value=2)]
    for each in frames:
        inbox.put(each)

    assert await everything(inbox) == frames[1:]


@pytest.mark.parametrize("junk", [b"\0\0\0\1", frame("executed"), frame("logs"), frame("assets.x")])
async def test_what_is_never_read_is_not_kept(junk: str | bytes) -> None:
    inbox = Inbox()
    inbox.put(junk)

    assert len(inbox) == 0


async def test_a_frame_of_another_shape_is_left_to_the_reader() -> None:
    inbox = Inbox()
    odd = '{"data": {"prompt_id": "p"}, "type": "execution_start"}'
    inbox.put(odd)

    assert await everything(inbox) == [odd]


async def test_when_too_much_waits_the_oldest_goes_and_that_is_told() -> None:
    inbox = Inbox(most=3)

    kept = [inbox.put(frame("executing", node=str(turn))) for turn in range(5)]

    assert kept == [True, True, True, False, False]
    assert await everything(inbox) == [frame("executing", node=str(turn)) for turn in (2, 3, 4)]
