"""What a host said of its classes is kept for a minute, and no longer than the host is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.errors import HostUnreachable
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.information import KEPT_MS
from comfy_mcp.workflow import ClassInfo
from tests.host.pretended import LISTS, Pretended, learnt, told

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]


class Clock:
    """Milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.at_ms = 1_000_000

    def __call__(self) -> int:
        """The time."""
        return self.at_ms


async def test_what_a_host_said_lately_is_not_asked_again(
    client: Client, stranger: StrangerAt
) -> None:
    clock = Clock()
    pretended = Pretended({"X": told({"which": [["c.safetensors"]]})}, LISTS)
    server = await stranger(pretended)
    host = client(server.url, now_ms=clock)
    first = await learnt(host, "X")
    pretended.classes["X"] = told(api_node=True)

    clock.at_ms += KEPT_MS - 1
    lately = await learnt(host, "X")
    clock.at_ms += 1
    later = await learnt(host, "X")

    assert lately == first == {"X": ClassInfo(folders={"which": "loras"})}
    assert later == {"X": ClassInfo(api_node=True)}
    assert server.asked("GET", "/api/object_info/X") == 2
    assert server.asked("GET", "/api/models") == 1


async def test_a_clock_that_steps_back_makes_nothing_last_longer(
    client: Client, stranger: StrangerAt
) -> None:
    clock = Clock()
    server = await stranger(Pretended({"X": told()}))
    host = client(server.url, now_ms=clock)
    await learnt(host, "X")

    clock.at_ms -= 1
    await learnt(host, "X")

    assert server.asked("GET", "/api/object_info/X") == 2


async def test_a_class_that_was_missing_may_be_installed_the_next_moment(
    client: Client, stranger: StrangerAt
) -> None:
    pretended = Pretended()
    host = client((await stranger(pretended)).url)
    before = await learnt(host, "X")
    pretended.classes["X"] = told()

    assert (before, await learnt(host, "X")) == ({"X": None}, {"X": ClassInfo()})


async def test_a_model_that_came_a_moment_ago_does_not_hide_the_folder(
    client: Client, stranger: StrangerAt
) -> None:
    pretended = Pretended({"X": told({"which": [["c.safetensors"]]})}, dict(LISTS))
    server = await stranger(pretended)
    host = client(server.url)
    await learnt(host, "X")
    pretended.models["loras"] = ["c.safetensors", "new.safetensors"]
    pretended.classes["Y"] = told({"lora": [["c.safetensors", "new.safetensors"]]})

    assert await learnt(host, "Y") == {"Y": ClassInfo(folders={"lora": "loras"})}


async def test_model_lists_are_asked_for_once_for_all_classes_of_a_workflow(
    client: Client, stranger: StrangerAt
) -> None:
    names = [f"N{number}" for number in range(9)]
    spec = {"which": [["c.safetensors"]]}
    server = await stranger(Pretended({name: told(spec) for name in names}, LISTS))

    await learnt(client(server.url), *names)

    assert [server.asked("GET", f"/api/models/{folder}") for folder in LISTS] == [1] * len(LISTS)


async def test_a_host_that_was_lost_is_asked_anew(client: Client, embedded: Start) -> None:
    first = await embedded(demo_nodes=True)
    host = client(first.url)
    before = await learnt(host, "EmbeddedDemoPartner")
    await first.stop()
    with pytest.raises(HostUnreachable):
        await host.stats()
    await embedded(port=first.port)

    after = await learnt(host, "EmbeddedDemoPartner")

    assert before["EmbeddedDemoPartner"] is not None
    assert after == {"EmbeddedDemoPartner": None}
