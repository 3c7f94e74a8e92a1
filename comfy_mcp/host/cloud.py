"""What is special about Comfy Cloud, a host of many users that speaks ComfyUI's words."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlencode, urlsplit

from comfy_mcp.settings import Address

__all__ = ["is_cloud", "is_loopback", "may_fetch", "socket_url"]

KEY_HEADER = "x-api-key"


def is_cloud(address: Address) -> bool:
    """Whether the host's name says so."""
    name = urlsplit(address.base).hostname or ""
    return name == "comfy.org" or name.endswith(".comfy.org")


def is_loopback(url: str) -> bool:
    """Whether *url* is of this machine."""
    name = (urlsplit(url).hostname or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def may_fetch(url: str, *, sent_by: str) -> bool:
    """Whether a file may be fetched from *url*, where the host at *sent_by* sent us.

    Over https only, so that nobody on the way can put in another file, and never from a number
    instead of a name: whoever answers for the host must not be able to have us read what is only
    reachable from here. A host on this very machine may send us to this machine.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or not parts.hostname:
        return False
    if is_loopback(sent_by) and is_loopback(url):
        return parts.scheme in {"http", "https"}
    name = parts.hostname.rstrip(".")
    # Letters of other scripts may be turned into another name on the way to the resolver.
    known = name.isascii() and "." in name and not _is_number(name)
    return parts.scheme == "https" and not is_loopback(url) and known


def socket_url(address: Address, client_id: str, *, token: bool) -> str:
    """Where the websocket is; with *token* the key stands in it, as Cloud wants it.

    Addresses end up in more logs than headers do, so nobody else gets it there, and none goes over
    a network in the clear.
    """
    query = {"clientId": client_id}
    key = next((value for name, value in address.headers.items() if name.lower() == KEY_HEADER), "")
    safe = address.base.startswith("https:") or is_loopback(address.base)
    if token and key and safe:
        query["token"] = key
    return f"{address.socket}?{urlencode(query)}"


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        # 0x7f.1, 2130706433 and the like, which resolvers take for numbers.
        return name.rsplit(".", 1)[-1][:1].isdigit()
    return True
