"""Policies from documents, and questions about them, as short as a table needs them."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Decision, Question, Run, in_this_zone
from comfy_mcp.workflow.facts import Facts, Model, Prefix, Unknown

NOON_MS = 1_767_614_400_000
"""2026-01-05, a Monday, at 12:00 UTC."""

ALLOWED: dict[str, Any] = {"tools": {"*": {}}}
"""Everything that nothing speaks against."""


def policy(*documents: dict[str, Any]) -> Policy:
    """The policy that files of this content make together; several are called 0#, 1#, ..."""
    names = [""] if len(documents) == 1 else [f"{at}#" for at in range(len(documents))]
    read = [
        read_policy(json.dumps({"version": "1", **document}), name)
        for document, name in zip(documents, names, strict=True)
    ]
    assert [fault for _, found in read for fault in found] == []
    return Policy(tuple(file for file, _ in read))


def ask(document: dict[str, Any], tool: str, **keys: Any) -> Decision:
    """What a policy of one file says to a call of *tool* that nothing more will be known of."""
    return decide(policy(document), question(tool, **keys))


def question(tool: str, **keys: Any) -> Question:
    """A final question at noon in UTC; an early one with ``final=False``."""
    known = {"identity": "me", "args": {}, "final": True, "at_ms": NOON_MS, **keys}
    return Question(tool, at=in_this_zone(known["at_ms"], UTC), **known)


def ask_run(gpu: dict[str, Any], facts: Facts | None = None, **keys: Any) -> Decision:
    """What a policy with this ``gpu`` block says to a run; *keys* are those of `Run`."""
    return ask({**ALLOWED, "gpu": gpu}, "run_workflow", run=Run(facts or Facts(), **keys))


def models(**folders: list[str]) -> dict[str, tuple[Model, ...]]:
    """Facts about models: names by folder; ``nowhere`` is the folder that nobody knows."""
    return {
        "?" if folder == "nowhere" else folder: tuple(
            Model(name, "4", "SomeLoader", "name") for name in names
        )
        for folder, names in folders.items()
    }


def prefixes(*values: str) -> tuple[Prefix, ...]:
    """Facts about where files are saved."""
    return tuple(Prefix(value, "9", "SaveImage", "filename_prefix") for value in values)


def unknown(*facts: str) -> dict[str, tuple[Unknown, ...]]:
    """Facts that depend on one input which cannot be foreseen."""
    cause = Unknown("3", "KSampler", "steps", "it comes from a custom node")
    return dict.fromkeys(facts, (cause,))
