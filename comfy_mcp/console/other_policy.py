"""Whether the servers work under another policy than the one that is shown. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from comfy_mcp.console.cards import Card
from comfy_mcp.guard.loading import BUILT_IN, Loaded
from comfy_mcp.oversight.trail import moment
from comfy_mcp.store.protocol import AuditRow

__all__ = ["LOOKED_AT", "Judged", "last_judged", "warning"]

LOOKED_AT = 50
"""Audit rows among which the last decision is looked for."""

SHORT = 12
"""Characters of a revision that tell it from others."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The last call that a server judged: when, and by which *revision* of its policy."""

    revision: str
    at_ms: int


def last_judged(rows: Iterable[AuditRow]) -> Judged | None:
    """That of the newest decision among *rows*, which are the oldest first."""
    found = None
    for row in rows:
        revision = row.record.get("policy")
        if row.record.get("kind") == "decision" and isinstance(revision, str):
            found = Judged(revision, row.at_ms)
    return found


def warning(judged: Judged | None, shown: Loaded | None, requests: Iterable[Card]) -> str | None:
    """What the operator should know, with the files if a request named them; None: all is well."""
    if judged is None or shown is None or judged.revision == shown.revision:
        return None
    files = next((_files(one.facts) for one in requests if one.policy == judged.revision), ())
    named = " ".join(f"--policy {shlex.quote(name)}" for name in files) or "--policy FILE"
    short = judged.revision.removeprefix("sha256:")[:SHORT]
    return (
        f"The last call ({moment(judged.at_ms)}) was judged by another policy, revision {short}. If"
        f" this one was not edited since, start the console as the servers are: {named}. Limits are"
        " shown by the policy below."
    )


def _files(facts: Mapping[str, object]) -> tuple[str, ...]:
    files = facts.get("policy_files")
    several = cast("list[object]", files) if isinstance(files, list) else []
    return tuple(str(name) for name in several if name not in {BUILT_IN, "built-in"})
