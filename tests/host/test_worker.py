"""A ComfyUI that answers and works on nothing is told from one that is busy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import WorkerDead
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.standing import Worker
from comfy_mcp.host.worker import MOST_LOG, Sign, sign_in

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]

HEAD = ["Exception in thread ", "Thread-1 (prompt_worker)", ":\n", "Traceback (most recent...\n"]
FRAME = '  File "/opt/ComfyUI/execution.py", line 757, in execute_async\n'
DONE = "\x1b[32m[INFO]\x1b[0m \x1b[32mPrompt executed in 0.02 seconds\x1b[0m"
NODE_FAILED = f"\x1b[31m[ERROR]\x1b[0m Traceback (most recent call last):\n{FRAME}"


@pytest.mark.parametrize(
    ("pieces", "sign"),
    [
        ([], Sign.NOTHING),
        (["got prompt", "\n"], Sign.NOTHING),
        ([DONE, "\n"], Sign.WORKED),
        (["Prompt executed in 00:12:01"], Sign.WORKED),
        (HEAD, Sign.DIED),
        (["".join(HEAD)], Sign.DIED),
        ([DONE, "\n", *HEAD, "got prompt", "\n"], Sign.DIED),
        (["", FRAME, "", "    ", "await x", "\n", *("^" * 290), "\n", "KeyError"], Sign.DIED),
        ([FRAME.replace("/", "\\")], Sign.DIED),
        (['  File "/c/comfy_execution/caching.py", line 1, in add_keys\n'], Sign.DIED),
        (['  File "/c/main.py", line 421, in prompt_worker\n'], Sign.DIED),
        (['  File "/c/main.py", line 421, in start\n'], Sign.NOTHING),
        (['  File "/c/custom_nodes/x/execution.py", line 1, in run\n'], Sign.NOTHING),
        ([FRAME, DONE], Sign.WORKED),
        ([NODE_FAILED, "\n"], Sign.NOTHING),
        (["a node says: Exception in thread Thread-1 (prompt_worker):\n"], Sign.NOTHING),
        (["Exception in thread Thread-7 (download):\n"], Sign.NOTHING),
    ],
)
def test_the_last_sign_in_a_log_counts(pieces: list[str], sign: Sign) -> None:
    assert sign_in(pieces) is sign


async def test_a_comfyui_that_works_is_alive(client: Client, embedded: Start, send: Send) -> None:
    comfy = await embedded()
    host = client(comfy.url)
    assert await host.worker() is Worker.ALIVE
    made = await send(host)
    await comfy.until(lambda it: made in it.finished)

    assert await host.worker() is Worker.ALIVE


async def test_a_dead_worker_is_noticed_and_nothing_more_is_sent(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(faults=Faults(dead_worker=True))
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: it.running is not None)

    assert await host.worker() is Worker.DEAD
    assert host.worker_died
    with pytest.raises(WorkerDead):
        await send(host)

    assert sum(each.path == "/prompt" for each in comfy.seen) == 1


async def test_what_was_seen_is_remembered_when_the_log_has_gone_over_it(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(faults=Faults(dead_worker=True))
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: it.running is not None)
    await host.worker()
    comfy.log.clear()

    assert await host.worker() is Worker.DEAD


async def test_a_comfyui_that_was_restarted_is_sent_jobs_again(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(faults=Faults(dead_worker=True))
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: it.running is not None)
    await host.worker()
    comfy.faults = Faults()
    await comfy.restart()

    made = await send(host)

    await comfy.until(lambda it: made in it.finished)
    assert not host.worker_died


async def test_a_comfyui_that_was_away_is_not_held_to_be_dead(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded(faults=Faults(dead_worker=True))
    host = client(comfy.url)
    await send(host)
    await comfy.until(lambda it: it.running is not None)
    await host.worker()
    before = host.epoch

    host.socket_broke()

    assert not host.worker_died
    assert host.epoch > before


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, "", "text/plain"),
        (403, "{}", "application/json"),
        (200, "<html>", "text/html"),
        (200, '{"entries": 5}', "application/json"),
        (200, '{"entries": [', "application/json"),
        (200, '{"entries": [], "x": "' + "x" * MOST_LOG + '"}', "application/json"),
    ],
)
async def test_a_log_that_cannot_be_read_says_nothing(
    client: Client, stranger: StrangerAt, status: int, body: str, kind: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    server = await stranger(answer)

    assert await client(server.url).worker() is Worker.UNKNOWN
    assert server.seen == [("GET", "/internal/logs/raw")]


async def test_a_comfyui_that_is_away_says_nothing(client: Client) -> None:
    assert await client("http://127.0.0.1:9").worker() is Worker.UNKNOWN


async def test_the_whole_host_is_told_at_once(client: Client, embedded: Start) -> None:
    told = await client((await embedded()).url).status()

    assert told.version == "0.33.0"
    assert (told.capabilities.chosen_ids, told.capabilities.jobs) == (True, True)
    assert (told.capabilities.atomic_cancel, told.capabilities.targeted_interrupt) == (True, True)
    assert told.worker is Worker.ALIVE
    assert told.devices
    assert told.ram_total


async def test_what_an_old_comfyui_cannot_do_is_told(client: Client, embedded: Start) -> None:
    told = (await client((await embedded("0.3.40")).url).status()).capabilities

    assert (told.chosen_ids, told.jobs) == (False, False)
    assert (told.atomic_cancel, told.targeted_interrupt) == (False, False)
