"""Whoever sends us elsewhere cannot have us read what is only reachable from here."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from comfy_mcp.host.public import PublicResolver

pytestmark = pytest.mark.anyio


class Book(AbstractResolver):
    """Knows every name by these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All of them."""
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in self.addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "192.168.1.1", "169.254.169.254", "::1", "fe80::1%eth0"],
)
async def test_a_name_that_stands_for_an_address_inside_is_none(address: str) -> None:
    with pytest.raises(OSError, match="no public address"):
        await PublicResolver(Book(address)).resolve("files.example.com", 443)


async def test_of_several_addresses_only_public_ones_are_gone_to() -> None:
    found = await PublicResolver(Book("127.0.0.1", "93.184.216.34")).resolve("example.com", 443)

    assert [one["host"] for one in found] == ["93.184.216.34"]
