"""Node classes of a ComfyUI: how often it is asked, what is kept, and what becomes of faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web

from comfy_mcp.errors import HostError, HostUnreachable, NotComfyUI
from comfy_mcp.host import schemas as module
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from tests.host.conftest import Handler, Stranger

pytestmark = pytest.mark.anyio

Start = Callable[[Handler], Awaitable[Stranger]]
ALL = "/api/object_info"


def info(*choices: str, **options: Any) -> dict[str, Any]:
    """What ComfyUI tells of a class with one input to choose from."""
    return {
        "input": {"required": {"file": [list(choices), options]}},
        "output": ["IMAGE"],
        "output_name": ["IMAGE"],
        "category": "image",
        "display_name": "A node",
    }


class Comfy:
    """A ComfyUI with these classes; it answers once *let* is set."""

    def __init__(self, classes: Mapping[str, Any]) -> None:
        self.classes = dict(classes)
        self.let = asyncio.Event()
        self.let.set()
        self.came = asyncio.Event()
        self.moved = asyncio.Condition()
        self.requests = self.busy = self.most = 0

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until that holds after a request came."""
        async with asyncio.timeout(30), self.moved:
            await self.moved.wait_for(condition)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.came.set()
        self.requests += 1
        self.busy += 1
        self.most = max(self.most, self.busy)
        async with self.moved:
            self.moved.notify_all()
        await self.let.wait()
        self.busy -= 1
        name = request.path.removeprefix(ALL).lstrip("/")
        if not name:
            return web.json_response(self.classes)
        return web.json_response({name: self.classes[name]} if name in self.classes else {})


@pytest.fixture
async def answering(stranger: Start) -> Callable[..., Awaitable[Stranger]]:
    """Starts a host that answers everything with one body."""

    async def start(body: bytes | str, status: int = 200) -> Stranger:
        raw = body.encode() if isinstance(body, str) else body

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(body=raw, status=status, content_type="application/json")

        return await stranger(answer)

    return start


async def test_however_many_ask_at_once_comfyui_is_asked_once(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"Blur": info("a")})
    comfy.let.clear()
    server = await stranger(comfy)
    host = client(server.url)

    asking = [asyncio.create_task(host.nodes()) for _ in range(20)]
    await comfy.came.wait()
    comfy.let.set()
    answers = await asyncio.gather(*asking)

    assert all(answer is answers[0] for answer in answers)
    assert list(answers[0]) == ["Blur"]
    assert server.asked("GET", ALL) == 1


async def test_who_gives_up_takes_the_answer_from_nobody(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"Blur": info("a")})
    comfy.let.clear()
    server = await stranger(comfy)
    host = client(server.url)
    first, second = asyncio.create_task(host.nodes()), asyncio.create_task(host.nodes())
    await comfy.came.wait()

    first.cancel()
    await asyncio.wait([first])
    comfy.let.set()

    assert list(await second) == ["Blur"]
    assert server.asked("GET", ALL) == 1


async def test_an_old_answer_is_used_while_a_new_one_is_fetched(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    now = 0.0
    comfy = Comfy({"Old": info("a")})
    server = await stranger(comfy)
    host = client(server.url, clock=lambda: now)
    await host.nodes()
    comfy.classes = {"New": info("a")}

    now = module.FRESH - 1
    assert list(await host.nodes()) == ["Old"]
    assert server.asked("GET", ALL) == 1
    now = module.FRESH
    comfy.let.clear()
    assert list(await host.nodes()) == ["Old"]
    assert list(await host.nodes()) == ["Old"]
    await comfy.until(lambda: comfy.requests == 2)
    now = module.STALE
    waiting = asyncio.create_task(host.nodes())
    comfy.let.set()

    assert list(await waiting) == ["New"]
    assert list(await host.nodes()) == ["New"]
    assert server.asked("GET", ALL) == 2


async def test_an_answer_that_is_much_too_old_is_waited_for(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    now = 0.0
    comfy = Comfy({"Old": info("a")})
    host = client((await stranger(comfy)).url, clock=lambda: now)
    await host.nodes()
    comfy.classes = {"New": info("a")}

    now = module.STALE

    assert list(await host.nodes()) == ["New"]


async def test_a_comfyui_that_was_away_is_asked_anew(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"Old": info("a")})
    host = client((await stranger(comfy)).url)
    await host.nodes()
    await host.schemas(["Old"])
    comfy.classes = {"New": info("a")}

    host.socket_broke()

    assert list(await host.nodes()) == ["New"]
    assert await host.schemas(["Old"]) == {}


async def test_what_was_asked_before_it_was_away_is_not_kept(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"Old": info("a")})
    comfy.let.clear()
    server = await stranger(comfy)
    host = client(server.url)
    early = asyncio.create_task(host.nodes())
    await comfy.came.wait()

    host.socket_broke()
    late = asyncio.create_task(host.nodes())
    await comfy.until(lambda: comfy.requests == 2)
    comfy.let.set()
    await early
    await late

    assert await host.nodes() is await late


async def test_a_class_is_kept_for_a_minute(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    now = 0.0
    comfy = Comfy({"Blur": info("a"), "Load": info("b")})
    server = await stranger(comfy)
    host = client(server.url, clock=lambda: now)

    await host.schemas(["Blur", "Load", "Blur"])
    now = module.KEPT - 1
    await host.schemas(["Blur"])
    assert server.asked("GET", f"{ALL}/Blur") == 1
    comfy.classes["Blur"] = info("a", "new")
    now = module.KEPT

    found = await host.schemas(["Blur"])

    assert found["Blur"].inputs[0].choices == ("a", "new")
    assert server.asked("GET", f"{ALL}/Load") == 1


async def test_files_that_are_uploaded_can_be_chosen_at_once(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"LoadImage": info("a.png", image_upload=True)})
    host = client((await stranger(comfy)).url)
    await host.schemas(["LoadImage"])

    comfy.classes["LoadImage"] = info("a.png", "new.png", image_upload=True)

    found = await host.schemas(["LoadImage"])
    assert found["LoadImage"].inputs[0].choices == ("a.png", "new.png")


async def test_a_class_that_is_not_there_is_left_out_and_asked_for_again(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"Blur": info("a")})
    host = client((await stranger(comfy)).url)
    assert list(await host.schemas(["Blur", "Later"])) == ["Blur"]

    comfy.classes["Later"] = info("a")

    assert sorted(await host.schemas(["Blur", "Later"])) == ["Blur", "Later"]


async def test_few_classes_are_asked_for_at_once(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({f"C{number}": info("a") for number in range(20)})
    comfy.let.clear()
    host = client((await stranger(comfy)).url)

    asking = asyncio.create_task(host.schemas(list(comfy.classes)))
    await comfy.until(lambda: comfy.busy == module.AT_ONCE)
    comfy.let.set()

    assert len(await asking) == 20
    assert comfy.most == module.AT_ONCE


async def test_very_many_classes_are_one_request(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({f"C{number}": info("a") for number in range(module.MANY + 1)})
    server = await stranger(comfy)
    host = client(server.url)

    found = await host.schemas([*comfy.classes, "Nope"])
    await host.schemas(list(comfy.classes))

    assert len(found) == module.MANY + 1
    assert server.seen == [("GET", ALL)]


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 1_000])
async def test_a_name_that_would_be_another_path_is_not_asked_for(
    stranger: Start, client: Callable[..., ComfyHost], name: str
) -> None:
    server = await stranger(Comfy({}))

    assert await client(server.url).schemas([name]) == {}
    assert server.seen == []


@pytest.mark.parametrize("name", ["a/b", "../queue", "a b?c#d", "Ä%2f"])
async def test_a_name_stays_one_part_of_the_path(
    stranger: Start, client: Callable[..., ComfyHost], name: str
) -> None:
    comfy = Comfy({name: info("a")})
    server = await stranger(comfy)

    found = await client(server.url).schemas([name])

    assert list(found) == [name]
    assert server.seen == [("GET", f"{ALL}/{name}")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[]", 200),
        ("{", 200),
        ("<html>", 200),
        ("{}", 200),
        ('{"A": 1}', 200),
        (b"\xff\xfe{}", 200),
        ("{}", 500),
        ('{"A": ' + "[" * 100_000, 200),
    ],
)
async def test_what_is_no_answer_of_comfyui_is_said_in_words(
    answering: Callable[..., Awaitable[Stranger]],
    client: Callable[..., ComfyHost],
    body: str,
    status: int,
) -> None:
    host = client((await answering(body, status)).url)

    with pytest.raises(NotComfyUI, match="does not tell about nodes"):
        await host.nodes()


async def test_too_large_an_answer_is_not_read(
    answering: Callable[..., Awaitable[Stranger]],
    client: Callable[..., ComfyHost],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1_000)
    host = client((await answering(json.dumps({"A": info("x" * 1_000)}))).url)

    with pytest.raises(NotComfyUI, match="too much to be read"):
        await host.nodes()


async def test_a_comfyui_that_is_away_is_said_in_words_each_time(
    client: Callable[..., ComfyHost],
) -> None:
    host = client("http://127.0.0.1:9", timeouts=Timeouts(connect=2, answer=2))

    for _ in range(2):
        with pytest.raises(HostUnreachable):
            await host.nodes()
        with pytest.raises(HostError):
            await host.schemas(["A", "B"])


async def test_a_failed_look_keeps_what_is_known(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    now = 0.0
    comfy = Comfy({"Blur": info("a")})
    server = await stranger(comfy)
    host = client(server.url, clock=lambda: now)
    await host.nodes()
    comfy.classes = {}

    now = module.FRESH
    await host.nodes()
    await comfy.until(lambda: comfy.requests == 2)

    assert list(await host.nodes()) == ["Blur"]


async def test_a_text_that_many_classes_can_choose_is_held_once(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    modern = info()
    modern["input"]["required"]["file"] = ["COMBO", {"options": ["model-one", 3]}]
    comfy = Comfy({"A": info("model-one"), "B": info("model-one"), "C": modern})
    nodes = await client((await stranger(comfy)).url).nodes()

    first, second, third = (nodes[name].inputs[0].choices for name in "ABC")

    assert first is not None
    assert second is not None
    assert third is not None
    assert first[0] is second[0] is third[0]


async def test_closing_ends_what_is_being_asked(
    stranger: Start, client: Callable[..., ComfyHost]
) -> None:
    comfy = Comfy({"Blur": info("a")})
    comfy.let.clear()
    host = client((await stranger(comfy)).url)
    asking = asyncio.create_task(host.nodes())
    await comfy.came.wait()

    await host.close()
    await asyncio.wait([asking])

    assert asking.cancelled()
    comfy.let.set()
