"""Grants that contradict each other, or that are not what they seem."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from comfy_mcp.errors import Fault
from comfy_mcp.guard.lint_reach import reached
from comfy_mcp.guard.policy import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Grant, Policy

__all__ = ["grant_faults", "grant_warnings"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def grant_faults(policy: Policy) -> Iterator[Fault]:
    """Files that disagree on who a caller is.

    One id may have several names: what the files say about it holds under each of them.
    """
    names: dict[str, Grant] = {}
    files = {grant.where: file for file in policy.files for grant in file.grants or ()}
    for grant in sorted(policy.grants, key=lambda grant: grant.where):
        named = names.setdefault(grant.stdio, grant)
        # Two in one file were told when it was read.
        if named.id != grant.id and files[named.where] is not files[grant.where]:
            yield Fault(
                grant.where,
                f'on stdio "{grant.stdio}" is already the grant {named.where}.',
                'Write another name under "match", or use the same id in both files.',
            )


def grant_warnings(policy: Policy, now_ms: int) -> Iterator[str]:
    """Grants that have run out, or allow less than it looks."""
    for grant in policy.grants:
        if grant.expires_ms is not None and grant.expires_ms <= now_ms and not grant.revoked:
            yield (
                f"{grant.where}: this grant has expired ({_time(grant.expires_ms)}): its caller"
                " may do nothing. Remove it, or write a later time."
            )
        yield from _listing(grant)
    if not policy.default_allow:
        yield from _unlisted(policy)


def _unlisted(policy: Policy) -> Iterator[str]:
    """Tools that grants list and no file allows."""
    base = [rule for layer in policy.layers for rule in layer.rules if rule.place is Place.TOOL]
    allowed = frozenset[str]().union(*(reached(rule) for rule in base))
    for rule in (rule for grant in policy.grants for rule in grant.layer.rules):
        if rule.place is Place.TOOL and reached(rule) and not reached(rule) & allowed:
            yield (
                f"{rule.where}: no file allows {rule.match}, and a grant only narrows."
                ' List it under the "tools" of the file, or remove it here.'
            )


def _listing(grant: Grant) -> Iterator[str]:
    rules = [rule for rule in grant.layer.rules if rule.place is Place.TOOL]
    if rules and not grant.layer.default_allow and not grant.says_default:
        listed = ", ".join(sorted(rule.match for rule in rules))
        yield (
            f"{grant.where}: this grant has tools and no default, so only {listed} may be used."
            ' Add "default": "deny" if that is meant, else "default": "allow".'
        )


def _time(at_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat()
