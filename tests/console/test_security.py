"""Who gets an answer: every request over a socket, with the headers that browsers really send."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from comfy_mcp.console.answers import HEADERS, Refusal
from comfy_mcp.console.app import PAGE, Console
from comfy_mcp.console.routes import Route
from comfy_mcp.console.security import check_peer
from comfy_mcp.oversight.freezing import freeze
from comfy_mcp.store.sqlite import SqliteStore
from tests.console.caller import Caller, Said, Terminal, signed_in
from tests.oversight.asked import NOW, parked, question

pytestmark = pytest.mark.anyio

ID = "apr_0000000000000001"
"""Of the request that is parked where one is needed."""


def example(route: Route) -> str:
    """A path of *route*."""
    known = {"id": ID if "approvals" in route.path else "job-1", "n": "0", "name": "console.js"}
    return re.sub(r"\(\?P<(\w+)>.*?\)(?=/|$)", lambda found: known[found[1]], route.path)


def routes(console: Console) -> Iterator[tuple[Route, str]]:
    """Everything that can be asked, with an example."""
    return ((route, example(route)) for route in console.reception.routes)


def is_strict(said: Said) -> bool:
    """Whether a browser is kept strict, and told nothing about the program."""
    own = {name: said.header(name) for name in HEADERS}
    return own == dict(HEADERS) and said.header("Server") is None


async def test_the_page_and_its_files_are_for_everybody_and_say_what_they_are(
    stranger: Caller,
) -> None:
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    files = sorted(file for file in PAGE.iterdir() if file.suffix in kinds)
    page = await stranger.get("/")
    assert (page.status, page.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert page.body == (PAGE / "index.html").read_bytes()
    assert {file.suffix for file in files} == set(kinds)

    for file in files:
        said = await stranger.get(f"/{file.name}")
        assert said.status == 200, file
        assert str(said.header("Content-Type")).startswith(kinds[file.suffix])
        assert said.body == file.read_bytes()
        assert is_strict(said)


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "//console.js",
        "/console.js/",
        "/nothing.js",
        "/app.py",
        "/page/index.html",
        "http://127.0.0.1/",
    ],
)
async def test_nothing_but_the_page_s_own_files_is_handed_out(stranger: Caller, path: str) -> None:
    said = await stranger.get(path)

    assert said.status == 404
    assert is_strict(said)


async def test_every_answer_keeps_the_browser_strict_and_tells_nothing_about_the_program(
    console: Console, operator: Caller, stranger: Caller
) -> None:
    for route, path in routes(console):
        if path == "/api/events":
            continue
        for caller in (operator, stranger):
            assert is_strict(await caller.ask(route.method, path)), path
    for broken in (b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n bad\x00: x\r\n\r\n"):
        said = await stranger.raw(broken)
        assert said.status == 400
        assert is_strict(said)
        assert b"GARBAGE" not in said.body
        assert b"Traceback" not in said.body


async def test_the_browser_runs_and_loads_only_what_is_ours_and_shows_it_in_no_frame(
    stranger: Caller,
) -> None:
    said = await stranger.get("/")

    policy = str(said.header("Content-Security-Policy"))
    own = ["script-src", "style-src", "img-src", "connect-src"]
    none = ["default-src", "base-uri", "form-action", "frame-ancestors"]
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        **dict.fromkeys(own, "'self'"),
        **dict.fromkeys(none, "'none'"),
    }
    wanted = {
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    assert {name: said.header(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "0.0.0.0:{port}",
        "127.0.0.2:{port}",
        "[::]:{port}",
        "user@127.0.0.1:{port}",
        "",
        None,
    ],
)
async def test_a_name_that_was_made_to_lead_here_gets_nothing_not_even_the_page(
    console: Console, operator: Caller, host: str | None
) -> None:
    named = None if host is None else host.format(port=operator.port)

    for route, path in routes(console):
        said = await operator.ask(route.method, path, headers={"Host": named})
        assert said.status == 421 if host is not None else said.status in {400, 421}, path
        assert is_strict(said)
        assert len(said.body) < 200


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
async def test_this_machine_s_own_names_are_answered(operator: Caller, name: str) -> None:
    host = f"{name}:{operator.port}"
    origin = {"Host": host, "Origin": f"http://{host.lower()}"}

    assert (await operator.get("/", {"Host": host})).status == 200
    assert (await operator.get("/api/session", {"Host": host})).status == 200
    said = await operator.post("/api/unfreeze", {"grant": "*"}, origin)
    assert said.status == 409  # nothing is frozen: it got as far as that


async def test_a_second_host_header_is_refused(operator: Caller) -> None:
    lines = f"GET / HTTP/1.1\r\nHost: {operator.host}\r\nHost: evil.example\r\n\r\n"

    assert (await operator.raw(lines.encode())).status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:{port}/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_another_page_has_no_effect_whatever_cookie_the_browser_adds(
    console: Console, operator: Caller, store: SqliteStore, headers: dict[str, str | None]
) -> None:
    told = {
        name: None if value is None else value.format(port=operator.port)
        for name, value in headers.items()
    }
    before = await store.head()

    for route, path in routes(console):
        if route.method == "POST":
            assert (await operator.post(path, {}, told)).status == 403, path

    assert await store.head() == before
    assert (await operator.get("/api/session")).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_page_is_told_nothing_either(
    console: Console, operator: Caller, site: str
) -> None:
    for route, path in routes(console):
        if route.method == "GET" and route.kind.session:
            said = await operator.get(path, {"Sec-Fetch-Site": site})
            assert said.status == 403, path
            said = await operator.get(path, {"Origin": "http://evil.example"})
            assert said.status == 403, path


async def test_no_answer_lets_another_origin_read_it(console: Console, operator: Caller) -> None:
    for route, path in routes(console):
        if route.method == "GET" and path != "/api/events":
            said = await operator.get(path)
            assert not [name for name, _ in said.headers if name.lower().startswith("access-")]


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonp",
        None,
    ],
)
async def test_what_a_form_of_another_page_could_send_is_not_read(
    operator: Caller, kind: str | None
) -> None:
    said = await operator.post("/api/freeze", {"grant": "*"}, {"Content-Type": kind})

    assert said.status == 415


async def test_nothing_packed_is_unpacked(operator: Caller) -> None:
    said = await operator.post("/api/freeze", {"grant": "*"}, {"Content-Encoding": "gzip"})

    assert said.status == 415


async def test_without_a_session_nothing_is_told_and_nothing_is_done(
    console: Console, stranger: Caller, store: SqliteStore
) -> None:
    await parked(store, question())
    before = await store.head()

    for route, path in routes(console):
        if route.kind.session:
            said = await stranger.ask(route.method, path, headers={"X-CSRF-Token": "0" * 64})
            assert said.status == 401, path
            assert set(said.values) == {"error", "fix"}

    assert await store.head() == before


def wrong_tokens(operator: Caller) -> list[str | None]:
    """What is none of *operator*'s tokens."""
    wrong = ["", "0" * 64, operator.token[:-1], operator.token + "0", "\xe9" * 64]
    return [None, *wrong, operator.cookie.partition("=")[2]]


async def test_with_the_cookie_alone_nothing_is_told_and_nothing_is_done(
    console: Console, operator: Caller, store: SqliteStore
) -> None:
    # A browser shows it to every server of this machine, whatever its port.
    await parked(store, question())
    before = await store.head()

    for route, path in routes(console):
        if route.kind.session:
            for token in wrong_tokens(operator):
                said = await operator.ask(route.method, path, headers={"X-CSRF-Token": token})
                assert said.status == 401, (path, token)
                assert set(said.values) == {"error", "fix"}

    assert await store.head() == before
    assert (await operator.get("/api/session")).status == 200


async def test_with_the_page_s_token_alone_nothing_is_told_and_nothing_is_done(
    console: Console, operator: Caller
) -> None:
    for route, path in routes(console):
        if route.kind.session:
            said = await operator.ask(route.method, path, headers={"Cookie": None})
            assert said.status == 401, path


async def test_the_token_is_told_once_and_by_nothing_else(
    console: Console, operator: Caller, store: SqliteStore
) -> None:
    await parked(store, question())

    assert len(operator.token) == 64  # 256 bits
    for route, path in routes(console):
        if path == "/api/events" or route.method != "GET":
            continue
        said = await operator.get(path)
        assert operator.token.encode() not in said.body, path
        assert operator.token not in str(said.headers), path
    async with operator.events() as stream:
        assert operator.token not in str(await stream.state())


@pytest.mark.parametrize("path", ["/api/session", "/api/audit?count=5", f"/api/approvals/{ID}"])
async def test_what_a_browser_loads_without_headers_has_the_token_in_its_address(
    operator: Caller, store: SqliteStore, path: str
) -> None:
    await parked(store, question())
    more = "&" if "?" in path else "?"
    without: dict[str, str | None] = {"X-CSRF-Token": None}

    said = await operator.get(f"{path}{more}t={operator.token}", without)
    wrong = await operator.get(f"{path}{more}t={operator.token[::-1]}", without)
    twice = await operator.get(f"{path}{more}t={operator.token}&t={operator.token}", without)
    both = await operator.get(f"{path}{more}t={operator.token}", {"X-CSRF-Token": "0" * 64})

    assert [one.status for one in (said, wrong, twice, both)] == [200, 401, 400, 401]


async def test_an_address_has_no_effect_even_with_the_token_in_it(
    console: Console, operator: Caller, store: SqliteStore
) -> None:
    before = await store.head()

    for route, path in routes(console):
        if route.method == "POST" and route.kind.session:
            said = await operator.post(f"{path}?t={operator.token}", {}, {"X-CSRF-Token": None})
            assert said.status == 401, path

    assert await store.head() == before


async def test_the_token_in_an_address_is_written_down_nowhere(
    console: Console,
    operator: Caller,
    terminal: Terminal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    route = next(one for one in console.reception.routes if one.path == "/api/audit")

    async def broken(_: object) -> None:
        raise RuntimeError("It broke.")

    object.__setattr__(route, "handler", broken)

    said = await operator.get(f"/api/audit?t={operator.token}", {"X-CSRF-Token": None})

    assert said.status == 500
    assert "It broke." in caplog.text
    assert operator.token not in caplog.text
    assert operator.token not in str(terminal.said)


async def test_the_token_of_another_session_is_none_of_this_one(
    console: Console, operator: Caller, terminal: Terminal
) -> None:
    other = await signed_in(console, terminal)

    said = await operator.post("/api/freeze", {"grant": "*"}, {"X-CSRF-Token": other.token})

    assert said.status == 401


async def test_a_cookie_that_another_server_of_this_machine_has_put_in_front_does_no_harm(
    operator: Caller,
) -> None:
    name = operator.cookie.partition("=")[0]
    put = f'{name}=planted; a=b; {name}=; {name}="x y"; {operator.cookie}; {name}=last'

    assert (await operator.get("/api/session", {"Cookie": put})).status == 200
    assert (await operator.post("/api/sign-out", {}, {"Cookie": put})).status == 204
    assert (await operator.get("/api/session")).status == 401


async def test_the_cookie_of_another_port_is_nothing_here(operator: Caller) -> None:
    value = operator.cookie.partition("=")[2]
    foreign = f"comfy-mcp-guard-console-{operator.port + 1}={value}"

    assert (await operator.get("/api/session", {"Cookie": foreign})).status == 401


async def test_reading_has_no_effect_whatever_is_read(
    console: Console, operator: Caller, store: SqliteStore
) -> None:
    await parked(store, question())
    await freeze(store, 1_700_000_000_500, "bob")
    before = (await store.head(), await store.freezes(), await store.approvals(0, count=9))

    for route, path in routes(console):
        for method in ("GET", "HEAD"):
            for query in ("", "?key=x", "?reason=x&grant=*"):
                if path == "/api/events" and method == "GET":
                    continue
                said = await operator.ask(method, path + query)
                wanted = {405} if route.method == "POST" else {200, 400, 404, 409, 502}
                assert said.status in wanted, (method, path)
                assert method == "GET" or said.body == b""

    after = (await store.head(), await store.freezes(), await store.approvals(0, count=9))
    assert after == before
    assert (await operator.get("/api/session")).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
async def test_other_methods_are_not_allowed(
    console: Console, operator: Caller, method: str
) -> None:
    for route, path in routes(console):
        said = await operator.ask(method, path)
        assert said.status == 405, path
        assert said.header("Allow") == ("GET, HEAD" if route.method == "GET" else "POST")
        assert is_strict(said)


@pytest.mark.parametrize(
    "path",
    [
        "/api/approvals/apr_000000000000000",
        "/api/approvals/apr_00000000000000001",
        "/api/approvals/apr_000000000000000G",
        "/api/approvals/apr_0000000000000001%0a",
        "/api/approvals/../session",
        "/api/approvals/apr_0000000000000001/inputs/-1",
        "/api/approvals/apr_0000000000000001/inputs/12345",
        "/api/approvals/apr_0000000000000001/inputs/\u0661",
        "/api/jobs/a.b/outputs/0",
        "/api/jobs/" + "a" * 65 + "/outputs/0",
        "/api/jobs/a/outputs/x",
        "/api/jobs/a/outputs/",
        "/api",
        "/api/",
        "/api/session/",
        "/API/session",
    ],
)
async def test_what_is_no_id_and_no_number_leads_nowhere(operator: Caller, path: str) -> None:
    said = await operator.get(path.encode().decode("latin-1"))

    assert said.status in {400, 404}


@pytest.mark.parametrize(
    "query",
    [
        "before=0",
        "before=-1",
        "before=1.5",
        "before=abc",
        "before=99999999999999999999",
        "before=%D9%A1",
        "count=0",
        "count=201",
        "count=1&count=2",
        "what=else",
        "q=" + "a" * 201,
    ],
)
async def test_the_audit_trail_takes_no_odd_numbers(operator: Caller, query: str) -> None:
    assert (await operator.get(f"/api/audit?{query}")).status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/freeze", {"grant": 1}),
        ("/api/freeze", {"grant": ""}),
        ("/api/freeze", {}),
        ("/api/freeze", {"grant": "a b"}),
        ("/api/freeze", {"grant": "*", "keep_reads": "yes"}),
        ("/api/freeze", {"grant": "*", "reason": "x" * 2001}),
        ("/api/freeze", {"grant": "*", "more": 1}),
        ("/api/unfreeze", {"grant": None}),
        ("/api/sign-in", {"key": ["x"]}),
        (f"/api/approvals/{ID}/approve", {"changes": []}),
        (f"/api/approvals/{ID}/approve", {"changes": {str(n): n for n in range(101)}}),
        (f"/api/approvals/{ID}/deny", {"changes": {}}),
        (f"/api/approvals/{ID}/deny", {"reason": {"a": 1}}),
    ],
)
async def test_a_body_of_another_shape_is_refused_and_does_nothing(
    operator: Caller, store: SqliteStore, path: str, body: dict[str, object]
) -> None:
    await parked(store, question())
    before = await store.head()

    assert (await operator.post(path, body)).status == 400
    assert await store.head() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"changes":{"steps":NaN}}',
        b'{"changes":{"steps":-Infinity}}',
        b'{"reason":"a","reason":"b"}',
        b"\xff\xfe",
        b'{"reason":"\\ud800"}',
        b"[" * 60_000,
        '{"reason":"yes"}'.encode("utf-16"),
        '{"reason":"yes"}'.encode("utf-16-le"),
        '{"reason":"yes"}'.encode("utf-32-be"),
        '{"reason":"yes"}'.encode("utf-8-sig"),
    ],
)
async def test_what_is_no_json_object_is_refused(
    operator: Caller, store: SqliteStore, body: bytes
) -> None:
    await parked(store, question(), NOW + 60_000)
    before = await store.head()
    told = operator.headers("POST", {"Content-Length": str(len(body))})
    first = f"POST /api/approvals/{ID}/approve HTTP/1.1"
    head = "\r\n".join([first, *(f"{name}: {told[name]}" for name in told), "", ""])

    said = await operator.raw(head.encode() + body)

    assert (said.status, await store.head()) == (400, before)


@pytest.mark.parametrize(
    "name", ["Origin", "X-CSRF-Token", "Content-Type", "Sec-Fetch-Site", "Cookie"]
)
async def test_a_header_that_is_there_twice_is_refused(operator: Caller, name: str) -> None:
    told = operator.headers("POST", {"Content-Length": "2"})
    lines = [f"{known}: {told[known]}" for known in told]
    lines.append(f"{name}: {told[name]}")

    said = await operator.raw(
        "\r\n".join(["POST /api/sign-out HTTP/1.1", *lines, "", "{}"]).encode()
    )

    assert said.status == 400
    assert (await operator.get("/api/session")).status == 200


@pytest.mark.parametrize(
    "peer", [("192.168.1.7", 5), ("::ffff:10.0.0.1", 5, 0, 0), ("x", 1), (), None]
)
def test_whoever_is_not_on_this_machine_gets_nothing(peer: object) -> None:
    with pytest.raises(Refusal):
        check_peer(peer)


@pytest.mark.parametrize("peer", [("127.0.0.1", 5), ("127.8.9.1", 5), ("::1", 5, 0, 0)])
def test_whoever_is_on_this_machine_may_ask(peer: object) -> None:
    check_peer(peer)
