"""Names looked up for addresses that anybody may reach: none of this machine or its networks."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

__all__ = ["PublicResolver"]


class PublicResolver(AbstractResolver):
    """A name that stands for an address inside counts as one that there is not.

    Judged where the connection is made, so that a name cannot mean another address by then. *inner*
    does the looking up.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of *host*.

        Raises:
            OSError: it has none.
        """
        found = await self._inner.resolve(host, port, family)
        public = [one for one in found if _is_public(one)]
        if not public:
            raise OSError(None, f"{host} stands for no public address")
        return public

    async def close(self) -> None:
        """Give back what looking up needs."""
        await self._inner.close()


def _is_public(found: ResolveResult) -> bool:
    address: Any = ip_address(found["host"].partition("%")[0])
    return bool(address.is_global)
