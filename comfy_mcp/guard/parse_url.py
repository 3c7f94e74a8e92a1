"""The address that is told of requests to people: an http(s) URL without anybody's password.

Such a URL is a secret itself (who knows it may write there), so no message quotes it.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["webhook"]

_LONGEST = 2000
_HIGHEST_PORT = 65_535
_SCHEME = re.compile(r"https?://")
_CREDENTIALS = re.compile(r"https?://[^/?#]*@")
# The same as in policy.schema.json. What is no ASCII is written as xn--... or %...
_URL = re.compile(
    r"https?://(\[(?P<v6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[/?][!-~]*)?"
)


def webhook(node: Node) -> str | None:
    """The URL; None, and a fault, if it is none that can be told."""
    text = node.text(_LONGEST)
    if text is None:
        return None
    found = _URL.fullmatch(text)
    if _SCHEME.match(text) is None:
        node.fault(
            "this does not begin with http:// or https://.",
            'Write the whole URL: "https://ntfy.sh/your-topic".',
        )
    elif _CREDENTIALS.match(text):
        node.fault(
            "there is a user or a password in this URL, and whoever may read the policy has it.",
            "Remove what stands before the @; the receiver can check the signature instead.",
        )
    elif found is None:
        node.fault(
            "this is no URL with a host.",
            'Write "https://", a host, maybe a port, and a path, without spaces and "#".',
        )
    elif not _is_port(found["port"]) or not _is_address(found["v6"]):
        node.fault("the host or the port of this URL cannot be.", "Correct it.")
    else:
        return text
    return None


def _is_port(text: str | None) -> bool:
    return text is None or 1 <= int(text) <= _HIGHEST_PORT


def _is_address(text: str | None) -> bool:
    try:
        return text is None or bool(IPv6Address(text).exploded)
    except AddressValueError:
        return False
