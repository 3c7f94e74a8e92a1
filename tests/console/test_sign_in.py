"""Signing in with a link of the terminal, and out again."""

from __future__ import annotations

import asyncio

import pytest

from comfy_mcp.console.app import Console
from comfy_mcp.console.sessions import MOST
from comfy_mcp.settings import Settings
from tests.console.caller import Caller, Terminal, signed_in
from tests.console.conftest import Times

pytestmark = pytest.mark.anyio


async def test_a_link_signs_one_browser_in_with_a_cookie_that_only_this_console_reads(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()

    said = await stranger.sign_in(terminal.key)

    name, _, rest = str(said.header("Set-Cookie")).partition("=")
    value, *attributes = rest.split("; ")
    assert (said.status, set(said.values)) == (200, {"token"})
    assert name == f"comfy-mcp-guard-console-{stranger.port}"
    assert len(value) >= 43  # 256 bits
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"}


async def test_the_session_says_who_and_where_and_nothing_secret(
    operator: Caller, settings: Settings
) -> None:
    told = (await operator.get("/api/session")).values

    assert set(told) == {"user", "state", "place", "version"}
    assert (told["state"], told["place"]) == (settings.state.name, "http://127.0.0.1:8188")


async def test_a_link_that_is_opened_a_second_time_is_refused_and_the_terminal_says_so(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()
    key = terminal.key
    await stranger.sign_in(key)
    thief = Caller(stranger.port)

    said = await thief.sign_in(key)

    assert (said.status, said.header("Set-Cookie")) == (403, None)
    assert said.values["error"] == "That link was used already."
    assert terminal.said[-1].startswith("WARNING: a sign-in link was opened a second time")
    assert key not in terminal.said[-1]


async def test_two_who_open_one_link_at_the_same_moment_are_one_session(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()
    key = terminal.key

    said = await asyncio.gather(
        *(Caller(stranger.port).post("/api/sign-in", {"key": key}) for _ in range(8))
    )

    assert sorted(one.status for one in said) == [200, *[403] * 7]


async def test_after_each_use_the_terminal_has_a_new_link(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()
    first = terminal.key
    await stranger.sign_in(first)
    second = terminal.key
    other = Caller(stranger.port)

    said = await other.sign_in(second)

    assert first != second
    assert said.status == 200
    assert (await stranger.get("/api/session")).status == 200
    assert stranger.cookie != other.cookie


async def test_a_link_is_good_for_ten_minutes_and_no_longer(
    console: Console, terminal: Terminal, stranger: Caller, times: Times
) -> None:
    console.door.offer()
    early, late = terminal.key, None
    times.s += 1
    console.door.offer()
    late = terminal.key

    times.s += 599.0

    said = await stranger.sign_in(early)
    assert (said.status, said.values["error"]) == (403, "That link is too old.")
    assert (await stranger.sign_in(late)).status == 200


async def test_of_many_links_only_the_last_few_are_good(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()
    first = terminal.key
    for _ in range(5):
        console.door.offer()

    assert (await stranger.sign_in(first)).status == 403
    assert (await stranger.sign_in(terminal.key)).status == 200


@pytest.mark.parametrize("key", ["", "x", "x" * 50_000])
async def test_what_was_never_a_link_is_refused(stranger: Caller, key: str) -> None:
    said = await stranger.sign_in(key)

    assert (said.status, said.header("Set-Cookie")) == (403, None)


async def test_after_ten_wrong_links_others_have_to_wait_but_a_good_one_never_has(
    console: Console, terminal: Terminal, stranger: Caller, times: Times
) -> None:
    console.door.offer()
    good = terminal.key

    wrong = [(await stranger.sign_in(f"wrong-{number}")).status for number in range(10)]
    refused = await stranger.sign_in("wrong-again")
    times.s += 59.9
    still = await stranger.sign_in("wrong-again")
    taken = await stranger.sign_in(good)
    again = await Caller(stranger.port).sign_in(good)
    times.s += 0.2

    assert wrong == [403] * 10
    assert (refused.status, refused.header("Retry-After")) == (429, "60")
    assert (still.status, still.header("Retry-After")) == (429, "1")
    assert (taken.status, again.status) == (200, 403)
    assert (await stranger.sign_in("wrong-again")).status == 403
    assert sum("many wrong" in words for words in terminal.said) == 1
    assert sum("a second time" in words for words in terminal.said) == 1


async def test_a_used_link_that_is_tried_again_and_again_is_warned_of_once(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()
    key = terminal.key
    await stranger.sign_in(key)

    said = [await Caller(stranger.port).sign_in(key) for _ in range(30)]

    assert {(one.status, one.values["error"]) for one in said} == {
        (403, "That link was used already.")
    }
    assert sum("a second time" in words for words in terminal.said) == 1


async def test_a_key_in_the_address_signs_nobody_in(
    console: Console, terminal: Terminal, stranger: Caller
) -> None:
    console.door.offer()
    key = terminal.key

    for path in (f"/?key={key}", f"/api/session?key={key}", f"/api/sign-in?key={key}"):
        assert (await stranger.get(path)).header("Set-Cookie") is None
    assert (await stranger.post(f"/api/sign-in?key={key}", {})).status == 403
    assert (await stranger.sign_in(key)).status == 200


async def test_signing_in_again_ends_the_session_that_this_browser_had(
    console: Console, terminal: Terminal, operator: Caller
) -> None:
    old = Caller(operator.port, operator.cookie, operator.token)
    console.door.offer()

    await operator.sign_in(terminal.key)

    assert (await operator.get("/api/session")).status == 200
    assert (await old.get("/api/session")).status == 401


async def test_signing_out_ends_this_session_and_no_other(
    console: Console, terminal: Terminal, operator: Caller
) -> None:
    other = await signed_in(console, terminal)

    said = await operator.post("/api/sign-out")

    assert said.status == 204
    assert "Max-Age=0" in str(said.header("Set-Cookie"))
    assert (await operator.get("/api/session")).status == 401
    assert (await other.get("/api/session")).status == 200


async def test_signing_everybody_out_ends_every_session(
    console: Console, terminal: Terminal, operator: Caller
) -> None:
    other = await signed_in(console, terminal)

    assert (await operator.post("/api/sign-out-all")).status == 204

    assert [(await one.get("/api/session")).status for one in (operator, other)] == [401, 401]


async def test_a_session_lasts_twelve_hours(operator: Caller, times: Times) -> None:
    times.s += 12 * 3600 - 0.1
    before = await operator.get("/api/session")
    times.s += 0.2

    assert before.status == 200
    assert (await operator.get("/api/session")).status == 401


async def test_there_are_only_so_many_sessions_and_the_oldest_makes_room(
    console: Console, terminal: Terminal, operator: Caller
) -> None:
    others = [await signed_in(console, terminal) for _ in range(MOST)]

    assert (await operator.get("/api/session")).status == 401
    assert (await others[0].get("/api/session")).status == 200
    assert (await others[-1].get("/api/session")).status == 200


async def test_a_terminal_that_has_gone_keeps_nobody_from_signing_in(
    console: Console, terminal: Terminal, stranger: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.door.offer()
    key = terminal.key

    def gone(_self: Terminal, _words: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Terminal, "__call__", gone)

    assert (await stranger.sign_in(key)).status == 200


@pytest.mark.parametrize(
    "cookie",
    ["", "{name}=", "{name}=x", "{name}=" + "x" * 5_000, '{name}="\\377"', "{name}; {name}", "=x"],
)
async def test_a_cookie_that_is_none_signs_nobody_in(stranger: Caller, cookie: str) -> None:
    name = f"comfy-mcp-guard-console-{stranger.port}"

    said = await stranger.get("/api/session", {"Cookie": cookie.format(name=name)})

    assert said.status == 401
