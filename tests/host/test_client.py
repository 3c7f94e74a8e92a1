"""Every way a request can go wrong has an error of its own, and nothing is ever run twice."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aiohttp import web

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import (
    AnswerLost,
    HostError,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    NotComfyUI,
    OutputError,
    PermitError,
)
from comfy_mcp.host import Absent, Ended, OutputFile, Running
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.workflow import digest, parse_graph

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

FOREVER = 2**62

SECRET = "s3cr3t-k3y"
HEADERS = {"X-API-Key": SECRET, "Authorization": f"Bearer {SECRET}"}
QUICK = Timeouts(connect=0.2, answer=0.1, submit=0.1, breakdown=0.1, view=0.1)

Start = Callable[..., Awaitable[EmbeddedHost]]
StrangerAt = Callable[[Any], Awaitable["Stranger"]]
Proxy = Callable[..., Awaitable["Stranger"]]
Client = Callable[..., ComfyHost]
Send = Callable[..., Awaitable[str]]
MakeGraph = Callable[..., Any]


def submits(host: EmbeddedHost) -> int:
    return sum((each.method, each.path) == ("POST", "/prompt") for each in host.seen)


def answering(status: int, body: str, kind: str = "application/json") -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    return answer


def comfyui_but(submit: Any) -> Any:
    """A ComfyUI as far as its version, whose answer to everything else is *submit*'s."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/system_stats":
            return web.json_response({"system": {"comfyui_version": "0.33.0"}})
        return await submit(request)

    return answer


def everything_told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_host_that_is_not_there_is_unreachable(client: Client) -> None:
    with pytest.raises(HostUnreachable, match=r"No ComfyUI at http://127.0.0.1:\d+ \("):
        await client(f"http://127.0.0.1:{closed_port()}").stats()


async def test_a_submit_to_a_host_that_is_not_there_was_never_sent(
    client: Client, send: Send
) -> None:
    with pytest.raises(HostUnreachable):
        await send(client(f"http://127.0.0.1:{closed_port()}"))


async def test_a_host_that_came_up_meanwhile_is_found(client: Client, embedded: Start) -> None:
    port = closed_port()
    host = client(f"http://127.0.0.1:{port}")
    with pytest.raises(HostUnreachable):
        await host.stats()
    await embedded(port=port)

    assert (await host.stats()).system.comfyui_version == "0.33.0"


async def test_a_host_that_never_answers_is_asked_once(
    client: Client, stranger: StrangerAt
) -> None:
    never = asyncio.Event()
    server = await stranger(lambda _: never.wait())

    with pytest.raises(HostTimeout, match="did not answer in time"):
        await client(server.url, timeouts=Timeouts(connect=10, answer=1.5)).stats()

    assert server.asked("GET", "/api/system_stats") == 1


@pytest.mark.parametrize("front", [True, False])
async def test_only_a_job_that_may_go_first_says_so(
    client: Client, embedded: Start, graph: MakeGraph, *, front: bool
) -> None:
    comfy = await embedded(faults=Faults(deaf_ms=60_000))
    host = client(comfy.url)
    ids = [str(uuid4()) for _ in range(3)]
    for turn, made in enumerate(ids):
        first, sent = front and turn == 2, parse_graph(graph(n1={"color": turn}))
        permit = SubmitPermit(
            decision_id="d", prompt_id=made, digest=digest(sent.to_json()), front=first
        )
        await host.submit(sent, prompt_id=made, client_id="c", permit=permit, front=first)
        await comfy.until(lambda it: it.running is not None)

    assert comfy.pending == ((ids[2], ids[1]) if front else (ids[1], ids[2]))
    bodies = [each.body for each in comfy.seen if (each.method, each.path) == ("POST", "/prompt")]
    assert ["front" in body for body in bodies] == [False, False, front]


async def test_without_leave_nothing_goes_first(
    client: Client, embedded: Start, graph: MakeGraph
) -> None:
    comfy = await embedded()
    sent, made = parse_graph(graph()), str(uuid4())
    permit = SubmitPermit(decision_id="d", prompt_id=made, digest=digest(sent.to_json()))

    with pytest.raises(PermitError):
        await client(comfy.url).submit(
            sent, prompt_id=made, client_id="c", permit=permit, front=True
        )

    assert submits(comfy) == 0


async def test_a_submit_without_an_answer_in_time_is_lost_and_sent_once(
    client: Client, stranger: StrangerAt, send: Send
) -> None:
    never = asyncio.Event()
    server = await stranger(comfyui_but(lambda _: never.wait()))

    with pytest.raises(AnswerLost, match="Do not send it again"):
        await send(client(server.url, timeouts=Timeouts(connect=10, submit=1.5)))

    assert server.asked("POST", "/api/prompt") == 1


async def test_a_read_that_breaks_is_repeated_until_it_works(
    client: Client, stranger: StrangerAt
) -> None:
    turns = iter([False, False, True])

    async def flaky(request: web.Request) -> web.Response:
        if not next(turns):
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"system": {"comfyui_version": "0.33.0"}})

    server = await stranger(flaky)

    await client(server.url).stats()

    assert server.asked("GET", "/api/system_stats") == 3


async def test_a_read_that_always_breaks_says_that_the_connection_broke(
    client: Client, stranger: StrangerAt
) -> None:
    async def abort(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server = await stranger(abort)

    with pytest.raises(HostUnreachable, match=r"connection to ComfyUI at .* broke"):
        await client(server.url).stats()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<html>Welcome to your router</html>", "text/html"),
        (200, '{"system": {"comfyui_ver', "application/json"),
        (200, '{"system": "ComfyUI"}', "application/json"),
        (200, "[]", "application/json"),
        (200, "null", "application/json"),
        (200, "", "application/json"),
        (200, "[" * 10_000, "application/json"),
        (404, "no such page", "text/plain"),
        (500, "500 Internal Server Error\n\nServer got itself in trouble", "text/plain"),
    ],
)
async def test_who_answers_otherwise_is_no_comfyui(
    client: Client, stranger: StrangerAt, status: int, body: str, kind: str
) -> None:
    server = await stranger(answering(status, body, kind))

    with pytest.raises(NotComfyUI, match=f"/api/system_stats gave HTTP {status}, with {kind}"):
        await client(server.url).stats()


@pytest.mark.parametrize(
    "body",
    [
        '{"queue_running": {}, "queue_pending": []}',
        '{"queue_running": [[]], "queue_pending": [5]}',
        '{"queue_running": null}',
        "{}",
    ],
)
async def test_a_queue_of_wrong_types_is_no_comfyui(
    client: Client, stranger: StrangerAt, body: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        found = request.path == "/api/queue"
        return web.Response(
            status=200 if found else 404, text=body, content_type="application/json"
        )

    async def no_jobs(request: web.Request) -> web.Response:
        return await answer(request) if "jobs" not in request.path else web.Response(status=404)

    server = await stranger(no_jobs)

    with pytest.raises(NotComfyUI):
        await client(server.url).look("p")


@pytest.mark.parametrize("status", [401, 403])
async def test_who_wants_credentials_says_so_on_reading_and_on_submitting(
    client: Client, stranger: StrangerAt, send: Send, status: int
) -> None:
    server = await stranger(answering(status, '{"error": "unauthorized"}'))
    host = client(server.url, {"Authorization": f"Bearer {SECRET}"})

    for asking in (host.stats(), host.look("p"), send(host)):
        with pytest.raises(NotComfyUI, match="COMFYUI_API_KEY or COMFYUI_HEADERS") as caught:
            await asking
        assert SECRET not in everything_told(caught.value)


async def test_a_workflow_that_is_too_large_is_told_as_such(
    client: Client, stranger: StrangerAt, send: Send
) -> None:
    too_large = answering(413, "Maximum request body size 104857600 exceeded.", "text/plain")
    server = await stranger(comfyui_but(too_large))

    with pytest.raises(HostRejected, match="--max-upload-size") as caught:
        await send(client(server.url))

    assert caught.value.status == 413


async def test_a_workflow_of_megabytes_is_sent(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    nodes = graph()
    nodes["3"] = {"class_type": "PrimitiveString", "inputs": {"value": "x" * 3_000_000}}
    nodes["4"] = {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}}
    comfy = await embedded()

    made = await send(client(comfy.url), nodes)

    await comfy.until(lambda it: made in it.finished)


async def test_a_submit_that_breaks_comfyui_is_told_with_the_place_to_look(
    client: Client, stranger: StrangerAt, send: Send
) -> None:
    broken = answering(
        500, "500 Internal Server Error\n\nServer got itself in trouble", "text/plain"
    )

    async def else_empty(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/prompt":
            return await broken(request)
        if request.path.startswith("/api/jobs"):
            return web.Response(status=404)
        empty = {"queue_running": [], "queue_pending": []}
        return web.json_response(empty if request.path == "/api/queue" else {})

    server = await stranger(comfyui_but(else_empty))

    with pytest.raises(NotComfyUI, match="ComfyUI's own log"):
        await send(client(server.url, timeouts=Timeouts(breakdown=0.1)))

    assert server.asked("POST", "/api/prompt") == 1


async def test_what_is_no_comfyui_is_recognised_before_anything_is_submitted(
    client: Client, stranger: StrangerAt, send: Send
) -> None:
    server = await stranger(answering(200, "<html>a router</html>", "text/html"))

    with pytest.raises(NotComfyUI):
        await send(client(server.url))

    assert server.asked("POST", "/api/prompt") == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, "Bad Gateway"), (504, "Gateway Timeout"), (200, "<html>"), (200, '{"prompt_')],
)
async def test_a_submit_whose_answer_is_garbled_may_have_been_taken(
    client: Client, stranger: StrangerAt, send: Send, status: int, body: str
) -> None:
    server = await stranger(comfyui_but(answering(status, body, "text/html")))

    with pytest.raises(AnswerLost):
        await send(client(server.url))

    assert server.asked("POST", "/api/prompt") == 1


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_a_workflow_that_comfyui_refuses_is_told_by_node_input_and_reason(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    host = client((await embedded(profile)).url)

    with pytest.raises(HostRejected) as caught:
        await send(host, graph(n1={"width": 0}))

    (problem,) = caught.value.problems
    assert (problem.node_id, problem.node_type) == ("1", "EmptyImage")
    assert (problem.input_name, problem.kind) == ("width", "value_smaller_than_min")
    assert "node 1 (EmptyImage), input width: Value 0 smaller than min of 1" in str(caught.value)


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_a_node_that_comfyui_does_not_have_is_named(
    client: Client, embedded: Start, send: Send, graph: MakeGraph, profile: str
) -> None:
    nodes = graph()
    nodes["1"]["class_type"] = "NoSuchNode"

    with pytest.raises(HostRejected, match="NoSuchNode") as caught:
        await send(client((await embedded(profile)).url), nodes)

    assert caught.value.kind == ("missing_node_type" if profile == "0.33" else "invalid_prompt")


@pytest.mark.parametrize("profile", ["0.3.64", "0.33"])
async def test_what_comfyui_dropped_of_a_workflow_is_told(
    client: Client, embedded: Start, graph: MakeGraph, profile: str
) -> None:
    nodes = graph()
    nodes["3"] = {"class_type": "ImageScale", "inputs": {"image": ["1", 0]}}
    nodes["4"] = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}
    sent, made = parse_graph(nodes), str(uuid4())
    permit = SubmitPermit(decision_id="d", prompt_id=made, digest=digest(sent.to_json()))
    host = client((await embedded(profile)).url)

    done = await host.submit(sent, prompt_id=made, client_id="c", permit=permit)

    assert done.dropped
    assert all("node 3 (ImageScale)" in each for each in done.dropped)
    assert (done.known_as, done.number) == (None, 0)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_answer_that_is_lost_does_not_send_the_job_twice(
    client: Client, embedded: Start, send: Send, when: str
) -> None:
    comfy = await embedded(faults=Faults(lose_answer=when))
    host, made = client(comfy.url), str(uuid4())

    with pytest.raises(AnswerLost) as caught:
        await send(host, prompt_id=made)

    assert caught.value.prompt_id == made
    assert submits(comfy) == 1
    assert isinstance(await host.look(made), Absent) == (when == "before")


async def test_headers_go_with_every_request_and_no_origin_does(
    client: Client, embedded: Start, proxy: Proxy, send: Send
) -> None:
    front = await proxy((await embedded()).url)
    host = client(front.url, HEADERS)

    await host.stats()
    made = await send(host)
    await host.look(made)
    await host.stop(made, StopPermit(decision_id="d", prompt_ids=[made], deadline_ms=FOREVER))
    with pytest.raises(OutputError):
        await host.view(OutputFile("2", "images", "none.png"), limit=10)

    assert len(front.headers) >= 5
    for headers in front.headers:
        assert headers["X-API-Key"] == SECRET
        assert headers["Authorization"] == f"Bearer {SECRET}"
        assert not {"Origin", "Referer"} & headers.keys()
        assert not any(name.startswith("Sec-Fetch") for name in headers)


async def test_no_error_tells_a_header(client: Client, stranger: StrangerAt, send: Send) -> None:
    never = asyncio.Event()
    silent = await stranger(lambda _: never.wait())
    strange = await stranger(answering(500, "no", "text/plain"))
    urls = [silent.url, strange.url, f"http://127.0.0.1:{closed_port()}"]

    for host in [client(url, HEADERS, QUICK) for url in urls]:
        file = OutputFile("2", "images", "a.png")
        for asking in (host.stats(), host.look("p"), send(host), host.view(file, limit=9)):
            with pytest.raises((HostError, OutputError)) as caught:
                await asking
            assert SECRET not in everything_told(caught.value)


@pytest.mark.parametrize("prefix", ["", "/comfy", "/a/b"])
async def test_every_request_is_below_the_prefix_and_api(
    client: Client, embedded: Start, proxy: Proxy, send: Send, prefix: str
) -> None:
    front = await proxy((await embedded()).url, prefix=prefix)
    host = client(front.url + prefix)

    made = await send(host)
    await host.running()
    await host.look(made)
    await host.stop(made, StopPermit(decision_id="d", prompt_ids=[made], deadline_ms=FOREVER))

    assert front.seen
    assert all(path.startswith(f"{prefix}/api/") for _, path in front.seen)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_nobody_is_followed_elsewhere(
    client: Client, stranger: StrangerAt, send: Send, status: int
) -> None:
    other = await stranger(answering(200, "{}"))

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{other.url}/api/queue"})

    host = client((await stranger(redirect)).url, HEADERS)

    for asking in (host.stats(), host.look("p"), send(host)):
        with pytest.raises(NotComfyUI):
            await asking
    with pytest.raises(OutputError):
        await host.view(OutputFile("2", "images", "a.png"), limit=10)
    assert other.seen == []


@pytest.mark.parametrize("flaw", ["id", "digest", "spent"])
async def test_without_a_good_permit_nothing_is_sent(
    client: Client, embedded: Start, graph: MakeGraph, flaw: str
) -> None:
    comfy = await embedded()
    sent, made = parse_graph(graph()), str(uuid4())
    other = digest(parse_graph(graph(n1={"color": 1})).to_json())
    permit = SubmitPermit(
        decision_id="dec_1",
        prompt_id=str(uuid4()) if flaw == "id" else made,
        digest=other if flaw == "digest" else digest(sent.to_json()),
    )
    if flaw == "spent":
        permit.spend(prompt_id=made, digest=digest(sent.to_json()))

    with pytest.raises(PermitError, match="dec_1"):
        await client(comfy.url).submit(sent, prompt_id=made, client_id="c", permit=permit)

    assert comfy.seen == []


@pytest.mark.parametrize(("prompt_id", "deadline_ms"), [("other", FOREVER), ("p", -1)])
async def test_without_a_good_permit_nothing_is_stopped(
    client: Client, embedded: Start, prompt_id: str, deadline_ms: int
) -> None:
    comfy = await embedded()
    permit = StopPermit(decision_id="dec_1", prompt_ids=[prompt_id], deadline_ms=deadline_ms)

    with pytest.raises(PermitError, match="dec_1"):
        await client(comfy.url).stop("p", permit)

    assert comfy.seen == []


async def output_of(host: ComfyHost, comfy: EmbeddedHost, made: str) -> OutputFile:
    await comfy.until(lambda it: made in it.finished)
    seen = await host.look(made)
    assert isinstance(seen, Ended)
    return seen.outputs[0]


async def test_a_file_is_fetched_up_to_the_last_byte_allowed(
    client: Client, embedded: Start, send: Send
) -> None:
    comfy = await embedded()
    host = client(comfy.url)
    file = await output_of(host, comfy, await send(host))

    whole = await host.view(file, limit=1_000_000)

    assert whole.startswith(b"\x89PNG")
    assert await host.view(file, limit=len(whole)) == whole
    with pytest.raises(OutputError, match=f"larger than {len(whole) - 1} bytes"):
        await host.view(file, limit=len(whole) - 1)


async def test_a_file_without_end_is_not_read_without_end(
    client: Client, stranger: StrangerAt
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(bytes(1 << 16))

    server = await stranger(endless)

    async with asyncio.timeout(20):
        with pytest.raises(OutputError, match="larger than 1000000 bytes"):
            await client(server.url).view(OutputFile("2", "images", "a.png"), limit=1_000_000)


async def test_a_file_that_is_gone_is_told_to_be_gone(client: Client, embedded: Start) -> None:
    file = OutputFile("2", "images", "gone.png", type="temp")

    with pytest.raises(OutputError, match=r"no longer has gone\.png"):
        await client((await embedded()).url).view(file, limit=10)


async def test_a_file_that_is_not_handed_out_is_not_told_to_be_gone(
    client: Client, stranger: StrangerAt
) -> None:
    server = await stranger(answering(403, ""))

    with pytest.raises(OutputError, match=r"did not hand out a\.png \(HTTP 403\)"):
        await client(server.url).view(OutputFile("2", "images", "a.png"), limit=10)


async def test_a_file_in_a_folder_with_an_odd_name_is_found(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    comfy = await embedded()
    host = client(comfy.url)
    made = await send(host, graph(n2={"filename_prefix": "a b+ü/c%26 d"}))
    file = await output_of(host, comfy, made)

    assert (await host.view(file, limit=1_000_000)).startswith(b"\x89PNG")
    assert file.subfolder == "a b+ü"


async def test_a_closed_client_may_be_used_again(client: Client, embedded: Start) -> None:
    host = client((await embedded()).url)
    await host.stats()
    await host.close()

    assert (await host.stats()).system.comfyui_version == "0.33.0"


async def test_which_job_runs_is_known_on_every_version(
    client: Client, embedded: Start, send: Send, graph: MakeGraph
) -> None:
    for profile in ("0.3.64", "0.8", "0.33"):
        comfy = await embedded(profile, faults=Faults(deaf_ms=60_000))
        host = client(comfy.url)
        assert await host.running() is None

        made = await send(host, graph())
        await comfy.until(lambda it: it.running is not None)

        assert await host.running() == made


@pytest.mark.parametrize("body", ['{"message": "no Route matched with those values"}', "{}", "[]"])
async def test_a_gateways_own_404_does_not_lose_a_job_that_runs(
    client: Client, embedded: Start, proxy: Proxy, send: Send, body: str
) -> None:
    comfy = await embedded("0.33", faults=Faults(node_ms=60_000))
    made = await send(client(comfy.url))
    await comfy.until(lambda it: it.running == made)
    front = await proxy(comfy.url, own={f"/api/jobs/{made}": (404, body)})

    assert await client(front.url).look(made) == Running()
