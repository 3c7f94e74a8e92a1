"""An embedded host starts, can be looked at and waited for, restarts, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from comfy_mcp.embedded import PROFILES, EmbeddedHost, Faults
from comfy_mcp.errors import ConfigError
from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def test_a_job_can_be_waited_for(host: EmbeddedHost, client: Comfy) -> None:
    prompt_id = new_id()

    await client.submit(fresh("small"), prompt_id=prompt_id)
    await host.until(lambda it: prompt_id in it.finished)

    assert host.running is None
    assert host.pending == ()
    assert host.node is None


async def test_waiting_for_what_never_comes_is_bounded(host: EmbeddedHost) -> None:
    with pytest.raises(TimeoutError):
        await host.until(lambda it: it.running is not None, 0.01)


async def test_what_runs_and_waits_can_be_seen_in_the_order_of_running(
    host: EmbeddedHost, client: Comfy
) -> None:
    host.faults = Faults(node_ms=60_000)
    first, second, third = new_id(), new_id(), new_id()
    await client.submit(fresh("small"), prompt_id=first)
    await host.until(lambda it: it.node == "1")
    await client.submit(fresh("small"), prompt_id=second)
    await client.submit(fresh("small"), prompt_id=third, front=True)

    assert host.running == first
    assert host.pending == (third, second)


async def test_every_request_is_seen_without_the_prefix(host: EmbeddedHost, client: Comfy) -> None:
    await client.get("/api/queue")
    await client.post("/api/queue", {"clear": True})
    await client.ask("POST", "/interrupt", data=b"nonsense")

    assert [(seen.method, seen.path, seen.body) for seen in host.seen] == [
        ("GET", "/queue", None),
        ("POST", "/queue", {"clear": True}),
        ("POST", "/interrupt", None),
    ]


async def test_a_restart_loses_queue_history_sockets_and_numbers_but_not_the_port(
    host: EmbeddedHost, client: Comfy
) -> None:
    ended = await client.run(fresh("medium"))
    host.faults = Faults(node_ms=60_000)
    async with client.listen() as listener:
        await client.submit(fresh("small"), client_id=listener.sid)
        await client.submit(fresh("small"))
        await host.until(lambda it: it.node == "1")
        port = host.port
        await host.restart()
        with pytest.raises(ConnectionError):
            await listener.until_type("never")

    assert (host.running, host.pending, host.finished) == (None, (), ())
    assert host.port == port
    assert (await client.get("/prompt")).body["exec_info"]["queue_remaining"] == 0
    [preview] = ended.entry["outputs"]["7"]["images"]
    assert (await client.get("/view", **preview)).status == 404, "temp is emptied"
    [saved] = ended.entry["outputs"]["6"]["images"]
    assert (await client.get("/view", **saved)).status == 200, "output is kept"
    host.faults = Faults()
    again = await client.submit(fresh("small"))
    assert again.body["number"] == 0
    await host.until(lambda it: again.body["prompt_id"] in it.finished)


async def test_stopping_is_bounded_while_a_node_works_and_a_client_listens(client: Comfy) -> None:
    host = EmbeddedHost(faults=Faults(deaf_ms=60_000))
    await host.start()
    await host.start()
    there = type(client)(host.url, client.session, "")
    async with there.listen() as listener:
        await there.submit(fresh("small"), client_id=listener.sid)
        await host.until(lambda it: it.node == "1")
        started = time.monotonic()
        await host.stop()
        await host.stop()

    assert time.monotonic() - started < 10


async def test_a_private_folder_goes_with_the_host(client: Comfy) -> None:
    async with EmbeddedHost() as host:
        there = type(client)(host.url, client.session, "0.33.0")
        await there.run(fresh("small"))
        base = host.folder
        assert (base / "output" / "contract").is_dir()

    assert not base.exists()


async def test_a_folder_of_yours_stays(tmp_path: Path, client: Comfy) -> None:
    async with EmbeddedHost(folder=tmp_path / "mine") as host:
        there = type(client)(host.url, client.session, "0.33.0")
        ended = await there.run(fresh("small"))

    [file] = ended.entry["outputs"]["2"]["images"]
    assert (tmp_path / "mine" / "output" / file["subfolder"] / file["filename"]).is_file()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(host: EmbeddedHost) -> None:
    second = EmbeddedHost(port=host.port)

    with pytest.raises(OSError, match="address already in use"):
        await second.start()

    await second.stop()
    await second.restart()
    assert second.clients == ()


async def test_the_history_is_limited(client: Comfy) -> None:
    async with EmbeddedHost(max_history=2) as host:
        there = type(client)(host.url, client.session, "0.33.0")
        ids = [(await there.run(fresh("small"))).prompt_id for _ in range(5)]

        assert host.finished == tuple(ids[-3:]), "one more than the limit, as in ComfyUI"


async def test_its_page_says_what_it_is(client: Comfy) -> None:
    answer = await client.get("/")

    assert answer.status == 200
    assert "Embedded demo host" in answer.body


async def test_the_history_can_be_cleared(host: EmbeddedHost, client: Comfy) -> None:
    await client.run(fresh("small"))

    await client.post("/history", {"clear": True})

    assert host.finished == ()


async def test_extra_data_that_is_null_is_trouble(client: Comfy) -> None:
    assert (await client.submit(fresh("small"), extra_data=None)).status == 500


async def test_clients_can_be_seen(host: EmbeddedHost, client: Comfy) -> None:
    async with client.listen("me"):
        await host.until(lambda it: it.clients == ("me",))
    await host.until(lambda it: it.clients == ())


def test_an_unknown_profile_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ConfigError, match=r"0\.3\.64"):
        EmbeddedHost(profile="9")


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert EmbeddedHost(host="::1", port=5).url == "http://[::1]:5"


def test_importing_the_package_loads_neither_pillow_nor_aiohttp() -> None:
    code = "import sys, comfy_mcp.embedded; sys.exit(bool({'PIL', 'aiohttp'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own words


def test_every_profile_is_its_own_version_or_comfy_cloud() -> None:
    assert all(
        profile.cloud if name == "cloud" else profile.version.startswith(name)
        for name, profile in PROFILES.items()
    )
