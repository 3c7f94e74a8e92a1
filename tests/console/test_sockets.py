"""Where the console listens."""

from __future__ import annotations

import socket

import pytest

from comfy_mcp.console.app import started
from comfy_mcp.console.sockets import listening
from comfy_mcp.errors import ConfigError
from comfy_mcp.settings import Settings
from tests.console.caller import Caller, Terminal


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7", "203.0.113.1", "fe80::1"])  # noqa: S104 - it is refused
def test_it_listens_to_this_machine_only(address: str) -> None:
    with pytest.raises(ConfigError, match="on this machine only"):
        listening(0, (address,))


def test_its_sockets_are_all_of_this_machine_on_one_port() -> None:
    made = listening(0)
    names = [one.getsockname()[:2] for one in made]
    for one in made:
        one.close()

    assert names[0][0] == "127.0.0.1"
    assert {name for name, _ in names} <= {"127.0.0.1", "::1"}
    assert len({port for _, port in names}) == 1


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigError, match=f"Port {port} is taken.*--port"):
            listening(port)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_a_port_that_is_taken_on_ipv6_only_is_taken_and_nothing_is_left_open() -> None:
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    with other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigError, match="is taken"):
            listening(port)

        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.mark.anyio
async def test_both_addresses_answer(settings: Settings, terminal: Terminal) -> None:
    async with started(settings, terminal, port=0) as console:
        caller = Caller(console.place.port)
        there = [one for one in ("127.0.0.1", "::1") if _is_there(one, caller.port)]
        said = [
            await caller.ask(
                "GET",
                "/",
                headers={"Host": f"[::1]:{caller.port}" if ":" in one else caller.host},
                address=one,
            )
            for one in there
        ]

    assert "127.0.0.1" in there
    assert [one.status for one in said] == [200] * len(there)


def _is_there(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True
