"""A stop hits its own job and no other, whatever ComfyUI can do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import HostRejected, NotComfyUI
from comfy_mcp.host import Absent, Ended, Running
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.permit import StopPermit

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

FOREVER = 2**62

Proxy = Callable[..., Awaitable["Stranger"]]
Start = Callable[..., Awaitable[EmbeddedHost]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]

SLOWLY = Faults(node_ms=60_000)
CANCEL = ("POST /api/jobs/{id}/cancel",)
DELETE = "POST /api/queue {delete}"


def leave(prompt_id: str) -> StopPermit:
    return StopPermit(decision_id="dec_1", prompt_ids=[prompt_id], deadline_ms=FOREVER)


async def queued(comfy: EmbeddedHost, graph: Any) -> str:
    """Submit to a ComfyUI that gives ids of its own."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{comfy.url}/prompt", json={"prompt": graph}) as answer,
    ):
        told: str = (await answer.json())["prompt_id"]
        return told


@pytest.mark.parametrize("profile", ["0.3.64", "0.8", "0.33"])
async def test_a_running_job_is_stopped_and_the_next_one_runs(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, faults=SLOWLY)
    host = client(comfy.url)
    first = await send(host, graph(slow=True))
    second = await send(host)
    await comfy.until(lambda it: it.running == first and it.node is not None)

    await host.stop(first, leave(first))
    comfy.faults = Faults()
    await comfy.until(lambda it: second in it.finished)

    one, two = await host.look(first), await host.look(second)
    assert isinstance(one, Ended)
    assert isinstance(two, Ended)
    assert (one.outcome, two.outcome) == ("cancelled", "completed")


@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.8", "0.33"])
async def test_a_pending_job_is_taken_out_and_the_running_one_runs_on(
    client: Client, embedded: Start, graph: MakeGraph, profile: str
) -> None:
    comfy = await embedded(profile, faults=SLOWLY)
    host = client(comfy.url)
    first, second = await queued(comfy, graph()), await queued(comfy, graph(n1={"color": 1}))
    await comfy.until(lambda it: it.running is not None)

    await host.stop(second, leave(second))

    assert await host.look(second) == Absent()
    assert await host.look(first) == Running()


@pytest.mark.parametrize(
    ("profile", "actions"),
    [
        ("0.3.64", (DELETE, "POST /api/interrupt {prompt_id}")),
        ("0.8", (DELETE, "POST /api/interrupt {prompt_id}")),
        ("0.33", CANCEL),
    ],
)
async def test_what_was_sent_is_told(
    client: Client, embedded: Start, profile: str, actions: tuple[str, ...]
) -> None:
    host = client((await embedded(profile)).url)

    assert await host.stop("p", leave("p")) == actions


async def test_a_cancel_route_that_is_not_there_is_done_without(
    client: Client, embedded: Start
) -> None:
    comfy = await embedded("0.8")

    await client(comfy.url).stop("p", leave("p"))

    sent = [(each.path, each.body) for each in comfy.seen if each.method == "POST"]
    assert sent == [
        ("/jobs/p/cancel", None),
        ("/queue", {"delete": ["p"]}),
        ("/interrupt", {"prompt_id": "p"}),
    ]


async def test_a_proxy_that_knows_no_cancel_route_keeps_no_job_from_being_stopped(
    client: Client,
    embedded: Start,
    send: Send,
    proxy: Callable[..., Awaitable[Stranger]],
) -> None:
    comfy = await embedded("0.33", faults=SLOWLY)
    await send(client(comfy.url))
    await comfy.until(lambda it: it.running is not None)
    made = await send(client(comfy.url))
    own = {f"/api/jobs/{made}/cancel": (404, '{"error": "no such route"}')}
    front = await proxy(comfy.url, own=own)

    await client(front.url).stop(made, leave(made))

    assert comfy.pending == ()


async def test_where_every_interrupt_is_global_it_is_sent_only_while_nothing_waits(
    client: Client, embedded: Start, graph: MakeGraph
) -> None:
    comfy = await embedded("0.3.40", faults=SLOWLY)
    host = client(comfy.url)
    made = await queued(comfy, graph(slow=True))
    await comfy.until(lambda it: it.running is not None and it.node is not None)

    actions = await host.stop(made, leave(made))
    comfy.faults = Faults()
    await comfy.until(lambda it: made in it.finished)

    assert actions[-1] == "POST /api/interrupt (global: nothing else was queued)"
    seen = await host.look(made)
    assert isinstance(seen, Ended)
    assert seen.outcome == "cancelled"


async def test_where_every_interrupt_is_global_it_is_refused_while_others_wait(
    client: Client, embedded: Start, graph: MakeGraph
) -> None:
    comfy = await embedded("0.3.40", faults=SLOWLY)
    host = client(comfy.url)
    made, other = await queued(comfy, graph()), await queued(comfy, graph(n1={"color": 1}))
    await comfy.until(lambda it: it.running is not None)

    with pytest.raises(HostRejected, match=r"older than 0\.3\.57") as caught:
        await host.stop(made, leave(made))

    assert caught.value.kind == "global_interrupt_only"
    assert not [each for each in comfy.seen if each.path == "/interrupt"]
    assert comfy.pending == (other,)


async def test_where_every_interrupt_is_global_none_is_sent_for_a_job_that_does_not_run(
    client: Client, embedded: Start, graph: MakeGraph
) -> None:
    comfy = await embedded("0.3.40", faults=SLOWLY)
    running = await queued(comfy, graph())
    await comfy.until(lambda it: it.running is not None)

    await client(comfy.url).stop("p", leave("p"))

    assert not [each for each in comfy.seen if each.path == "/interrupt"]
    assert comfy.running == running


async def test_a_stop_that_is_not_taken_is_told(
    client: Client, stranger: Callable[..., Awaitable[Stranger]]
) -> None:
    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500, text="no")

    with pytest.raises(NotComfyUI):
        await client((await stranger(broken)).url).stop("p", leave("p"))


@pytest.mark.parametrize("version", ["", "my-fork"])
async def test_a_comfyui_that_tells_no_version_is_not_trusted_to_aim_its_interrupts(  # noqa: PLR0917 - fixtures
    client: Client, embedded: Start, proxy: Proxy, graph: MakeGraph, send: Send, version: str
) -> None:
    comfy = await embedded("0.3.40", faults=SLOWLY)
    stats = json.dumps({"system": {"comfyui_version": version}})
    front = await proxy(comfy.url, own={"/api/system_stats": (200, stats)})
    host = client(front.url)
    theirs = await queued(comfy, graph())
    await comfy.until(lambda it: it.running == theirs)
    ours = await send(host)

    assert await host.stop(ours, leave(ours)) == (DELETE,)
    assert front.asked("POST", "/api/interrupt") == 0
    assert comfy.running == theirs
