"""Webhooks are told of requests to people, whatever becomes of them, and no call waits for that."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import anyio
import pytest
from aiohttp import web

from comfy_mcp.errors import ConfigError, StateError
from comfy_mcp.notify import Pace, Webhooks
from tests.notify.receiver import KEY, NOW_MS, Receiver, asked, bench, listening

pytestmark = pytest.mark.anyio

SECRET = "a-topic-nobody-guesses"
QUICK = Pace(attempts=2, attempt_s=1.5, last_s=0.0)


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def test_every_webhook_is_told_of_a_request_once() -> None:
    async with listening() as one, listening() as two, bench(one.base, two.base) as made:
        made.webhooks.tell(asked(1))
        await made.done()

        assert [heard.told["approval_id"] for heard in one.heard] == ["apr_0000000000000001"]
        assert one.heard[0].body == two.heard[0].body
        assert one.heard[0].headers["Content-Type"] == "application/json"
        assert made.paused == []


async def test_a_url_is_used_exactly_as_it_is_written() -> None:
    path = f"/{SECRET}/%7e%2B~{{x}}?tpl=yes&m={{{{.summary}}}}&sig=a%2Fb+c=="
    async with listening() as receiver, bench(f"{receiver.base}{path}") as made:
        made.webhooks.tell(asked())
        await made.done()

        assert receiver.heard[0].path == path


async def test_a_receiver_that_fails_is_told_again_after_pauses_that_grow() -> None:
    receiver = Receiver([500, 503, 429, 200])
    async with listening(receiver), bench(receiver.base) as made:
        made.webhooks.tell(asked())
        await made.done()

        assert len({heard.body for heard in receiver.heard}) == 1
        assert len(receiver.heard) == 4
        for at, pause in enumerate(made.paused):
            assert 2**at <= pause <= 2**at + 1


async def test_every_attempt_is_signed_with_its_own_time() -> None:
    receiver = Receiver([500, 200])
    async with listening(receiver), bench(receiver.base) as made:
        made.webhooks.tell(asked())
        await made.done()

        first, second = (heard.headers for heard in receiver.heard)
        assert int(first["X-Comfy-Guard-Time"]) == NOW_MS // 1000
        assert int(second["X-Comfy-Guard-Time"]) == made.now_ms // 1000 > NOW_MS // 1000
        assert first["X-Comfy-Guard-Signature"] != second["X-Comfy-Guard-Signature"]


async def test_a_receiver_is_given_up_after_five_attempts(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver([500])
    async with listening(receiver), bench(f"{receiver.base}/{SECRET}?k={SECRET}") as made:
        made.webhooks.tell(asked())
        await made.done()

    assert len(receiver.heard) == 5
    assert len(made.paused) == 4
    assert "not told of apr_0000000000000000 (to 127.0.0.1): answered 500" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413])
async def test_a_receiver_that_says_no_is_not_asked_again(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver([status])
    async with listening(receiver), bench(f"{receiver.base}/{SECRET}") as made:
        made.webhooks.tell(asked())
        await made.done()

    assert len(receiver.heard) == 1
    assert f"answered {status}" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nobody_is_sent_elsewhere(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as elsewhere:
        receiver = Receiver([status], {"Location": f"{elsewhere.base}/{SECRET}"})
        async with listening(receiver), bench(receiver.base) as made:
            made.webhooks.tell(asked())
            await made.done()

        assert (len(receiver.heard), elsewhere.heard) == (1, [])
    assert "redirects are not followed" in caplog.text
    assert SECRET not in caplog.text


async def test_a_receiver_that_never_answers_holds_up_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hanging = Receiver(answering=never)
    async with (
        listening(hanging),
        listening() as sound,
        bench(f"{hanging.base}/{SECRET}", sound.base, pace=QUICK) as made,
    ):
        made.webhooks.tell(asked(1))
        made.webhooks.tell(asked(2))
        await sound.hears(2)
        await made.done()

        assert len(hanging.heard) == 4
    assert "cannot be reached (" in caplog.text
    assert SECRET not in caplog.text


async def test_a_receiver_that_is_not_there_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening() as gone:
        pass
    async with bench(f"{gone.base}/{SECRET}") as made:
        made.webhooks.tell(asked())
        await made.done()

    assert len(made.paused) == 4
    assert "(to 127.0.0.1): cannot be reached (ClientConnectorError)" in caplog.text
    assert SECRET not in caplog.text


async def test_an_answer_without_end_is_not_read() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65_536)
        except ConnectionError:
            ended.set()
            raise

    ended = asyncio.Event()
    receiver = Receiver(answering=endless)
    async with listening(receiver), bench(receiver.base) as made:
        made.webhooks.tell(asked())
        await made.done()
        with anyio.fail_after(10):
            await ended.wait()

        assert len(receiver.heard) == 1


async def test_cookies_are_not_kept() -> None:
    receiver = Receiver(headers={"Set-Cookie": f"who={SECRET}"})
    async with listening(receiver), bench(receiver.base) as made:
        made.webhooks.tell(asked(1))
        made.webhooks.tell(asked(2))
        await made.done()

        assert all("Cookie" not in heard.headers for heard in receiver.heard)


async def test_a_proxy_of_the_environment_hears_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with bench(receiver.base) as made:
            made.webhooks.tell(asked())
            await made.done()

        assert (len(receiver.heard), proxy.heard) == (1, [])


async def test_closing_does_not_wait_for_a_receiver_that_never_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hanging = Receiver(answering=never)
    pace = Pace(attempt_s=3600, whole_s=7200, at_once=1, last_s=0.0)
    async with listening(hanging), bench(hanging.base, pace=pace) as made:
        for number in range(3):
            made.webhooks.tell(asked(number))
        await hanging.hears(1)
        with anyio.fail_after(20):
            await made.webhooks.close()

        made.webhooks.tell(asked(9))
        assert all(task.done() for task in made.webhooks._workers)
        assert len(hanging.heard) == 1
    assert "2 notifications of webhooks were not sent." in caplog.text


async def test_closing_lets_what_is_nearly_done_be_done() -> None:
    async with listening() as receiver, bench(receiver.base, pace=Pace(last_s=10)) as made:
        made.webhooks.tell(asked())
        await made.webhooks.close()

        assert len(receiver.heard) == 1


async def test_closing_what_never_told_anything_is_nothing() -> None:
    async with bench("http://127.0.0.1:9/") as made:
        await made.webhooks.close()
        await made.webhooks.close()


async def test_so_many_wait_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    hanging = Receiver(answering=never)
    pace = Pace(attempt_s=3600, whole_s=7200, at_once=1, waiting=2, last_s=0.0)
    async with listening(hanging), bench(hanging.base, pace=pace) as made:
        made.webhooks.tell(asked(0))
        await hanging.hears(1)
        for number in range(1, 6):
            made.webhooks.tell(asked(number))

        assert made.webhooks._waiting.qsize() == 2
    assert caplog.text.count("Too many requests to people") == 1


async def test_so_many_are_told_in_a_minute_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as receiver, bench(receiver.base) as made:
        for number in range(70):
            made.webhooks.tell(asked(number))
            await made.done()
        assert len(receiver.heard) == 60
        assert caplog.text.count("Too many requests to people") == 1

        made.now_ms += 60_000
        made.webhooks.tell(asked(70))
        await made.done()
        assert len(receiver.heard) == 61


async def test_a_clock_that_steps_back_silences_nobody() -> None:
    async with listening() as receiver, bench(receiver.base, pace=Pace(a_minute=1)) as made:
        made.webhooks.tell(asked(1))
        made.now_ms -= 3_600_000
        made.webhooks.tell(asked(2))
        await made.done()

        assert len(receiver.heard) == 2


async def test_nobody_is_told_of_what_cannot_be_answered_any_more() -> None:
    async with listening() as receiver, bench(receiver.base) as made:
        made.webhooks.tell(asked(1, expires_ms=NOW_MS))
        made.webhooks.tell(asked(2, expires_ms=NOW_MS + 1))
        await made.done()

        assert [heard.told["approval_id"][-1] for heard in receiver.heard] == ["2"]


async def test_nothing_is_sent_unsigned(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bytes:
        raise StateError("The key of the webhook cannot be used: x holds no key.")

    async with listening() as receiver, bench(receiver.base, key=broken) as made:
        made.webhooks.tell(asked())
        await made.done()

        assert receiver.heard == []
    assert "holds no key" in caplog.text


async def test_a_failure_of_our_own_ends_one_notification_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening() as receiver, bench(receiver.base) as made:
        made.webhooks.tell(asked(1, facts=None))
        made.webhooks.tell(asked(2))
        await made.done()

        assert [heard.told["approval_id"][-1] for heard in receiver.heard] == ["2"]
    assert "AttributeError" in caplog.text


async def test_a_policy_that_cannot_be_used_tells_nobody_and_fails_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> tuple[str, ...]:
        raise ConfigError("The policy cannot be used.")

    webhooks = Webhooks(broken, lambda: KEY, now_ms=lambda: 0, command=str)
    webhooks.tell(asked())
    await webhooks.close()
    assert "No webhook is told of apr_0000000000000000" in caplog.text


async def test_without_webhooks_nothing_is_begun() -> None:
    async with bench() as made:
        before = asyncio.all_tasks()
        made.webhooks.tell(asked())
        assert asyncio.all_tasks() == before


async def test_which_webhooks_there_are_is_asked_anew_for_each_request() -> None:
    async with listening() as one, listening() as two, bench(one.base) as made:
        made.webhooks.tell(asked(1))
        made.urls = (two.base,)
        made.webhooks.tell(asked(2))
        await made.done()

        assert [len(one.heard), len(two.heard)] == [1, 1]


async def test_what_was_told_is_logged_without_the_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as receiver, bench(f"{receiver.base}/{SECRET}?a={SECRET}") as made:
        made.webhooks.tell(asked())
        await made.done()

    assert "A webhook was told of apr_0000000000000000 (to 127.0.0.1)." in caplog.text
    ours = [record for record in caplog.records if record.name.startswith("comfy_mcp")]
    assert ours
    assert not any(SECRET in record.getMessage() for record in ours)


async def test_pauses_grow_to_half_a_minute_and_no_longer() -> None:
    receiver = Receiver([500])
    pace = Pace(attempts=9, whole_s=10_000)
    async with listening(receiver), bench(receiver.base, pace=pace) as made:
        made.webhooks.tell(asked())
        await made.done()

    assert made.paused == sorted(made.paused)
    assert max(made.paused) <= 30
    assert all(later <= 2 * pause + 1 for pause, later in pairwise(made.paused))
