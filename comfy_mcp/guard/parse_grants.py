"""Grants of a policy file: the callers it knows, and the narrower rules of each."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from comfy_mcp.guard.parse_rules import layer
from comfy_mcp.guard.parse_words import LONGEST_TEXT, default_allow, description
from comfy_mcp.guard.policy import Grant
from comfy_mcp.guard.vocabulary import GRANT, MATCH

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["grants"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def grants(node: Node) -> tuple[Grant, ...]:
    """The entries of ``grants``; no two have the same name on stdio."""
    found: list[Grant] = []
    first: dict[str, Grant] = {}
    for name, entry in node.members().items():
        if not _is_id(entry, name):
            continue
        grant = _grant(entry, name)
        found.append(grant)
        other = first.setdefault(grant.stdio, grant)
        if other is not grant:
            entry.fault(
                f'on stdio "{grant.stdio}" is already the grant {other.where}.',
                'Write another name under "match", or make one grant of the two.',
            )
    return tuple(found)


def _is_id(node: Node, name: str) -> bool:
    # The id becomes part of file names, where dots could lead out of a folder.
    fits = _NAME.fullmatch(name) is not None and ".." not in name and name.strip(".") == name
    if not fits:
        node.fault(
            "this is no id for a grant.",
            "Use 1 to 64 letters, digits and _ . - with no dot at an end or beside another.",
        )
    return fits


def _grant(node: Node, name: str) -> Grant:
    parts = node.known(GRANT)
    default = default_allow(parts)
    inherits = "tools" not in parts
    return Grant(
        where=node.where,
        id=name,
        stdio=(_stdio(parts["match"]) if "match" in parts else None) or name,
        layer=layer(node, parts, default_allow=inherits if default is None else default),
        expires_ms=_time_ms(parts["expires_at"]) if "expires_at" in parts else None,
        revoked=("revoked" in parts and parts["revoked"].flag()) or False,
        tags=_tags(parts["tags"]) if "tags" in parts else (),
        description=description(parts),
        says_default=default is not None,
    )


def _stdio(node: Node) -> str | None:
    members = node.members()
    if isinstance(node.value, dict) and not members:
        node.fault("this matches nobody.", 'Write {"stdio": "..."}, or remove "match".')
    parts = node.supported(members, MATCH)
    if "stdio" not in parts:
        return None
    name = parts["stdio"].text(64)
    if name is None or _NAME.fullmatch(name):
        return name
    parts["stdio"].fault(
        "no caller on stdio can have this name.", "Use 1 to 64 letters, digits and _ . -"
    )
    return None


def _tags(node: Node) -> tuple[str, ...]:
    read = (item.text(LONGEST_TEXT) for item in node.items())
    return tuple(tag for tag in read if tag is not None)


def _time_ms(node: Node) -> int | None:
    """A time of RFC 3339 in milliseconds since the epoch; parts of one are dropped."""
    text = node.text(64)
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    try:
        if found is not None:
            date, time, fraction, zone = found.groups()
            zone = "+00:00" if zone in "Zz" else zone
            micros = (fraction or ".0")[:7].ljust(7, "0")
            at = datetime.fromisoformat(f"{date}T{time}{micros}{zone}")
            return (at - _EPOCH) // _MILLISECOND
    except ValueError:
        pass  # The fault says it: there is no such day or hour.
    node.fault(
        "this is no time with a zone (RFC 3339).", 'Write for instance "2030-12-31T18:00:00Z".'
    )
    return None
