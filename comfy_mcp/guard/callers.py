"""Who calls, as far as the policy knows callers; whoever it does not know may do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comfy_mcp.guard.kept import kept
from comfy_mcp.guard.policy import Grant, Policy
from comfy_mcp.guard.wording import shown

__all__ = ["Caller", "caller_of", "grants_of"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: *id* is who it is in journal and counters, *grants* what files say about it.

    *id* None: it may do nothing, because of the rule at the JSON Pointer *rule*; *why* is a
    sentence.
    """

    id: str | None
    grants: tuple[Grant, ...] = ()
    rule: str = ""
    why: str = ""


def caller_of(policy: Policy, identity: str, at_ms: int) -> Caller:
    """Who *identity* is at *at_ms*; itself, if the policy knows no grants."""
    if not policy.knows_grants:
        return Caller(identity)
    grants = grants_of(policy, identity)
    if not grants:
        naming = min(file.where for file in policy.files if file.grants is not None)
        why = f"The policy knows no caller {shown(identity)}."
        return Caller(None, rule=f"{naming}/grants", why=why)
    if len({grant.id for grant in grants}) > 1:
        why = f"Several grants of the policy mean {shown(identity)}, so none of them counts."
        return Caller(None, rule=grants[0].where, why=why)
    for grant in grants:
        if grant.revoked:
            return Caller(None, grants, f"{grant.where}/revoked", f"{grant.id} has been revoked.")
        if grant.expires_ms is not None and at_ms >= grant.expires_ms:
            why = f"The time of {grant.id} is over."
            return Caller(None, grants, f"{grant.where}/expires_at", why)
    return Caller(grants[0].id, grants)


def grants_of(policy: Policy, identity: str) -> tuple[Grant, ...]:
    """All grants of the ids that *identity* goes by, by pointer; in force or not."""
    return kept(policy, "callers", lambda: _by_name(policy)).get(identity, ())


def _by_name(policy: Policy) -> Mapping[str, tuple[Grant, ...]]:
    ids: dict[str, set[str]] = {}
    for grant in policy.grants:
        ids.setdefault(grant.stdio, set()).add(grant.id)
    ordered = sorted(policy.grants, key=lambda grant: grant.where)
    return {name: tuple(grant for grant in ordered if grant.id in own) for name, own in ids.items()}
