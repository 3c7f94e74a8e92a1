"""Names in a policy that no tool has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.errors import Fault
from comfy_mcp.guard.catalog import ALIASES, KNOWN_NAMES, TOOLS
from comfy_mcp.guard.lint_reach import all_layers, named
from comfy_mcp.guard.node import nearest
from comfy_mcp.guard.policy import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Layer, Policy

__all__ = ["name_faults", "name_warnings"]


def name_faults(policy: Policy) -> Iterator[Fault]:
    """Unknown names in layers that allow what they do not list: there a typing error fails open."""
    for layer in all_layers(policy):
        if _lets_pass(policy, layer):
            yield from _unknown(layer, "so this entry would protect nothing")


def name_warnings(policy: Policy) -> Iterator[str]:
    """Unknown names elsewhere."""
    for layer in all_layers(policy):
        if not _lets_pass(policy, layer):
            yield from map(str, _unknown(layer, "so this entry has no effect"))


def _lets_pass(policy: Policy, layer: Layer) -> bool:
    return policy.default_allow if layer in policy.layers else layer.default_allow


def _names(layer: Layer) -> Iterator[tuple[str, str]]:
    """Pointer and text of everything that should name a tool."""
    for hide in layer.hide:
        yield hide.where, hide.match
    for rule in layer.rules:
        if rule.place is Place.TOOL:
            yield rule.where, rule.match


def _unknown(layer: Layer, effect: str) -> Iterator[Fault]:
    for where, name in _names(layer):
        if name not in KNOWN_NAMES and not named(name):
            cause = f'no tool has the name "{name}", {effect}.'
            yield Fault(where, cause, nearest(name, TOOLS, ALIASES))
