"""What need not be computed again: results by what a node is and what it is made from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.values import as_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from comfy_mcp.embedded.nodes.base import Folders, Node

__all__ = ["LINK_LENGTH", "Cache", "Cached", "is_link", "signatures"]

MOST_VALUES = 512
LINK_LENGTH = 2


@dataclass(frozen=True, slots=True)
class Cached:
    """A node's result: for each output a list of values, and the entry for the history."""

    values: tuple[list[Any], ...]
    shown: dict[str, Any] | None


@dataclass(slots=True)
class Cache:
    """Results by signature; the least recently used go when there are too many."""

    results: dict[str, Cached] = field(default_factory=dict[str, Cached])

    def get(self, signature: str) -> Cached | None:
        """The result, which counts as used."""
        found = self.results.pop(signature, None)
        if found is not None:
            self.results[signature] = found
        return found

    def put(self, signature: str, result: Cached) -> None:
        """Keep a result."""
        self.results[signature] = result
        while len(self.results) > MOST_VALUES:
            self.results.pop(next(iter(self.results)))

    def keep_only(self, wanted: Collection[str]) -> None:
        """Forget everything else."""
        self.results = {key: value for key, value in self.results.items() if key in wanted}


def is_link(value: object) -> bool:
    """Whether an input's value is a link: a node id and the number of one of its outputs."""
    found = as_list(value)
    return (
        found is not None
        and len(found) == LINK_LENGTH
        and isinstance(found[0], str)
        and isinstance(found[1], (int, float))
    )


def signatures(
    prompt: Mapping[str, Any], catalogue: Mapping[str, Node], folders: Folders
) -> dict[str, str]:
    """For each node, what its result depends on: its class, its inputs, and theirs.

    Raises:
        KeyError: a node has no inputs (which kills ComfyUI's worker).
    """
    known: dict[str, str] = {}
    for node_id in prompt:
        _sign(node_id, prompt, catalogue, folders, known)
    return known


def _sign(
    node_id: str,
    prompt: Mapping[str, Any],
    catalogue: Mapping[str, Node],
    folders: Folders,
    known: dict[str, str],
) -> str:
    if node_id in known:
        return known[node_id]
    if node_id not in prompt:
        return "nowhere"
    known[node_id] = "itself"  # a cycle among nodes that no output needs
    inputs, class_type = prompt[node_id]["inputs"], prompt[node_id]["class_type"]
    parts: dict[str, Any] = {}
    for name, value in inputs.items():
        linked = is_link(value)
        parts[name] = (
            ["link", _sign(value[0], prompt, catalogue, folders, known), value[1]]
            if linked
            else ["value", value]
        )
    fingerprint = catalogue[class_type].fingerprint
    extra = fingerprint(folders, inputs) if fingerprint else ""
    text = json.dumps([class_type, parts, extra], sort_keys=True, default=str)
    known[node_id] = hashlib.sha256(text.encode()).hexdigest()
    return known[node_id]
