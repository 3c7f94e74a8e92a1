"""Where the console listens: on this machine's own addresses, and nowhere else."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Sequence

from comfy_mcp.errors import ConfigError

__all__ = ["LOOPBACK", "listening"]

LOOPBACK = ("127.0.0.1", "::1")

_MISSING = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
"""How a machine says that it has no IPv6."""

BACKLOG = 64


def listening(port: int, addresses: Sequence[str] = LOOPBACK) -> list[socket.socket]:
    """Sockets that listen on *port* of every one of *addresses* that there is; 0: any free port.

    Raises:
        ConfigError: an address is not this machine's own, or the port cannot be had.
    """
    for address in addresses:
        if not ipaddress.ip_address(address).is_loopback:
            raise ConfigError(
                f"The console listens on this machine only, not on {address}. To look from"
                " elsewhere, forward its port, for example with ssh -L."
            )
    made: list[socket.socket] = []
    try:
        for address in addresses:
            found = _listening(address, made[0].getsockname()[1] if made else port)
            made += [] if found is None else [found]
    except OSError as error:
        for one in made:
            one.close()
        raise ConfigError(_why_not(port, error)) from error
    if not made:
        raise ConfigError("This machine has no loopback address, and the console uses no other.")
    return made


def _listening(address: str, port: int) -> socket.socket | None:
    """One socket; None if this machine has no such address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise
    try:
        _alone(made)
        if family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        if error.errno in _MISSING:
            return None
        raise
    return made


def _alone(made: socket.socket) -> None:
    """Nobody else may take the same port; on Windows that has to be said."""
    if os.name == "nt":
        made.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", -5), 1)
    else:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _why_not(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is taken: maybe a console runs already. Use that one, end it, or choose"
            " another port with --port."
        )
    return (
        f"The console cannot listen on port {port} ({error.strerror or error}). Choose another"
        " with --port."
    )
